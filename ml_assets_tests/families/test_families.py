"""One conformance test over every family there is: what the rest of the project relies on."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import optuna
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from ml_assets import families
from ml_assets.datasets.spec import Task
from ml_assets.errors import UnknownNameError
from ml_assets.families import choose_families, family_names, load_family
from ml_assets.families.base import ProblemShape

ROWS = 150
SIZES = {"small": ROWS, "large": 20_000}
"""Rows the family is told of; the tables themselves stay small."""

optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As in a worker: threads that spin on a busy machine make a small fit take seconds."""
    with threadpool_limits(1):
        yield


def _problem(task: Task, *, size: str = "small") -> tuple[pd.DataFrame, Any, ProblemShape]:
    """Columns with gaps, of other scales, constant, and without a single value; and a target that depends on two."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=ROWS), rng.normal(size=ROWS) * 1000
    signal = a + b / 1000 + rng.normal(scale=0.3, size=ROWS)
    table = pd.DataFrame({"a": a, "b": b, "constant": 1.0, "absent": np.nan, "flag": (a > 0).astype(float)})
    table.loc[::7, "b"] = np.nan
    labels = np.select([signal < -0.7, signal < 0.7], ["low", "middle"], "high").astype(object)
    shape = ProblemShape(task, SIZES[size], table.shape[1], 3 if task is Task.CLASSIFICATION else 0)
    return table, labels if task is Task.CLASSIFICATION else signal * 50 + 1000, shape


def _answers(estimator: Any, table: pd.DataFrame, task: Task) -> Any:
    return estimator.predict_proba(table) if task is Task.CLASSIFICATION else estimator.predict(table)


@pytest.fixture(params=family_names())
def family(request: pytest.FixtureRequest) -> families.Family:
    return load_family(request.param)


@pytest.fixture(params=list(Task), ids=lambda task: task.value)
def task(request: pytest.FixtureRequest) -> Task:
    return request.param


@pytest.mark.parametrize("size", list(SIZES))
def test_defaults_lie_in_the_space_that_is_searched(family: families.Family, task: Task, size: str) -> None:
    shape = _problem(task, size=size)[2]
    study = optuna.create_study()
    study.enqueue_trial(family.defaults(shape))
    trial = study.ask()
    assert family.suggest(trial, shape) == family.defaults(shape)
    for name, distribution in trial.distributions.items():
        assert distribution._contains(distribution.to_internal_repr(family.defaults(shape)[name]))


@pytest.mark.filterwarnings("ignore:n_components > n_samples")
@pytest.mark.parametrize("size", list(SIZES))
def test_any_setting_fits_tables_with_gaps_and_labels_as_they_are(
    family: families.Family, task: Task, size: str
) -> None:
    table, target, shape = _problem(task, size=size)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for params in (family.defaults(shape), family.suggest(study.ask(), shape)):
        estimator = family.estimator(params, shape, seed=0).fit(table, target)
        answers = _answers(estimator, table, task)
        assert np.isfinite(answers).all()
        if task is Task.CLASSIFICATION:
            assert list(estimator.classes_) == ["high", "low", "middle"]
            np.testing.assert_allclose(answers.sum(axis=1), 1)
            assert (estimator.predict(table) == target).mean() > 0.5
        else:
            assert np.sqrt(np.mean((answers - target) ** 2)) < target.std()


def test_a_fit_is_repeatable_and_survives_cloning_and_storing(family: families.Family, task: Task) -> None:
    table, target, shape = _problem(task)
    unfitted = family.estimator(family.defaults(shape), shape, seed=3)
    first = clone(unfitted).fit(table, target)
    again = family.estimator(family.defaults(shape), shape, seed=3).fit(table, target)
    buffer = io.BytesIO()
    joblib.dump(first, buffer)
    stored = joblib.load(io.BytesIO(buffer.getvalue()))
    expected = _answers(first, table, task)
    np.testing.assert_array_equal(_answers(again, table, task), expected)
    np.testing.assert_array_equal(_answers(stored, table, task), expected)


def test_one_row_alone_gets_the_answer_it_gets_among_others(family: families.Family, task: Task) -> None:
    table, target, shape = _problem(task)
    estimator = family.estimator(family.defaults(shape), shape, seed=0).fit(table, target)
    alone = _answers(estimator, table.iloc[[7]], task)
    np.testing.assert_allclose(alone[0], _answers(estimator, table, task)[7], rtol=1e-6)


def test_it_fits_a_table_of_constants(family: families.Family, task: Task) -> None:
    _, target, shape = _problem(task)
    table = pd.DataFrame({"a": np.ones(ROWS), "b": np.zeros(ROWS)})
    estimator = family.estimator(family.defaults(shape), shape, seed=0).fit(table, target)
    answers = _answers(estimator, table, task)
    assert np.isfinite(answers).all()
    assert np.ptp(answers, axis=0).max() == pytest.approx(0)


def test_it_asks_for_one_thread(family: families.Family, task: Task) -> None:
    shape = _problem(task)[2]
    params = family.estimator(family.defaults(shape), shape, seed=0).get_params()
    flat = {**params, **(params.get("params") or {})}
    asked = {name: value for name, value in flat.items() if name.endswith(("n_jobs", "nthread"))}
    assert set(asked.values()) <= {None, 1}


def test_no_family_is_silent_about_who_it_is(family: families.Family) -> None:
    assert family.title
    assert family.version
    assert type(family).__doc__


def test_an_unknown_family_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="unknown family 'xgbost': did you mean 'xgboost'"):
        load_family("xgbost")
    with pytest.raises(UnknownNameError):
        choose_families(["svm", "base"])


def test_chosen_families_come_in_the_registrys_order() -> None:
    assert choose_families(["xgboost", "linear", "xgboost"]) == ("linear", "xgboost")
    assert choose_families(None) == family_names()


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
    assert choose_families(None)[0] == "constant"


def test_a_setting_that_does_not_converge_only_warns() -> None:
    table, target, shape = _problem(Task.CLASSIFICATION)
    estimator = load_family("linear").estimator({"shrinkage": 1e-4, "knots": 8}, shape, seed=0)
    estimator.set_params(logisticregression__max_iter=1)
    with pytest.warns(ConvergenceWarning):
        estimator.fit(table, target)


@pytest.mark.parametrize("name", ["linear", "svm"])
def test_a_stray_value_does_not_lead_a_model_with_weights_astray(name: str) -> None:
    table, target, shape = _problem(Task.REGRESSION)
    estimator = load_family(name).estimator(load_family(name).defaults(shape), shape, seed=0).fit(table, target)
    stray = table.iloc[[0]].assign(a=1e9)
    assert target.min() - target.std() < estimator.predict(stray)[0] < target.max() + target.std()
