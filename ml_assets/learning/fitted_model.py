"""A fitted model as it is stored: the pipeline and what it was made from. Serving and scoring it belong elsewhere."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ml_assets.datasets.spec import Task
from ml_assets.errors import IntegrityError, TrainingError
from ml_assets.evaluation.temperature import Temperature, fit_temperature
from ml_assets.learning.decision import class_weight_of, decided
from ml_assets.learning.environment import library_versions
from ml_assets.learning.pool import worker_pool
from ml_assets.learning.search_result import SearchResult
from ml_assets.learning.worker import TrainingRows, fit_pipeline

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from ml_assets.families.base import Params

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


def fit_models(
    rows: TrainingRows,
    searches: Mapping[str, SearchResult],
    *,
    data_hash: str,
    splits_hash: str,
    workers: int,
    data_version: str = "",
) -> dict[str, FittedModel]:
    """Final model of each family, fitted on all training rows with the setting its search chose.

    A classifier's probabilities are calibrated by a temperature where the search's out-of-fold ones show that it helps.

    Args:
        rows: training rows.
        searches: what each family's search found.
        data_hash: of the clean table.
        splits_hash: of the splits.
        workers: processes at once.
        data_version: id of the raw table's version, where it is known.

    Raises:
        TrainingError: a fit failed.
    """
    slowest_first = sorted(searches, key=lambda family: _seconds_a_trial(searches[family]), reverse=True)
    calibrations = {family: _calibration(rows, found) for family, found in searches.items()}
    fitted = fit_pipelines(
        rows,
        {family: searches[family].params for family in slowest_first},
        temperatures={family: found.used for family, found in calibrations.items() if found is not None},
        workers=workers,
    )
    contract, libraries = rows.spec.model_dump(mode="json"), library_versions()
    return {
        family: FittedModel(
            ModelRecord(
                dataset=rows.spec.name,
                family=family,
                params=searches[family].params,
                classes=searches[family].classes,
                data_hash=data_hash,
                splits_hash=splits_hash,
                fit_seconds=fitted[family][1],
                seed=rows.seed,
                data_version=data_version,
                contract=contract,
                libraries=libraries,
                calibration=calibrations[family],
                class_weight=class_weight_of(fitted[family][0]),
            ),
            fitted[family][0],
            tuple(rows.table.index),
        )
        for family in searches
    }


def fit_pipelines(
    rows: TrainingRows,
    params: Mapping[str, Params],
    *,
    workers: int,
    temperatures: Mapping[str, float] | None = None,
) -> dict[str, tuple[Pipeline, float]]:
    """Pipeline of each family, fitted on all training rows in a process of one thread, and the seconds it took.

    A classifier's answers as the contract's `decision` has it, by probabilities at its temperature.

    Args:
        rows: training rows.
        params: setting of each family; the first is begun first.
        workers: processes at once.
        temperatures: of each family's probabilities, where it is not 1.

    Raises:
        TrainingError: a fit failed.
    """
    warmth = temperatures or {}
    with worker_pool(rows, workers=workers) as pool:
        tasks = {family: pool.schedule(fit_pipeline, args=(family, found)) for family, found in params.items()}
        for family, task in tasks.items():
            if error := task.exception():
                raise TrainingError(
                    f"{rows.spec.name}: the final fit of family '{family}' failed: {type(error).__name__}: {error}; "
                    "leave it out with --families, or mend it"
                ) from error
        made = {family: task.result() for family, task in tasks.items()}
    decision = rows.spec.decision
    return {
        family: (decided(pipeline, decision, temperature=warmth.get(family, 1.0)), seconds)
        for family, (pipeline, seconds) in made.items()
    }


def _calibration(rows: TrainingRows, found: SearchResult) -> Temperature | None:
    if rows.spec.task is Task.REGRESSION:
        return None
    return fit_temperature(found.oof, rows.target, rows.fold, found.classes)


def _seconds_a_trial(found: SearchResult) -> float:
    """How long the chosen setting took on the folds."""
    return max((trial.fit_seconds for trial in found.trials if trial.params == found.params), default=0.0)
