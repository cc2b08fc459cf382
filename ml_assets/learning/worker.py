"""What runs inside a pool worker: one fit on one fold, or one final fit. Who runs next is decided in `search`."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import warnings
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.families import load_family
from ml_assets.families.base import Params, ProblemShape
from ml_assets.features.plan import FeaturePlan
from ml_assets.learning.decision import check_labels, weighed

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sklearn.pipeline import Pipeline


@dataclass(frozen=True)
class TrainingRows:
    """Everything a fit may see: the training rows with their folds, and nothing of the test rows.

    Attributes:
        table: clean rows, indexed by row_id.
        fold: number of the fold each row is held out in, (n,); what the plan learns of the target is cross-fitted on
            the same folds.
        plan: unfitted feature plan; every fit fits a copy of its own.
    """

    spec: DatasetSpec
    table: pd.DataFrame
    fold: NDArray[np.int64]
    plan: FeaturePlan
    seed: int

    @classmethod
    def of(
        cls, spec: DatasetSpec, table: pd.DataFrame, splits: pd.DataFrame, plan: FeaturePlan, *, seed: int
    ) -> TrainingRows:
        """The training part of a clean `table`, in the order of `splits`; the plan draws by the same `seed`.

        Raises:
            ContractError: the contract's decision names a label that the table does not have.
        """
        if spec.task is Task.CLASSIFICATION:
            check_labels(spec, table[spec.target].unique())
        training = splits[splits["part"] == "train"]
        unfitted = clone(plan).set_params(seed=seed)
        return cls(spec, table.loc[training.index], training["fold"].to_numpy(), unfitted, seed)

    @property
    def target(self) -> NDArray[Any]:
        """Target values (n,): float64, or labels as objects."""
        return self.table[self.spec.target].to_numpy()

    @property
    def classes(self) -> tuple[str, ...]:
        """Labels in sorted order, as scikit-learn orders them; empty for a regression."""
        return tuple(sorted(set(self.target))) if self.spec.task is Task.CLASSIFICATION else ()

    @cached_property
    def shape(self) -> ProblemShape:
        """What families may know about the problem."""
        columns = self.plan.width(self.table, self.target)
        return ProblemShape(self.spec.task, len(self.table), columns, len(self.classes))


@dataclass(frozen=True)
class FoldFit:
    """Predictions for the rows of one fold by a model that saw the other folds, and the seconds it took."""

    prediction: NDArray[np.float64]
    seconds: float


_rows: TrainingRows | None = None


def start(rows: TrainingRows) -> None:
    """Gives this worker its rows; runs once when the worker starts.

    From then on the worker computes on one thread, dies at once when told to (a handler would wait for the end of
    the fit), dies with the process that searches, and says nothing of settings that did not converge: their score
    tells.
    """
    global _rows  # noqa: PLW0603  a pool's initializer has no other way to hand data to its tasks
    _rows = rows
    _fold_features.cache_clear()
    threadpool_limits(1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_die_with_parent, name="parent watch", daemon=True).start()
    warnings.filterwarnings("ignore", category=ConvergenceWarning)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _training_rows() -> TrainingRows:
    if _rows is None:
        raise RuntimeError("the worker was not started with its rows")
    return _rows


@lru_cache(maxsize=32)
def _fold_features(fold: int) -> tuple[pd.DataFrame, NDArray[Any], pd.DataFrame]:
    rows = _training_rows()
    inside, outside = rows.fold != fold, rows.fold == fold
    plan, target = clone(rows.plan), rows.target[inside]
    features = plan.fit_transform(rows.table[inside], target, folds=rows.fold[inside])
    return features, target, plan.transform(rows.table[outside])


def fit_fold(family: str, params: Params, fold: int) -> FoldFit:
    """Out-of-fold predictions of one setting on one fold; the feature plan is fitted outside the fold too."""
    rows = _training_rows()
    started = time.perf_counter()
    features, target, held_out = _fold_features(fold)
    estimator = weighed(load_family(family).estimator(params, rows.shape, seed=rows.seed), rows.spec.decision)
    estimator.fit(features, target)
    prediction = predict(estimator, held_out, rows.classes)
    return FoldFit(prediction, time.perf_counter() - started)


def predict(estimator: Any, X: pd.DataFrame, classes: tuple[str, ...]) -> NDArray[np.float64]:
    """Numbers (n,), or probabilities (n, k) in the order of `classes`; a class it never saw gets zero."""
    if not classes:
        return np.asarray(estimator.predict(X), dtype=np.float64)
    probabilities = np.zeros((len(X), len(classes)))
    seen = [classes.index(label) for label in estimator.classes_]
    probabilities[:, seen] = estimator.predict_proba(X)
    return probabilities


def fit_pipeline(family: str, params: Params) -> tuple[Pipeline, float]:
    """Pipeline from raw rows to predictions, fitted on all training rows, and the seconds it took."""
    from sklearn.pipeline import Pipeline

    rows = _training_rows()
    started = time.perf_counter()
    estimator = weighed(load_family(family).estimator(params, rows.shape, seed=rows.seed), rows.spec.decision)
    pipeline = Pipeline([("features", clone(rows.plan)), ("estimator", estimator)])
    raw = rows.table[list(rows.spec.feature_columns)]
    pipeline.fit(raw, rows.target, features__folds=rows.fold)
    return pipeline, time.perf_counter() - started
