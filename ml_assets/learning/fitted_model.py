"""A fitted model as it is stored: the pipeline and what it was made from. Fitting it is `final_fit`."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ml_assets.errors import IntegrityError
from ml_assets.evaluation.temperature import Temperature

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

PIPELINE_FILE = "pipeline.joblib"
RECORD_FILE = "model.json"
ROWS_FILE = "training_rows.parquet"


@dataclass(frozen=True)
class ModelRecord:
    """What a model was made from; older records lack what has a default here.

    Attributes:
        data_hash: content hash of the clean table.
        splits_hash: content hash of the splits; equal hashes mean equal folds.
        fit_seconds: time of the final fit on all training rows.
        seed: of the splits and the fit.
        data_version: id of the raw table's version; empty where it is not known.
        contract: the contract that was in force, as JSON has it.
        libraries: versions of what computed the fit.
        calibration: temperature of a classifier's probabilities, fitted on its out-of-fold ones; None for a regression.
        class_weight: how the rows were weighed: `none`, `balanced`, `refused` by an estimator that takes
            no weights, or `partly` by members of one.
    """

    dataset: str
    family: str
    params: Mapping[str, Any]
    classes: tuple[str, ...]
    data_hash: str
    splits_hash: str
    fit_seconds: float
    seed: int | None = None
    data_version: str = ""
    contract: Mapping[str, Any] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    calibration: Temperature | None = None
    class_weight: str = "none"

    @property
    def temperature(self) -> float:
        """Temperature that the pipeline brings its probabilities to; 1 leaves them as they are."""
        return self.calibration.used if self.calibration is not None else 1.0


@dataclass(frozen=True)
class FittedModel:
    """A pipeline that takes raw rows, with its record and the ids of the rows it was trained on."""

    record: ModelRecord
    pipeline: Pipeline
    training_rows: tuple[str, ...]

    def save(self, folder: Path) -> None:
        """Writes `pipeline.joblib`, `model.json` and `training_rows.parquet`."""
        import pandas as pd

        save_pipeline(self.pipeline, folder / PIPELINE_FILE)
        (folder / RECORD_FILE).write_text(json.dumps(asdict(self.record), indent=1))
        pd.DataFrame({"row_id": list(self.training_rows)}).to_parquet(folder / ROWS_FILE)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads back what `save` wrote; only for folders whose bytes were verified."""
        import joblib

        return cls(read_record(folder), joblib.load(folder / PIPELINE_FILE), read_training_rows(folder))


def save_pipeline(pipeline: Pipeline, file: Path) -> None:
    """Writes a pipeline; the same pipeline gives the same bytes."""
    import joblib

    joblib.dump(pipeline, file, compress=("zlib", 3))


def read_record(folder: Path) -> ModelRecord:
    """What the model stored in `folder` was made from.

    Raises:
        IntegrityError: the record is missing or was damaged.
    """
    file = folder / RECORD_FILE
    try:
        record = {"calibration": None, **json.loads(file.read_text(encoding="utf-8"))}
        calibration = Temperature.of(record["calibration"])
        return ModelRecord(**{**record, "classes": tuple(record["classes"]), "calibration": calibration})
    except (FileNotFoundError, ValueError, TypeError, KeyError) as error:
        raise IntegrityError(f"{file} is missing or was damaged: put it back from a copy") from error


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
