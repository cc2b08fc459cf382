"""What the rest of the project relies on in a family, as checks that its author runs.

In a package that offers a family by entry point, one test is enough::

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_conforms(check):
        check(FAMILY)
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from sklearn.base import clone

from ml_assets.datasets.spec import Task
from ml_assets.families.base import Family, ProblemShape

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS: Final = 150
SIZES: Final = {"small": ROWS, "large": 20_000}
"""Rows that the family is told of; the tables themselves stay small."""


class ConformanceError(AssertionError):
    """A family does not keep what the project relies on."""


def settings_lie_in_the_space(family: Family) -> None:
    """The portfolio's settings, the defaults first, are points that `suggest` can draw."""
    import optuna

    for shape in _shapes():
        portfolio = family.portfolio(shape)
        _require(portfolio[0] == family.defaults(shape), "the portfolio does not begin with the defaults")
        for params in portfolio:
            study = optuna.create_study()
            study.enqueue_trial(dict(params))
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # Optuna only warns of a value outside its range
                drawn = family.suggest(study.ask(), shape)
            _require(drawn == params, f"'suggest' cannot draw {params}, and made {drawn} of it")


def any_setting_fits_gaps_and_labels(family: Family) -> None:
    """The portfolio and a setting drawn at random fit a table with gaps, and its answers are numbers that tell."""
    import optuna

    for size in SIZES:
        for task in Task:
            table, target, shape = problem(task, size=size)
            study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
            for params in (*family.portfolio(shape), family.suggest(study.ask(), shape)):
                found = _fitted(family, params, shape, table, target)
                answers = answers_of(found, table, task)
                _require(bool(np.isfinite(answers).all()), f"{params}: an answer is no finite number")
                if task is Task.CLASSIFICATION:
                    _require(list(found.classes_) == ["high", "low", "middle"], f"{params}: classes_ are not sorted")
                    _require(np.allclose(answers.sum(axis=1), 1), f"{params}: probabilities do not add up to 1")
                    _require((found.predict(table) == target).mean() > 0.5, f"{params}: it learned nothing")
                else:
                    error = float(np.sqrt(np.mean((answers - target) ** 2)))
                    _require(error < target.std(), f"{params}: it learned nothing")


def fits_are_repeatable_and_can_be_stored(family: Family) -> None:
    """The same seed gives the same answers, bit for bit; so do a clone and what was written and read back."""
    import joblib

    for task in Task:
        table, target, shape = problem(task)
        params = family.defaults(shape)
        first = _fitted(family, params, shape, table, target, seed=3)
        again = _quietly(clone(family.estimator(params, shape, seed=3)).fit, table, target)
        buffer = io.BytesIO()
        joblib.dump(first, buffer)
        stored = joblib.load(io.BytesIO(buffer.getvalue()))
        expected = answers_of(first, table, task)
        _require(np.array_equal(answers_of(again, table, task), expected), "a second fit answers otherwise")
        _require(np.array_equal(answers_of(stored, table, task), expected), "what is read back answers otherwise")


def a_row_alone_gets_the_same_answer(family: Family) -> None:
    """A row's answer does not depend on the rows beside it."""
    for task in Task:
        table, target, shape = problem(task)
        found = _fitted(family, family.defaults(shape), shape, table, target)
        alone, among = answers_of(found, table.iloc[[7]], task)[0], answers_of(found, table, task)[7]
        _require(np.allclose(alone, among, rtol=1e-6), f"alone it gets {alone}, among others {among}")


def a_gap_where_training_had_none_is_answered(family: Family) -> None:
    """A row that lacks a value in a column of which no training row did gets an answer that is a number."""
    for task in Task:
        table, target, shape = problem(task)
        whole = table[["a", "flag"]]
        found = _fitted(family, family.defaults(shape), shape, whole, target)
        asked = whole.head(4).copy()
        asked.loc[asked.index[1], "a"] = np.nan
        asked.loc[asked.index[2]] = np.nan
        _require(bool(np.isfinite(answers_of(found, asked, task)).all()), "an answer is no finite number")


def a_table_of_constants_fits(family: Family) -> None:
    """Columns that say nothing give every row the same answer."""
    table = pd.DataFrame({"a": np.ones(ROWS), "b": np.zeros(ROWS)})
    for task in Task:
        _, target, shape = problem(task)
        answers = answers_of(_fitted(family, family.defaults(shape), shape, table, target), table, task)
        _require(bool(np.isfinite(answers).all()), "an answer is no finite number")
        _require(np.allclose(np.ptp(answers, axis=0), 0), "equal rows get different answers")


def one_thread_is_asked_for(family: Family) -> None:
    """Estimators compute on one thread: the search has a process a core."""
    for task in Task:
        _, _, shape = problem(task)
        params = family.estimator(family.defaults(shape), shape, seed=0).get_params()
        flat = {**params, **(params.get("params") or {})}
        asked = {name: value for name, value in flat.items() if name.endswith(("n_jobs", "nthread", "thread_count"))}
        _require(set(asked.values()) <= {None, 1}, f"it asks for {asked}")


def it_says_who_it_is(family: Family) -> None:
    """There is a title for people, a version for Dagster, a docstring for readers."""
    _require(bool(family.title and family.version and type(family).__doc__), "title, version or docstring is missing")


CHECKS: Final[tuple[Callable[[Family], None], ...]] = (
    settings_lie_in_the_space,
    any_setting_fits_gaps_and_labels,
    fits_are_repeatable_and_can_be_stored,
    a_row_alone_gets_the_same_answer,
    a_gap_where_training_had_none_is_answered,
    a_table_of_constants_fits,
    one_thread_is_asked_for,
    it_says_who_it_is,
)


def problem(task: Task, *, size: str = "small") -> tuple[pd.DataFrame, NDArray[Any], ProblemShape]:
    """Columns with gaps, of other scales, constant, and without a single value; and a target that depends on two."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=ROWS), rng.normal(size=ROWS) * 1000
    signal = a + b / 1000 + rng.normal(scale=0.3, size=ROWS)
    table = pd.DataFrame({"a": a, "b": b, "constant": 1.0, "absent": np.nan, "flag": (a > 0).astype(float)})
    table.loc[::7, "b"] = np.nan
    labels = np.select([signal < -0.7, signal < 0.7], ["low", "middle"], "high").astype(object)
    shape = ProblemShape(task, SIZES[size], table.shape[1], 3 if task is Task.CLASSIFICATION else 0)
    return table, labels if task is Task.CLASSIFICATION else signal * 50 + 1000, shape


def answers_of(estimator: Any, table: pd.DataFrame, task: Task) -> NDArray[np.float64]:
    """Probabilities (n, k), or numbers (n,)."""
    return np.asarray(estimator.predict_proba(table) if task is Task.CLASSIFICATION else estimator.predict(table))


def _shapes() -> Iterator[ProblemShape]:
    for task in Task:
        for size in SIZES:
            yield problem(task, size=size)[2]


def _fitted(
    family: Family, params: Any, shape: ProblemShape, table: pd.DataFrame, target: NDArray[Any], *, seed: int = 0
) -> Any:
    return _quietly(family.estimator(params, shape, seed=seed).fit, table, target)


def _quietly(fit: Callable[..., Any], *rows: Any) -> Any:
    """A fit as workers do it: on one thread, silent of settings that did not converge, since their score tells."""
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "n_components > n_samples")
        return fit(*rows)


def _require(held: bool, message: str) -> None:
    if not held:
        raise ConformanceError(message)
