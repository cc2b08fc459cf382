"""What runs inside a pool worker: a probe, a fit on one fold, or a final fit. Who runs next is decided in `race`."""

from __future__ import annotations

import multiprocessing
import os
import pickle
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
from ml_assets.evaluation.metrics import fold_scores
from ml_assets.families import load_family
from ml_assets.families.base import Params, ProblemShape
from ml_assets.features.plan import FeaturePlan
from ml_assets.learning.decision import check_labels, weighed
from ml_assets.learning.fold_features import FoldFeatures, fold_features
from ml_assets.learning.memory import limit_memory
from ml_assets.learning.splitting import repeated_folds

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline


@dataclass(frozen=True)
class TrainingRows:
    """Everything a fit may see: the training rows with their folds, and nothing of the test rows.

    Attributes:
        table: clean rows, indexed by row_id.
        fold: number of the fold each row is held out in, (n,); what the plan learns of the target is cross-fitted on
            the same folds.
        more_folds: the same for each further repeat of the cross-validation; numbers go on where the last ones end.
        plan: unfitted feature plan; every fit fits a copy of its own.
    """

    spec: DatasetSpec
    table: pd.DataFrame
    fold: NDArray[np.int64]
    plan: FeaturePlan
    seed: int
    more_folds: tuple[NDArray[np.int64], ...] = ()

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
        fold, *more = repeated_folds(training)
        numbered = tuple(again + at * spec.folds for at, again in enumerate(more, start=1))
        return cls(spec, table.loc[training.index], fold, unfitted, seed, numbered)

    @property
    def target(self) -> NDArray[Any]:
        """Target values (n,): float64, or labels as objects."""
        return self.table[self.spec.target].to_numpy()

    @property
    def classes(self) -> tuple[str, ...]:
        """Labels in sorted order, as scikit-learn orders them; empty for a regression."""
        return tuple(sorted(set(self.target))) if self.spec.task is Task.CLASSIFICATION else ()

    @property
    def repeats(self) -> tuple[NDArray[np.int64], ...]:
        """Fold of each row (n,) in each repeat of the cross-validation."""
        return (self.fold, *self.more_folds)

    @cached_property
    def folds_each(self) -> int:
        """Folds of one repeat."""
        return len(np.unique(self.fold))

    @cached_property
    def fold_numbers(self) -> list[int]:
        """Numbers of all folds, repeat after repeat."""
        return [int(number) for folds in self.repeats for number in np.unique(folds)]

    def folds_with(self, number: int) -> NDArray[np.int64]:
        """Fold of each row (n,) in the repeat that the fold `number` is of."""
        return next(folds for folds in self.repeats if (folds == number).any())

    @cached_property
    def shape(self) -> ProblemShape:
        """What families may know about the problem."""
        columns = self.plan.width(self.table, self.target)
        return ProblemShape(self.spec.task, len(self.table), columns, len(self.classes))


@dataclass(frozen=True)
class FoldFit:
    """Predictions for the rows of one fold by a model that saw the other folds, the seconds it took, and its size."""

    prediction: NDArray[np.float64]
    seconds: float
    megabytes: float = 0.0


@dataclass(frozen=True)
class Probe:
    """Primary metric after a fit on few rows, lower is better, the seconds it took, and the model's size."""

    score: float
    seconds: float
    megabytes: float = 0.0


_rows: TrainingRows | None = None
_folder: Path | None = None


def start(rows: TrainingRows, folder: Path | None, memory: int | None) -> None:
    """Gives this worker its rows; runs once when the worker starts.

    A fit that asks for more than `memory` bytes beyond what the worker has raises MemoryError. Features of folds are
    shared through `folder`.
    """
    global _rows, _folder
    _rows, _folder = rows, folder
    _fold_features.cache_clear()
    _all_features.cache_clear()
    limit_memory(memory)
    settle_in()


def settle_in() -> None:
    """Makes this process a worker: from now on it computes on one thread and dies at once when told to.

    A handler would wait for the end of the fit. It also dies with the process that started it, and says nothing of
    settings that did not converge: their score tells.
    """
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


