import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ml_assets.errors import SettingError
from ml_assets.learning.conformal import Intervals, Sets, largest_coverage, probability_ahead, threshold
from ml_assets.learning.difficulty import Difficulty


def rows(n: int) -> pd.DataFrame:
    return pd.DataFrame(index=range(n))


def drawn_probabilities(rng: np.random.Generator, n: int, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (n, classes), and classes drawn by somewhat other ones: the model is not quite right."""
    scores = rng.normal(size=(n, classes)) * 1.5
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(classes, p=p) for p in 0.8 * shares + 0.2 / classes])
    return shares, truth


@pytest.mark.parametrize(("n", "coverage"), [(9, 0.9), (19, 0.9), (100, 0.9), (100, 0.8), (999, 0.95)])
def test_the_threshold_is_the_score_that_one_more_row_stays_below_as_often_as_promised(n: int, coverage: float) -> None:
    scores = np.random.default_rng(0).permutation(n).astype(float)
    below = (np.arange(n + 1) <= threshold(scores, coverage) + 0.5).sum()
    # Of n + 1 rows in any order, the new one is among the lowest k with probability k / (n + 1).
    assert below / (n + 1) >= coverage - 1e-12
    assert (below - 1) / (n + 1) < coverage


@pytest.mark.parametrize("n", [20, 200])
def test_intervals_hold_the_truth_as_often_as_promised_whatever_the_noise(n: int) -> None:
    rng = np.random.default_rng(1)
    held = []
    for _ in range(600):
        errors, new = stats.t(df=3).rvs(n, random_state=rng), stats.t(df=3).rvs(20, random_state=rng)
        low, high = Intervals(np.abs(errors)).around(np.zeros(20), rows(20), 0.9).T
        held.append(np.mean((low <= new) & (new <= high)))
    assert np.mean(held) == pytest.approx(np.ceil(0.9 * (n + 1)) / (n + 1), abs=0.01)


def test_intervals_are_those_of_crepes_and_of_mapie() -> None:
    from crepes import ConformalRegressor
    from mapie.regression import SplitConformalRegressor
    from sklearn.linear_model import LinearRegression

    rng = np.random.default_rng(2)
    X = rng.normal(size=(400, 2))
    y = X @ [1.0, -2.0] + rng.standard_t(4, size=400)
    model = LinearRegression().fit(X[:100], y[:100])
    residuals = y[100:300] - model.predict(X[100:300])
    found = Intervals(np.abs(residuals)).around(model.predict(X[300:]), rows(100), 0.85)
    regressor = ConformalRegressor()
    regressor.fit(residuals)
    np.testing.assert_allclose(found, regressor.predict_int(model.predict(X[300:]), confidence=0.85))
    mapie = SplitConformalRegressor(model, confidence_level=0.85, prefit=True).conformalize(X[100:300], y[100:300])
    np.testing.assert_allclose(found, mapie.predict_interval(X[300:])[1][:, :, 0])


def test_normalized_intervals_are_those_of_crepes() -> None:
    from crepes import ConformalRegressor

    rng = np.random.default_rng(3)
    X = pd.DataFrame({"x": rng.uniform(1, 5, 300)})
    errors = X["x"].to_numpy() * rng.normal(size=300)

    class Known(Difficulty):
        def predict(self, given: pd.DataFrame) -> np.ndarray:
            return given["x"].to_numpy()

    own = Intervals(np.abs(errors[:200]), X["x"].to_numpy()[:200], Known()).around(np.zeros(100), X[200:], 0.9)
    regressor = ConformalRegressor()
    regressor.fit(errors[:200], sigmas=X["x"].to_numpy()[:200])
    np.testing.assert_allclose(
        own, regressor.predict_int(np.zeros(100), sigmas=X["x"].to_numpy()[200:], confidence=0.9)
    )


def test_nine_rows_are_enough_for_nine_in_ten_though_floating_point_says_otherwise() -> None:
    from crepes import ConformalRegressor

    found = Intervals(np.arange(1.0, 10.0)).around(np.zeros(1), rows(1), 0.9)
    assert found.tolist() == [[-9.0, 9.0]]
    regressor = ConformalRegressor()
    regressor.fit(np.arange(1.0, 10.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.isinf(regressor.predict_int(np.zeros(1), confidence=0.9)).all()


def test_each_group_has_the_coverage_for_itself_and_small_or_new_ones_that_of_all() -> None:
    rng = np.random.default_rng(4)
    spread = {"calm": 1.0, "wild": 5.0}
    held: dict[str, list[float]] = {"calm": [], "wild": []}
    for _ in range(300):
        groups = np.array(["calm", "wild"] * 60, dtype=object)
        errors = np.abs(rng.normal(size=120)) * np.array([spread[g] for g in groups])
        intervals = Intervals(errors, groups=groups, group="mood")
        for name, size in spread.items():
            new = np.abs(rng.normal(size=20)) * size
            half = intervals.around(np.zeros(20), pd.DataFrame({"mood": [name] * 20}), 0.9)[:, 1]
            held[name].append(float(np.mean(new <= half)))
    for name in spread:
        assert np.mean(held[name]) == pytest.approx(0.9, abs=0.02)
    groups = np.array(["calm"] * 50 + ["rare"] * 3, dtype=object)
    intervals = Intervals(np.arange(53.0), groups=groups, group="mood")
    both = intervals.around(np.zeros(3), pd.DataFrame({"mood": ["rare", "new", None]}), 0.9)[:, 1]
    assert set(both.tolist()) == {threshold(np.arange(53.0), 0.9)}


def test_intervals_stay_within_what_the_target_can_be() -> None:
    found = Intervals(np.full(20, 3.0), limits=(0.0, 10.0)).around(np.array([1.0, 9.0]), rows(2), 0.9)
    assert found.tolist() == [[0.0, 4.0], [6.0, 10.0]]


def test_the_probability_ahead_is_that_of_all_likelier_classes() -> None:
    found = probability_ahead(np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]]))
    np.testing.assert_allclose(found, [[0.8, 0.0, 0.5], [0.0, 0.4, 0.8]])


def test_sets_hold_the_truth_as_often_as_promised_and_are_never_empty() -> None:
    rng = np.random.default_rng(5)
    held, sizes = [], []
    for _ in range(100):
        shares, truth = drawn_probabilities(rng, 300)
        sets = Sets(probability_ahead(shares[:200])[np.arange(200), truth[:200]])
        inside = sets.around(shares[200:], rows(100), 0.9)
        held.append(inside[np.arange(100), truth[200:]].mean())
        sizes.append(inside.sum(axis=1))
    assert np.mean(held) == pytest.approx(0.9, abs=0.012)
    assert np.min(sizes) >= 1
    assert 1 < np.mean(sizes) < 4


def test_sets_are_smaller_than_mapies_adaptive_ones_without_chance() -> None:
    from mapie.classification import SplitConformalClassifier
    from sklearn.datasets import make_classification
    from sklearn.linear_model import LogisticRegression

    X, y = make_classification(900, 6, n_informative=4, n_classes=3, random_state=0)
    model = LogisticRegression().fit(X[:300], y[:300])
    shares, truth = model.predict_proba(X[300:600]), y[300:600]
    own = Sets(probability_ahead(shares)[np.arange(300), truth]).around(model.predict_proba(X[600:]), rows(300), 0.9)
    mapie = SplitConformalClassifier(model, confidence_level=0.9, conformity_score="aps", prefit=True)
    theirs = mapie.conformalize(X[300:600], truth).predict_set(
        X[600:], conformity_score_params={"include_last_label": True}
    )[1][:, :, 0]
    held = {"own": own[np.arange(300), y[600:]].mean(), "mapie": theirs[np.arange(300), y[600:]].mean()}
    assert held["own"] == pytest.approx(0.9, abs=0.05)
    assert held["mapie"] > held["own"], (
        "counting a class's own probability, without chance, promises more than is asked"
    )
    assert own.sum(axis=1).mean() < theirs.sum(axis=1).mean()


@pytest.mark.parametrize("coverage", [0.0, 1.0, -1.0, 90.0, float("nan")])
def test_a_coverage_that_makes_no_sense_is_refused(coverage: float) -> None:
    with pytest.raises(SettingError, match="between 0 and 1"):
        Intervals(np.ones(50)).around(np.zeros(1), rows(1), coverage)


def test_what_too_few_errors_cannot_promise_is_refused_with_what_they_can() -> None:
    assert largest_coverage(9) == 0.9
    with pytest.raises(SettingError, match=r"known on 9 rows, which is enough for 0\.9 at most"):
        Sets(np.zeros(9)).around(np.full((1, 2), 0.5), rows(1), 0.91)
