"""Every family there is keeps what the rest of the project relies on; and families that other packages bring."""

import importlib.metadata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from threadpoolctl import threadpool_limits

from ml_assets import families
from ml_assets.datasets.spec import Task
from ml_assets.errors import SettingError, UnknownNameError
from ml_assets.families import ENSEMBLE, choose_models, family_names, load_family, model_names
from ml_assets.families.base import Family, ProblemShape
from ml_assets.families.conformance import CHECKS, ConformanceError, problem
from ml_assets.families.targets import scaled_target

optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As in a worker: threads that spin on a busy machine make a small fit take seconds."""
    with threadpool_limits(1):
        yield


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", family_names())
def test_every_family_conforms(name: str, check: Callable[[Family], None]) -> None:
    check(load_family(name))


class Sloppy(Family):
    """A family that each test spoils in another way."""

    title = "Sloppy"
    version = "1"

    def defaults(self, shape: ProblemShape) -> dict[str, Any]:
        return {"a": 1.0}

    def suggest(self, trial: optuna.trial.Trial, shape: ProblemShape) -> dict[str, Any]:
        return {"a": trial.suggest_float("a", 0.5, 2.0)}

    def estimator(self, params: Any, shape: ProblemShape, *, seed: int) -> Any:
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        last = LogisticRegression() if shape.is_classification else LinearRegression()
        return make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), last)


def test_a_plain_family_of_a_few_lines_conforms() -> None:
    for check in CHECKS:
        check(Sloppy())


class OutOfItsSpace(Sloppy):
    """Defaults outside the space."""

    def defaults(self, shape: ProblemShape) -> dict[str, Any]:
        return {"a": 9.0}


class Gapless(Sloppy):
    """No gaps, please."""

    def estimator(self, params: Any, shape: ProblemShape, *, seed: int) -> Any:
        return LogisticRegression() if shape.is_classification else LinearRegression()


class Forgetful(Sloppy):
    """Another answer each time."""

    def estimator(self, params: Any, shape: ProblemShape, *, seed: int) -> Any:
        from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

        return (ExtraTreesClassifier if shape.is_classification else ExtraTreesRegressor)(5, max_depth=2)


class Greedy(Sloppy):
    """All cores for itself."""

    def estimator(self, params: Any, shape: ProblemShape, *, seed: int) -> Any:
        return LogisticRegression() if shape.is_classification else LinearRegression(n_jobs=-1)


@pytest.mark.parametrize(
    ("spoilt", "check"),
    [
        (OutOfItsSpace, "settings_lie_in_the_space"),
        (Gapless, "any_setting_fits_gaps_and_labels"),
        (Forgetful, "fits_are_repeatable_and_can_be_stored"),
        (Greedy, "one_thread_is_asked_for"),
    ],
)
def test_the_checks_find_what_is_wrong(spoilt: type[Family], check: str) -> None:
    found = next(c for c in CHECKS if c.__name__ == check)
    with pytest.raises((ConformanceError, ValueError, UserWarning)):
        found(spoilt())


def test_an_unknown_family_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="unknown family 'xgbost': did you mean 'xgboost'"):
        load_family("xgbost")
    with pytest.raises(UnknownNameError):
        choose_models(["svm", "base"])


def test_chosen_families_come_in_the_registrys_order_and_the_ensemble_last() -> None:
    assert choose_models(["xgboost", "ensemble", "linear", "xgboost"]) == ("linear", "xgboost", ENSEMBLE)
    assert choose_models(None) == model_names() == (*family_names(), ENSEMBLE)


NEW_FAMILY = '''
from sklearn.dummy import DummyClassifier, DummyRegressor

from ml_assets.families.base import Family


class Constant(Family):
    """The same answer for every row."""

    title = "Constant"

    def defaults(self, shape):
        return {}

    def suggest(self, trial, shape):
        return {}

    def estimator(self, params, shape, *, seed):
        return DummyClassifier() if shape.is_classification else DummyRegressor()


FAMILY = Constant()
'''


@pytest.fixture
def added_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "constant.py").write_text(NEW_FAMILY)
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    family_names.cache_clear()
    yield
    family_names.cache_clear()


@pytest.mark.usefixtures("added_file")
def test_adding_a_family_is_adding_a_file() -> None:
    assert "constant" in family_names()
    assert load_family("constant").title == "Constant"
    assert choose_models(None)[0] == "constant"


@pytest.fixture
def brought(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Offers families by entry point, as an installed package would."""

    def offer(**places: str) -> None:
        points = [importlib.metadata.EntryPoint(n, place, families.ENTRY_POINTS) for n, place in places.items()]
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points if "families" in group else [])
        families._brought.cache_clear()
        family_names.cache_clear()

    yield offer
    families._brought.cache_clear()
    family_names.cache_clear()


