"""A model made again from what its record names, and whether it is the same. Finding the record is the shell's."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from ml_assets.datasets.cleaning import clean
from ml_assets.datasets.identity import table_hash
from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.errors import ContractError, TrainingError
from ml_assets.evaluation.evaluate import predict, true_values
from ml_assets.evaluation.metrics import primary_metric, score
from ml_assets.features.plan import plan_for
from ml_assets.learning.environment import differences, library_versions
from ml_assets.learning.final_fit import fit_pipelines
from ml_assets.learning.fitted_model import PIPELINE_FILE, ModelRecord, save_pipeline
from ml_assets.learning.intervals import intervals_of, with_intervals
from ml_assets.learning.splitting import split
from ml_assets.learning.worker import TrainingRows

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    from sklearn.pipeline import Pipeline


@dataclass(frozen=True)
class Rebuild:
    """How a model that was made again compares with the one that is stored.

    Attributes:
        metric: the task's primary metric.
        recorded: its value on the test rows when the model was evaluated.
        stored: its value on the test rows now, by the stored pipeline.
        rebuilt: its value on the test rows by the pipeline made again.
        test_rows: how many rows that is.
        same_data: whether the clean table is the one of then.
        same_splits: whether every row is on the side and in the fold of then.
        same_predictions: whether both pipelines predict the test rows bit for bit alike.
        largest_difference: of two predictions of a row; 0 where they are the same.
        same_bytes: whether the pipeline's file would be the same. It need not be for the same model: scikit-learn's
            trees have gaps between their numbers that hold whatever the memory held, and they are stored too.
        libraries: what differs from then, as (then, now) by name.
    """

    metric: str
    recorded: float
    stored: float
    rebuilt: float
    test_rows: int
    same_data: bool
    same_splits: bool
    same_predictions: bool
    largest_difference: float
    same_bytes: bool
    libraries: Mapping[str, tuple[str, str]]

    @property
    def is_same(self) -> bool:
        """Whether the metric came out as recorded, to the last bit, and so did every prediction."""
        return self.recorded == self.stored == self.rebuilt and self.same_predictions


def rebuild(
    record: ModelRecord, raw: pl.DataFrame, *, stored: Pipeline, stored_sha256: str, recorded: float, spec: DatasetSpec
) -> Rebuild:
    """Makes a model again, from the raw table on, and compares it with the stored one.

    Args:
        record: what the model was made from.
        raw: the raw table's version that it was made from.
        stored: the pipeline that is stored.
        stored_sha256: of the stored pipeline's file.
        recorded: primary metric on the test rows when the model was evaluated.
        spec: the contract that was in force.

    Raises:
        ContractViolation: the table does not suit the contract.
        TrainingError: the fit failed.
    """
    seed = record.seed if record.seed is not None else 0
    table = clean(spec, raw).table
    splits = split(spec, table, seed=seed)
    steps = stored["features"].steps  # found under a time budget, so they are taken over, unfitted
    rows = TrainingRows.of(spec, table, splits, plan_for(spec, steps=steps), seed=seed)
    family, temperatures = record.family, {record.family: record.temperature}
    fitted = fit_pipelines(rows, {family: record.params}, temperatures=temperatures, workers=1)[family]
    if isinstance(fitted, str):
        raise TrainingError(f"{spec.name}: {fitted}")
    made = with_intervals(fitted[0], intervals_of(stored))  # from out-of-fold predictions, taken over like the steps
    test = table.loc[splits.index[splits["part"] == "test"]]
    before, after = _predict(spec, stored, test), _predict(spec, made, test)
    same = before.shape == after.shape and before.tobytes() == after.tobytes()
    return Rebuild(
        metric=primary_metric(spec.task),
        recorded=recorded,
        stored=_score(spec, stored, test, before),
        rebuilt=_score(spec, made, test, after),
        test_rows=len(test),
        same_data=table_hash(table) == record.data_hash,
        same_splits=table_hash(splits) == record.splits_hash,
        same_predictions=same,
        largest_difference=_distance(before, after),
        same_bytes=_file_sha256(made) == stored_sha256,
        libraries=differences(dict(record.libraries), library_versions()) if record.libraries else {},
    )


def contract_of(document: Mapping[str, Any], *, origin: str) -> DatasetSpec:
    """The contract that a record or version keeps.

    Raises:
        ContractError: this version of ml_assets does not know it.
    """
    try:
        return DatasetSpec.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        raise ContractError(
            f"the contract kept with {origin} is not one that this version of ml_assets knows "
            f"({'.'.join(map(str, first['loc']))}: {first['msg']}): rebuild with the version that made it"
        ) from error


def _predict(spec: DatasetSpec, pipeline: Pipeline, rows: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.ascontiguousarray(predict(spec.task, pipeline, rows[list(spec.feature_columns)]))


def _score(
    spec: DatasetSpec, pipeline: Pipeline, rows: pd.DataFrame, prediction: np.ndarray[Any, np.dtype[np.float64]]
) -> float:
    classes = tuple(map(str, pipeline.classes_)) if spec.task is Task.CLASSIFICATION else ()
    return score(spec.task, true_values(spec, rows), prediction, classes)[primary_metric(spec.task)]


def _distance(before: np.ndarray[Any, Any], after: np.ndarray[Any, Any]) -> float:
    if before.shape != after.shape:
        return float("inf")
    return float(np.abs(before - after).max(initial=0.0))


def _file_sha256(pipeline: Pipeline) -> str:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / PIPELINE_FILE
        save_pipeline(pipeline, file)
        return hashlib.sha256(file.read_bytes()).hexdigest()
