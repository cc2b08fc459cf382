"""Rooms 6 and 7: the search for settings, and the models fitted with what it found."""

import hashlib
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from ml_assets.artifacts import write_atomically
from ml_assets.assets.budget import EACH_MEGABYTE_SECONDS, EACH_MODEL_SECONDS, seconds_for_search
from ml_assets.assets.policy import decision_version, families_of, families_version, of, policy, weights_version
from ml_assets.assets.types import DataFrame, FeatureSet, FittedModel, LeftOut, SearchResult
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.families import ENSEMBLE, family_names
from ml_assets.home import Home
from ml_assets.processes import cores
from ml_assets.resources.settings import Settings
from ml_assets.resources.store import stored_families

if TYPE_CHECKING:
    from ml_assets.learning.race import Progress


SEARCH_VERSION = "5"
"""Of the search and the ensemble; an own version of a family comes on top."""


def build_tuned_params(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `tuned_params`, one partition a family, searched together."""

    @dg.asset(
        **policy(
            spec,
            "training",
            kinds={"optuna", "scikitlearn"},
            version=weights_version(spec, families_version(SEARCH_VERSION)),
            by_family=True,
            fits=True,
        ),
        ins={
            "clean_table": of(spec, "clean_table"),
            "splits": of(spec, "splits"),
            "features": of(spec, "features"),
        },
    )
    def tuned_params(
        context: dg.AssetExecutionContext,
        clean_table: DataFrame,
        splits: DataFrame,
        features: FeatureSet,
        settings: Settings,
    ) -> dg.MaterializeResult[dict[str, SearchResult | LeftOut]]:
        """Best setting of each family by cross-validation, all families of the run under one time budget."""
        from ml_assets.learning.cores import hold_cores
        from ml_assets.learning.ensembling import ensemble_result
        from ml_assets.learning.pool import warm_up
        from ml_assets.learning.race import Budget
        from ml_assets.learning.search import search
        from ml_assets.learning.search_result import SearchResult as Found
        from ml_assets.learning.worker import TrainingRows

        home = Home.current()
        rows = TrainingRows.of(spec, clean_table, splits, features.plan, seed=settings.seed)
        families = [name for name in context.partition_keys if name != ENSEMBLE]
        seconds = seconds_for_search(context, spec, settings)
        budget = Budget(seconds, settings.trials, EACH_MODEL_SECONDS, EACH_MEGABYTE_SECONDS)
        warm_up()
        with hold_cores(cores(), total=cores(), folder=home.locks) as workers:
            started = time.monotonic()
            place = home.searches / spec.name / _fingerprint(spec, clean_table, splits, features, settings.seed)
            file = home.progress / context.run.run_id / f"{spec.name}.json"
            results = (
                search(rows, families, budget=budget, workers=workers, folder=place, report=_reporter(context, file))
                if families
                else {}
            )
        if ENSEMBLE in context.partition_keys:
            stored = stored_families(spec, "tuned_params", [name for name in family_names() if name not in results])
            seconds = time.monotonic() - started
            results[ENSEMBLE] = ensemble_result(rows, {**stored, **results}, seconds=seconds)
        for family, result in results.items():
            told = (
                _search_metadata(result, settings)
                if isinstance(result, Found)
                else {**left_out_metadata(result), **_limits(settings)}
            )
            context.add_asset_metadata(told, partition_key=family)
        return dg.MaterializeResult(value=results)

    return tuned_params


def build_model(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `model`, one partition a family."""

    @dg.asset(
        **policy(
            spec,
            "training",
            kinds={"scikitlearn", "xgboost"},
            version=decision_version(spec, "3"),
            by_family=True,
            fits=True,
            priority=1,
        ),
        ins={
            "clean_table": of(spec, "clean_table"),
            "splits": of(spec, "splits"),
            "features": of(spec, "features"),
            "tuned_params": families_of(spec, "tuned_params"),
        },
    )
    def model(
        context: dg.AssetExecutionContext,
        clean_table: DataFrame,
        splits: DataFrame,
        features: FeatureSet,
        tuned_params: dict[str, SearchResult | LeftOut],
        settings: Settings,
    ) -> dg.MaterializeResult[dict[str, FittedModel | LeftOut]]:
        """One pipeline a family, raw row in, prediction out, fitted on all training rows."""
        from ml_assets.datasets.identity import table_hash
        from ml_assets.datasets.state import table_versions
        from ml_assets.learning.cores import hold_cores
        from ml_assets.learning.final_fit import fit_models
        from ml_assets.learning.left_out import LeftOut as NoModel
        from ml_assets.learning.pool import warm_up
        from ml_assets.learning.splitting import CALIBRATION
        from ml_assets.learning.worker import TrainingRows

        rows = TrainingRows.of(spec, clean_table, splits, features.plan, seed=settings.seed)
        wanted = {family: tuned_params[family] for family in context.partition_keys}
        data_hash = table_hash(clean_table)
        kept = splits.index[splits["part"] == CALIBRATION]
        version = table_versions(Home.current(), spec.name).origin_of(data_hash)
        warm_up()
        with hold_cores(min(cores(), len(wanted)), total=cores(), folder=Home.current().locks) as workers:
            models = fit_models(
                rows,
                wanted,
                data_hash=data_hash,
                splits_hash=table_hash(splits),
                workers=workers,
                data_version=version.id if version is not None else "",
                calibration=clean_table.loc[kept] if len(kept) else None,
            )
        for family, fitted in models.items():
            if isinstance(fitted, NoModel):
                context.add_asset_metadata(left_out_metadata(fitted), partition_key=family)
                continue
            context.add_asset_metadata(
                {"fit_seconds": fitted.record.fit_seconds, "params": dict(fitted.record.params)},
                partition_key=family,
            )
        return dg.MaterializeResult(value=models, metadata={"training_rows": len(rows.table)})

    return model


def _fingerprint(spec: DatasetSpec, table: DataFrame, splits: DataFrame, features: FeatureSet, seed: int) -> str:
    """Names the search that can be continued: same rows, folds, features, code and seed."""
    from ml_assets.datasets.identity import table_hash

    code = weights_version(spec, families_version(SEARCH_VERSION))
    parts = [table_hash(table), table_hash(splits), table_hash(features.table), code, str(seed)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _reporter(context: dg.AssetExecutionContext, file: Path) -> "Callable[[Progress], None]":
    """Writes how the search stands for whoever watches, and a line into Dagster's log every few seconds."""
    last = {"file": -1.0, "log": 0.0}

    def report(progress: "Progress") -> None:
        if progress.ended or progress.seconds - last["file"] >= 0.25:
            last["file"] = progress.seconds
            write_atomically(file, json.dumps(vars(progress)).encode())
        if progress.seconds - last["log"] >= 10:
            last["log"] = progress.seconds
            best = ", ".join(f"{family} {score:.4g}" for family, score in progress.best.items())
            of = f" of {progress.budget:.0f}" if math.isfinite(progress.budget) else ""
            context.log.info(f"{progress.seconds:.0f}{of} s, {progress.trials} trials; best: {best}")

    return report


def _search_metadata(result: SearchResult, settings: Settings) -> dict[str, Any]:
    return {
        "score": result.score,
        "trials_ended": len(result.trials),
        "fit_seconds": result.seconds,
        **_limits(settings),
        "params": dict(result.params),
    }


def _limits(settings: Settings) -> dict[str, Any]:
    """What limited a search; by it `staleness` knows whether another one is asked for."""
    return {"budget_seconds": settings.seconds if math.isfinite(settings.seconds) else None, "trials": settings.trials}


def left_out_metadata(left_out: LeftOut) -> dict[str, Any]:
    """What the UI shows of a family that has no model."""
    return {"left_out": left_out.reason, "failed": left_out.failed, "trials_ended": len(left_out.trials)}


def trial_records(result: SearchResult | LeftOut) -> list[dict[str, Any]]:
    """One record a trial, with its family, as plots and tables take them."""
    return [{"family": result.family, **vars(trial)} for trial in result.trials]
