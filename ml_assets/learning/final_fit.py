"""The final fits: each family's chosen setting on all training rows, and the ensemble made of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ml_assets.datasets.spec import Task
from ml_assets.errors import TrainingError
from ml_assets.evaluation.evaluate import predict
from ml_assets.evaluation.temperature import Temperature, fit_temperature
from ml_assets.families import ENSEMBLE
from ml_assets.learning.blending import LINEAR
from ml_assets.learning.decision import class_weight_of, decided
from ml_assets.learning.ensembling import INTERCEPT, MEMBERS, POOLING, WEIGHTS, WeightedAverage
from ml_assets.learning.environment import library_versions
from ml_assets.learning.fitted_model import FittedModel, ModelRecord
from ml_assets.learning.intervals import Errors, difficulty_of, fit_intervals, with_intervals
from ml_assets.learning.left_out import LeftOut
from ml_assets.learning.pool import worker_pool
from ml_assets.learning.search_result import SearchResult
from ml_assets.learning.worker import TrainingRows, fit_pipeline

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray
    from sklearn.pipeline import Pipeline

    from ml_assets.families.base import Params
    from ml_assets.learning.difficulty import Difficulty


def fit_models(
    rows: TrainingRows,
    searches: Mapping[str, SearchResult | LeftOut],
    *,
    data_hash: str,
    splits_hash: str,
    workers: int,
    data_version: str = "",
    calibration: pd.DataFrame | None = None,
) -> dict[str, FittedModel | LeftOut]:
    """Final model of each family, fitted on all training rows with the setting its search chose.

    Families that have none stay left out; one whose final fit fails, or a member's of it, is left out for that. A
    classifier's probabilities are calibrated by a temperature where the out-of-fold ones show that it helps, and every
    pipeline gets the intervals or sets that errors on unseen rows promise.

    Args:
        rows: training rows.
        searches: what each family's search found.
        data_hash: of the clean table.
        splits_hash: of the splits.
        workers: processes at once.
        data_version: id of the raw table's version, where it is known.
        calibration: clean rows to fit intervals on where the contract keeps some; else out-of-fold predictions serve.

    Raises:
        TrainingError: every fit failed.
    """
    found = {family: result for family, result in searches.items() if isinstance(result, SearchResult)}
    slowest_first = sorted(found, key=lambda family: _seconds_a_trial(found[family]), reverse=True)
    calibrations = {family: _calibration(rows, result) for family, result in found.items()}
    fitted = fit_pipelines(
        rows,
        {family: found[family].params for family in slowest_first},
        temperatures={family: of.used for family, of in calibrations.items() if of is not None},
        workers=workers,
    )
    broken = {family: made for family, made in fitted.items() if isinstance(made, str)}
    if broken and len(broken) == len(found):
        raise TrainingError(f"{rows.spec.name}: no final fit worked: {'; '.join(broken.values())}")
    contract, libraries = rows.spec.model_dump(mode="json"), library_versions()
    difficulty = difficulty_of(rows, found)

    def model(family: str) -> FittedModel | LeftOut:
        result = searches[family]
        if isinstance(result, LeftOut):
            return result
        made = fitted[family]
        if isinstance(made, str):
            return LeftOut(family, made, failed=True, trials=result.trials, seconds=result.seconds)
        record = ModelRecord(
            dataset=rows.spec.name,
            family=family,
            params=result.params,
            classes=result.classes,
            data_hash=data_hash,
            splits_hash=splits_hash,
            fit_seconds=made[1],
            seed=rows.seed,
            data_version=data_version,
            contract=contract,
            libraries=libraries,
            calibration=calibrations[family],
            class_weight=class_weight_of(made[0]),
        )
        known = _known_errors(rows, result, made[0], calibrations[family], difficulty, calibration)
        intervals = fit_intervals(
            rows.spec, known, classes=result.classes, difficulty=difficulty[0] if difficulty is not None else None
        )
        return FittedModel(record, with_intervals(made[0], intervals), tuple(rows.table.index))

    return {family: model(family) for family in searches}


def fit_pipelines(
    rows: TrainingRows,
    params: Mapping[str, Params],
    *,
    workers: int,
    temperatures: Mapping[str, float] | None = None,
) -> dict[str, tuple[Pipeline, float] | str]:
    """Pipeline of each family, fitted on all training rows in a process of one thread, and the seconds it took.

    An ensemble is made of its members' estimators behind one feature plan; a setting that several need is fitted once.
    A classifier answers as the contract's `decision` has it, by probabilities at its temperature; an ensemble's members
    stay as they are.

    Args:
        rows: training rows.
        params: setting of each family; the first is begun first.
        workers: processes at once.
        temperatures: of each family's probabilities, where it is not 1.

    Returns:
        For each family its pipeline and seconds (of all its members together), or why the fit failed.
    """
    parts = {family: _parts(family, setting) for family, setting in params.items()}
    wanted = {_key(*part): part for family in params for part in parts[family]}
    with worker_pool(rows, workers=min(workers, max(len(wanted), 1))) as pool:
        tasks = {key: pool.schedule(fit_pipeline, args=part) for key, part in wanted.items()}
        failed = {key: task.exception() for key, task in tasks.items()}
        made = {key: task.result() for key, task in tasks.items() if failed[key] is None}

    def pipeline(family: str) -> tuple[Pipeline, float] | str:
        for part in parts[family]:
            if (error := failed[_key(*part)]) is not None:
                return f"the final fit of family '{part[0]}' failed: {type(error).__name__}: {error}"
        fitted: dict[str, tuple[Pipeline, float]] = {part[0]: made[_key(*part)] for part in parts[family]}
        together = _ensemble(fitted, params[family]) if family == ENSEMBLE else fitted[family][0]
        warmth = (temperatures or {}).get(family, 1.0)
        seconds = sum(seconds for _, seconds in fitted.values())
        return decided(together, rows.spec.decision, temperature=warmth), seconds

    return {family: pipeline(family) for family in params}


def _known_errors(
    rows: TrainingRows,
    result: SearchResult,
    pipeline: Pipeline,
    temperature: Temperature | None,
    difficulty: tuple[Difficulty, NDArray[np.float64]] | None,
    calibration: pd.DataFrame | None,
) -> Errors:
    """What a model says of rows that it had not seen: those kept for it, or the training rows out of fold."""
    if calibration is not None:
        prediction = predict(rows.spec.task, pipeline, calibration[list(rows.spec.feature_columns)])
        return Errors(calibration, prediction, difficulty[0].predict(calibration) if difficulty else None)
    oof = result.oof if temperature is None else temperature.out_of_fold(result.oof, rows.fold)
    return Errors(rows.table, oof, difficulty[1] if difficulty is not None else None)


def _calibration(rows: TrainingRows, found: SearchResult) -> Temperature | None:
    if rows.spec.task is Task.REGRESSION:
        return None
    return fit_temperature(found.oof, rows.target, rows.fold, found.classes)


def _parts(family: str, params: Params) -> list[tuple[str, Params]]:
    """The families and settings that a model is made of."""
    return list(params[MEMBERS].items()) if family == ENSEMBLE else [(family, params)]


def _key(family: str, params: Params) -> str:
    return json.dumps([family, dict(params)], sort_keys=True)


def _ensemble(fitted: Mapping[str, tuple[Pipeline, float]], params: Params) -> Pipeline:
    from sklearn.pipeline import Pipeline

    first = next(iter(fitted.values()))[0]
    estimators = {family: made["estimator"] for family, (made, _) in fitted.items()}
    together = WeightedAverage(
        estimators, dict(params[WEIGHTS]), params.get(INTERCEPT, 0.0), params.get(POOLING, LINEAR)
    )
    return Pipeline([("features", first["features"]), ("estimator", together)])


def _seconds_a_trial(found: SearchResult) -> float:
    """How long the chosen setting took on the folds."""
    return max((trial.fit_seconds for trial in found.trials if trial.params == found.params), default=0.0)