@lru_cache(maxsize=64)
def _fold_features(fold: int) -> FoldFeatures:
    return fold_features(_training_rows(), fold, _folder)


def _estimator(family: str, params: Params) -> BaseEstimator:
    """A family's unfitted estimator, its rows weighted by class as the contract asks."""
    rows = _training_rows()
    return weighed(load_family(family).estimator(params, rows.shape, seed=rows.seed), rows.spec.decision)


def prepare_fold(fold: int) -> None:
    """Makes the features of one fold, for all workers to read."""
    _fold_features(fold)


def probe(family: str, params: Params, fold: int, size: int, held_out: int) -> Probe:
    """How well and how fast one setting is, fitted on and judged by some rows of a fold, drawn at random."""
    rows, features = _training_rows(), _fold_features(fold)
    rng = np.random.default_rng(rows.seed)
    drawn = np.sort(rng.permutation(len(features.target))[:size])
    judged = np.sort(rng.permutation(len(features.held_out))[:held_out])
    estimator = _estimator(family, params)  # before the clock starts: the first of a worker loads its library
    started = time.perf_counter()
    estimator.fit(features.training.iloc[drawn], features.target[drawn])
    prediction = predict(estimator, features.held_out.iloc[judged], rows.classes)
    seconds = time.perf_counter() - started
    truth = rows.target[rows.folds_with(fold) == fold][judged]
    score = fold_scores(rows.spec.task, truth, prediction, np.zeros(len(judged), dtype=np.int64), rows.classes)[0]
    return Probe(float(score), seconds, megabytes(estimator))


def fit_fold(family: str, params: Params, fold: int) -> FoldFit:
    """Out-of-fold predictions of one setting on one fold; the feature plan is fitted outside the fold too."""
    rows = _training_rows()
    started = time.perf_counter()
    features = _fold_features(fold)
    estimator = _estimator(family, params)
    estimator.fit(features.training, features.target)
    prediction = predict(estimator, features.held_out, rows.classes)
    return FoldFit(prediction, time.perf_counter() - started, megabytes(estimator))


class _Counted:
    """A file that keeps nothing but how many bytes were written."""

    def __init__(self) -> None:
        self.bytes = 0

    def write(self, some: bytes | memoryview) -> int:
        size = memoryview(some).nbytes
        self.bytes += size
        return size


def megabytes(estimator: BaseEstimator) -> float:
    """Size of a fitted estimator as it is stored, before compression; nothing is held in memory for it."""
    counted = _Counted()
    pickle.dump(estimator, counted, protocol=pickle.HIGHEST_PROTOCOL)
    return counted.bytes / 1e6


def predict(estimator: Any, X: pd.DataFrame, classes: tuple[str, ...]) -> NDArray[np.float64]:
    """Numbers (n,), or probabilities (n, k) in the order of `classes`; a class it never saw gets zero."""
    if not classes:
        return np.asarray(estimator.predict(X), dtype=np.float64)
    probabilities = np.zeros((len(X), len(classes)))
    seen = [classes.index(label) for label in estimator.classes_]
    probabilities[:, seen] = estimator.predict_proba(X)
    return probabilities


@lru_cache(maxsize=1)
def _all_features() -> tuple[FeaturePlan, pd.DataFrame]:
    """The plan, fitted on all training rows, and their features."""
    rows = _training_rows()
    plan = clone(rows.plan)
    return plan, plan.fit_transform(rows.table[list(rows.spec.feature_columns)], rows.target, folds=rows.fold)


def fit_pipeline(family: str, params: Params) -> tuple[Pipeline, float]:
    """Pipeline from raw rows to predictions, fitted on all training rows, and the seconds it took."""
    from sklearn.pipeline import Pipeline

    rows = _training_rows()
    started = time.perf_counter()
    plan, features = _all_features()
    estimator = _estimator(family, params)
    estimator.fit(features, rows.target)
    return Pipeline([("features", plan), ("estimator", estimator)]), time.perf_counter() - started