def test_another_package_brings_a_family_but_replaces_none(brought: Callable[..., None]) -> None:
    here = f"{__name__}:SLOPPY"
    brought(sloppy=here, linear=here)
    assert "sloppy" in family_names()
    assert load_family("sloppy") is SLOPPY
    assert load_family("linear").title == "Linear model"


def test_a_family_that_cannot_be_loaded_is_named_with_its_package(brought: Callable[..., None]) -> None:
    brought(broken="no_such_package:FAMILY", odd=f"{__name__}:Sloppy")
    with pytest.raises(SettingError, match="family 'broken' of no_such_package:FAMILY cannot be loaded"):
        load_family("broken")
    with pytest.raises(SettingError, match="not an object of a Family"):
        load_family("odd")


SLOPPY = Sloppy()


def test_a_setting_that_does_not_converge_only_warns() -> None:
    table, target, shape = problem(Task.CLASSIFICATION)
    estimator = load_family("linear").estimator({"shrinkage": 1e-4, "knots": 8}, shape, seed=0)
    estimator.set_params(logisticregression__max_iter=1)
    with pytest.warns(ConvergenceWarning):
        estimator.fit(table, target)


@pytest.mark.parametrize("name", ["linear", "svm"])
def test_a_stray_value_does_not_lead_a_model_with_weights_astray(name: str) -> None:
    table, target, shape = problem(Task.REGRESSION)
    estimator = load_family(name).estimator(load_family(name).defaults(shape), shape, seed=0).fit(table, target)
    stray = table.iloc[[0]].assign(a=1e9)
    assert target.min() - target.std() < estimator.predict(stray)[0] < target.max() + target.std()


def test_a_target_made_normal_is_answered_in_its_own_unit_and_on_average_right() -> None:
    """A log-normal target: the mean of its logarithm, turned back, would be the median and a third too low."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 2))
    y = np.exp(X[:, 0] + rng.normal(size=4000))
    plain, normal = (
        scaled_target(LinearRegression(), target).fit(X[:3000], y[:3000]) for target in ("plain", "normal")
    )
    new, truth = X[3000:], y[3000:]
    expected = np.exp(new[:, 0] + 0.5)
    errors = {
        name: np.sqrt(np.mean((model.predict(new) - expected) ** 2))
        for name, model in (("plain", plain), ("normal", normal))
    }
    assert errors["normal"] < 0.5 * errors["plain"]
    assert normal.predict(new).mean() == pytest.approx(truth.mean(), rel=0.1)
    far = normal.predict(np.array([[1e6, 0.0], [-1e6, 0.0]]))
    assert np.isfinite(far).all()
    assert y[:3000].min() * 0.999 <= far.min() <= far.max() <= y[:3000].max() * 1.001, "no further than it has seen"


@pytest.mark.parametrize("y", [np.full(20, 3.0), np.r_[np.zeros(19), 1e12], -np.arange(20.0) * 1e9])
def test_odd_targets_made_normal_give_numbers(y: np.ndarray) -> None:
    X = np.arange(20.0)[:, None]
    assert np.isfinite(scaled_target(LinearRegression(), "normal").fit(X, y).predict(X)).all()
