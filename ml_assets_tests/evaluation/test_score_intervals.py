from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from evaluation_worlds import World
from scipy import stats
from sklearn import metrics as reference

from ml_assets.evaluation import weighted
from ml_assets.evaluation.bca import Statistic, bca_interval, bootstrap_weights, left_out_weights
from ml_assets.evaluation.metrics import class_positions
from ml_assets.evaluation.record import Evaluation, labels_of
from ml_assets.evaluation.score_intervals import ScoreInterval, score_intervals

RNG = np.random.default_rng(0)
N = 300
TRUTH = RNG.normal(size=N)
GUESS = TRUTH + RNG.standard_t(3, size=N)
LABELS = RNG.integers(3, size=N)
SHARES = RNG.dirichlet(np.ones(3), size=N).round(2)
SHARES[np.arange(N), LABELS] += 0.8
SHARES = (SHARES / SHARES.sum(axis=1, keepdims=True)).round(3)
SAID = SHARES.argmax(axis=1)
ONE_HOT = np.eye(3, dtype=bool)[LABELS]
WEIGHTS = RNG.integers(0, 4, size=(4, N)).astype(float)

CASES: dict[str, tuple[Statistic, Callable[[np.ndarray], float]]] = {
    "rmse": (
        weighted.mean_of((TRUTH - GUESS) ** 2, root=True),
        lambda w: reference.root_mean_squared_error(TRUTH, GUESS, sample_weight=w),
    ),
    "r2": (weighted.r2(TRUTH, GUESS), lambda w: reference.r2_score(TRUTH, GUESS, sample_weight=w)),
    "median": (
        weighted.median_of(np.abs(TRUTH - GUESS)),
        lambda w: float(np.median(np.repeat(np.abs(TRUTH - GUESS), w.astype(int)))),
    ),
    "precision": (
        weighted.per_class(LABELS, SAID, 1, "precision"),
        lambda w: reference.precision_score(LABELS, SAID, labels=[1], average="macro", sample_weight=w),
    ),
    "recall": (
        weighted.macro(LABELS, SAID, 3, "recall"),
        lambda w: reference.balanced_accuracy_score(LABELS, SAID, sample_weight=w),
    ),
    "macro_f1": (
        weighted.macro(LABELS, SAID, 3, "f1"),
        lambda w: reference.f1_score(LABELS, SAID, average="macro", sample_weight=w),
    ),
    "roc_auc": (
        weighted.one_vs_rest("roc_auc", ONE_HOT, SHARES),
        lambda w: np.mean([reference.roc_auc_score(ONE_HOT[:, k], SHARES[:, k], sample_weight=w) for k in range(3)]),
    ),
    "average_precision": (
        weighted.average_precision(ONE_HOT[:, 2], SHARES[:, 2]),
        lambda w: reference.average_precision_score(ONE_HOT[:, 2], SHARES[:, 2], sample_weight=w),
    ),
    "quadratic_kappa": (
        weighted.quadratic_kappa(LABELS.astype(float), SAID.astype(float)),
        lambda w: reference.cohen_kappa_score(LABELS, SAID, weights="quadratic", sample_weight=w),
    ),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_metrics_of_weighted_rows_are_scikit_learns(name: str) -> None:
    statistic, expected = CASES[name]
    np.testing.assert_allclose(statistic(WEIGHTS), [expected(row) for row in WEIGHTS], rtol=1e-9)


def test_with_equal_weights_the_values_are_those_of_the_evaluation(iris: World, california: World) -> None:
    for world in (iris, california):
        made = world.evaluations[world.board.winner]
        whole = {s.metric: s for s in score_intervals(world.spec, made) if not s.label}
        for name, value in made.test_metrics.items():
            if name in whole:
                assert whole[name].value == pytest.approx(value, abs=1e-9), name
        assert made.metric in whole


@pytest.mark.parametrize("name", ["rmse", "macro_f1"])
def test_intervals_are_near_those_of_scipy(name: str) -> None:
    statistic, _ = CASES[name]
    own = bca_interval(statistic, bootstrap_weights(N, seed=1, draws=4000), left_out_weights(N))

    def of_rows(at: np.ndarray, axis: int) -> np.ndarray:
        places = np.moveaxis(np.atleast_2d(at), axis, -1).reshape(-1, at.shape[axis])
        weights = np.stack([np.bincount(row, minlength=N) for row in places.astype(int)]).astype(float)
        return statistic(weights).reshape(np.delete(at.shape, axis))

    theirs = stats.bootstrap(
        (np.arange(N),), of_rows, n_resamples=4000, method="BCa", vectorized=True, random_state=np.random.default_rng(2)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert own == pytest.approx((theirs.low, theirs.high), abs=0.08 * width)


def test_intervals_hold_the_true_value_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(3)
    held = []
    for draw in range(200):
        errors = rng.normal(size=80) ** 2
        statistic = weighted.mean_of(errors, root=True)
        low, high = bca_interval(statistic, bootstrap_weights(80, seed=draw, draws=400), left_out_weights(80))
        held.append(low <= 1.0 <= high)
    assert np.mean(held) == pytest.approx(0.94, abs=0.045)


def test_rows_of_a_cluster_are_drawn_together() -> None:
    clusters = np.repeat(np.arange(10), 4)
    drawn = bootstrap_weights(40, seed=0, draws=50, clusters=clusters).reshape(50, 10, 4)
    assert (drawn == drawn[:, :, :1]).all()
    assert (drawn[:, :, 0].sum(axis=1) == 10).all()
    left = left_out_weights(40, clusters=clusters).reshape(10, 10, 4)
    assert (left[:, :, 0] == 1 - np.eye(10)).all()


def _of(scores: tuple[ScoreInterval, ...], metric: str, label: str = "") -> ScoreInterval:
    return next(s for s in scores if (s.metric, s.label) == (metric, label))


def test_what_the_rows_cannot_give_is_said_and_not_made_up(iris: World, california: World) -> None:
    made = iris.evaluations[iris.board.winner]
    absent = made.classes[2]
    scores = score_intervals(iris.spec, replace(made, test=made.test[made.test["y"] != absent]))
    missing = _of(scores, "recall", absent)
    assert np.isnan(missing.value)
    assert missing.reason == f"no test row is '{absent}'"
    number = california.evaluations[california.board.winner]
    broken = number.test.assign(prediction=np.nan)
    (only,) = score_intervals(california.spec, replace(number, test=broken))
    assert only.reason == "some predictions are no numbers"
    constant = number.test.assign(y=2.0, prediction=2.0)
    scores = score_intervals(california.spec, replace(number, test=constant))
    assert _of(scores, "rmse").value == 0
    assert np.isnan(_of(scores, "rmse").low)
    assert np.isnan(_of(scores, "r2").value)
    few = score_intervals(california.spec, replace(number, test=number.test[:3]))
    assert _of(few, "rmse").reason == "3 rows are too few for an interval"


def test_every_class_has_figures_of_its_own(iris: World) -> None:
    made: Evaluation = iris.evaluations[iris.board.winner]
    scores = score_intervals(iris.spec, made)
    positions = class_positions(labels_of(made.test), made.classes)
    for k, label in enumerate(made.classes):
        assert _of(scores, "precision", label).rows == (positions == k).sum()
        assert {s.metric for s in scores if s.label == label} == {
            "precision",
            "recall",
            "f1",
            "roc_auc",
            "average_precision",
        }
