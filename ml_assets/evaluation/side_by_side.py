"""Evaluations of several stored models at once, in processes of one thread; one of them is `evaluate`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent import futures
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ml_assets.errors import TrainingError

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.evaluation.record import Evaluation
    from ml_assets.learning.search_result import SearchResult


@dataclass(frozen=True)
class Candidate:
    """A stored model, and the search that chose its setting.

    Attributes:
        folder: where the model is stored; its bytes were verified.
        model_bytes: size of its pipeline's file.
        model_sha256: hash of that file.
    """

    found: SearchResult
    folder: Path
    model_bytes: int
    model_sha256: str


@dataclass(frozen=True)
class _Given:
    spec: DatasetSpec
    table: pd.DataFrame
    splits: pd.DataFrame


_given: _Given | None = None


def evaluate_all(
    spec: DatasetSpec,
    candidates: Sequence[Candidate],
    *,
    table: pd.DataFrame,
    splits: pd.DataFrame,
    workers: int,
) -> Iterator[tuple[Candidate, Evaluation]]:
    """For each model its record, as soon as it is there.

    Args:
        spec: the dataset's contract.
        candidates: models of different families.
        table: the clean table, indexed by row_id.
        splits: columns `part` and `fold`, indexed by row_id.
        workers: processes at once.

    Raises:
        TrainingError: a model could not be evaluated; names its family.
    """
    from ml_assets.learning.pool import process_pool

    if not candidates:
        return
    given = _Given(spec, table, splits)
    with process_pool(min(workers, len(candidates)), _start, (given,)) as pool:
        tasks = {pool.schedule(_evaluated, args=(candidate,)): candidate for candidate in candidates}
        for task in futures.as_completed(tasks):
            candidate, error = tasks[task], task.exception()
            if isinstance(error, TrainingError):
                raise error
            if error is not None:
                raise TrainingError(
                    f"{spec.name}: the {candidate.found.family} model cannot be evaluated: "
                    f"{type(error).__name__}: {error}"
                ) from error
            yield candidate, task.result()


def _start(given: _Given) -> None:
    from ml_assets.learning.worker import settle_in

    global _given  # noqa: PLW0603  a pool's initializer has no other way to hand data to its tasks
    _given = given
    settle_in()


def _evaluated(candidate: Candidate) -> Evaluation:
    from ml_assets.evaluation.evaluate import evaluate
    from ml_assets.learning.fitted_model import FittedModel

    if _given is None:
        raise RuntimeError("the worker was not started with its table")
    fitted, found = FittedModel.load(candidate.folder), candidate.found
    record = fitted.record
    return evaluate(
        _given.spec,
        family=record.family,
        params=record.params,
        pipeline=fitted.pipeline,
        table=_given.table,
        splits=_given.splits,
        oof_prediction=found.oof,
        repeated=found.repeated,
        fit_seconds=record.fit_seconds,
        search_seconds=found.seconds,
        trials=len(found.trials),
        model_bytes=candidate.model_bytes,
        model_sha256=candidate.model_sha256,
        data_hash=record.data_hash,
        splits_hash=record.splits_hash,
        calibration=record.calibration,
        class_weight=record.class_weight,
    )
