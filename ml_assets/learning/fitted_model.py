"""A fitted model as it is stored: the pipeline and what it was made from. Serving and scoring it belong elsewhere."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ml_assets.errors import IntegrityError, TrainingError
from ml_assets.learning.pool import worker_pool
from ml_assets.learning.search_result import SearchResult
from ml_assets.learning.worker import TrainingRows, fit_pipeline

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

PIPELINE_FILE = "pipeline.joblib"
ROWS_FILE = "training_rows.parquet"


@dataclass(frozen=True)
class ModelRecord:
    """What a model was made from.

    Attributes:
        data_hash: content hash of the clean table.
        splits_hash: content hash of the splits; equal hashes mean equal folds.
        fit_seconds: time of the final fit on all training rows.
    """

    dataset: str
    family: str
    params: Mapping[str, Any]
    classes: tuple[str, ...]
    data_hash: str
    splits_hash: str
    fit_seconds: float


@dataclass(frozen=True)
class FittedModel:
    """A pipeline that takes raw rows, with its record and the ids of the rows it was trained on."""

    record: ModelRecord
    pipeline: Pipeline
    training_rows: tuple[str, ...]

    def save(self, folder: Path) -> None:
        """Writes `pipeline.joblib`, `model.json` and `training_rows.parquet`."""
        import joblib
        import pandas as pd

        joblib.dump(self.pipeline, folder / PIPELINE_FILE, compress=("zlib", 3))
        (folder / "model.json").write_text(json.dumps(asdict(self.record), indent=1))
        pd.DataFrame({"row_id": list(self.training_rows)}).to_parquet(folder / ROWS_FILE)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads back what `save` wrote; only for folders whose bytes were verified."""
        import joblib

        record = json.loads((folder / "model.json").read_text())
        record["classes"] = tuple(record["classes"])
        return cls(ModelRecord(**record), joblib.load(folder / PIPELINE_FILE), read_training_rows(folder))


def read_training_rows(folder: Path) -> tuple[str, ...]:
    """Ids of the rows that the model stored in `folder` was trained on."""
    import pandas as pd

    return tuple(pd.read_parquet(folder / ROWS_FILE)["row_id"])


def load_verified(file: Path, sha256: str) -> Pipeline:
    """The pipeline in `file`, unpickled only if its bytes hash to `sha256`.

    Raises:
        IntegrityError: the file is missing or its bytes are others.
    """
    import joblib

    try:
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise IntegrityError(f"model file {file} is missing: run `ml-assets run` to make it again") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise IntegrityError(
            f"model file {file} is not the registered one (expected SHA-256 {sha256}, found {found}) and is not "
            "loaded: run `ml-assets run --fresh` to make and register a new one"
        )
    return joblib.load(io.BytesIO(content))


def fit_models(
    rows: TrainingRows,
    searches: Mapping[str, SearchResult],
    *,
    data_hash: str,
    splits_hash: str,
    workers: int,
) -> dict[str, FittedModel]:
    """Final model of each family, fitted on all training rows with the setting its search chose.

    Raises:
        TrainingError: a fit failed.
    """
    with worker_pool(rows, workers=workers) as pool:
        slowest_first = sorted(searches, key=lambda family: _seconds_a_trial(searches[family]), reverse=True)
        tasks = {f: pool.schedule(fit_pipeline, args=(f, searches[f].params)) for f in slowest_first}
        for family, task in tasks.items():
            if error := task.exception():
                raise TrainingError(
                    f"{rows.spec.name}: the final fit of family '{family}' failed: {type(error).__name__}: {error}; "
                    "leave it out with --families, or mend it"
                ) from error
        fitted = {f: tasks[f].result() for f in searches}
    return {
        family: FittedModel(
            ModelRecord(
                dataset=rows.spec.name,
                family=family,
                params=searches[family].params,
                classes=searches[family].classes,
                data_hash=data_hash,
                splits_hash=splits_hash,
                fit_seconds=seconds,
            ),
            pipeline,
            tuple(rows.table.index),
        )
        for family, (pipeline, seconds) in fitted.items()
    }


def _seconds_a_trial(found: SearchResult) -> float:
    """How long the chosen setting took on the folds."""
    return max((trial.fit_seconds for trial in found.trials if trial.params == found.params), default=0.0)
