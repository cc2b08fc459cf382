"""Rooms 6 and 7: the search for settings, and the models fitted with what it found."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from ml_assets.artifacts import write_atomically
from ml_assets.assets.metadata import plots
from ml_assets.assets.policy import decision_version, families_of, families_version, of, policy, weights_version
from ml_assets.assets.types import DataFrame, FeatureSet, FittedModel, SearchResult
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.home import Home
from ml_assets.processes import cores
from ml_assets.resources.settings import Settings
from ml_assets.resources.tracking import TrackedRun, Tracking

if TYPE_CHECKING:
    from ml_assets.learning.search import Progress


def build_tuned_params(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `tuned_params`, one partition a family, searched together."""

    @dg.asset(
        **policy(
            spec,
            "training",
            kinds={"optuna", "scikitlearn"},
            version=weights_version(spec, families_version()),
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
        tracking: Tracking,
    ) -> dg.MaterializeResult[dict[str, SearchResult]]:
        """Best setting of each family by cross-validation, all families of the run under one time budget."""
        from ml_assets.learning.cores import hold_cores
        from ml_assets.learning.pool import warm_up
        from ml_assets.learning.search import Budget, search
        from ml_assets.learning.worker import TrainingRows

        home = Home.current()
        rows = TrainingRows.of(spec, clean_table, splits, features.plan, seed=settings.seed)
        budget = Budget(settings.budget_seconds * settings.budget_share, settings.trials)
        warm_up()
        with hold_cores(cores(), total=cores(), folder=home.locks) as workers:
            results = search(
                rows,
                context.partition_keys,
                budget=budget,
                workers=workers,
                folder=home.searches / spec.name / _fingerprint(spec, clean_table, splits, features, settings.seed),
                report=_reporter(context, home.progress / context.run.run_id / f"{spec.name}.json"),
            )
        for family, result in results.items():
            with tracking.family_run(context, spec.name, family) as run:
                images = _log_search(run, spec, result)
            found = _search_metadata(result, settings)
            context.add_asset_metadata({**found, "mlflow_run": dg.MetadataValue.url(run.url)}, partition_key=family)
            context.add_asset_metadata(plots(images), partition_key=family)
        return dg.MaterializeResult(value=results, metadata=plots(_race(spec, results)))

    return tuned_params


def build_model(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `model`, one partition a family."""

    @dg.asset(
        **policy(
            spec,
            "training",
            kinds={"scikitlearn", "xgboost"},
            version=decision_version(spec, "2"),
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
        tuned_params: dict[str, SearchResult],
        settings: Settings,
    ) -> dg.MaterializeResult[dict[str, FittedModel]]:
        """One pipeline a family, raw row in, prediction out, fitted on all training rows."""
        from ml_assets.datasets.identity import table_hash
        from ml_assets.datasets.state import table_versions
        from ml_assets.learning.cores import hold_cores
        from ml_assets.learning.fitted_model import fit_models
        from ml_assets.learning.pool import warm_up
        from ml_assets.learning.worker import TrainingRows

        rows = TrainingRows.of(spec, clean_table, splits, features.plan, seed=settings.seed)
        wanted = {family: tuned_params[family] for family in context.partition_keys}
        data_hash = table_hash(clean_table)
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
            )
        for family, fitted in models.items():
            context.add_asset_metadata(
                {"fit_seconds": fitted.record.fit_seconds, "params": dict(fitted.record.params)},
                partition_key=family,
            )
        return dg.MaterializeResult(value=models, metadata={"training_rows": len(rows.table)})

    return model


def _fingerprint(spec: DatasetSpec, table: DataFrame, splits: DataFrame, features: FeatureSet, seed: int) -> str:
    """Names the search that can be continued: same rows, folds, features, code and seed."""
    from ml_assets.datasets.identity import table_hash

    code = weights_version(spec, families_version())
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
            context.log.info(f"{progress.seconds:.0f} of {progress.budget:g} s, {progress.trials} trials; best: {best}")

    return report


def _search_metadata(result: SearchResult, settings: Settings) -> dict[str, Any]:
    return {
        "score": result.score,
        "trials_ended": len(result.trials),
        "fit_seconds": result.seconds,
        "budget_seconds": settings.budget_seconds,
        "trials": settings.trials,
        "params": dict(result.params),
    }


def _log_search(run: TrackedRun, spec: DatasetSpec, result: SearchResult) -> dict[str, bytes]:
    """Logs a family's search to MLflow; returns its learning curve."""
    import pandas as pd

    from ml_assets.evaluation.metrics import primary_metric
    from ml_assets.evaluation.plots import learning_curve_plot

    metric = primary_metric(spec.task)
    images = learning_curve_plot(spec, trial_records(result), family=result.family, metric=metric)
    run.log(params=result.params, metrics={f"cv_{metric}": result.score}, images=images)
    run.log_curve(f"best_cv_{metric}", best_so_far(result))
    trials = pd.DataFrame(trial_records(result))
    run.log_table(trials.assign(params=trials["params"].map(json.dumps)), "trials")
    return images


def _race(spec: DatasetSpec, results: Mapping[str, SearchResult]) -> dict[str, bytes]:
    from ml_assets.evaluation.metrics import primary_metric
    from ml_assets.evaluation.plots import search_plots

    records = [record for result in results.values() for record in trial_records(result)]
    return search_plots(spec, records, metric=primary_metric(spec.task))


def trial_records(result: SearchResult) -> list[dict[str, Any]]:
    """One record a trial, with its family, as plots and tables take them."""
    return [{"family": result.family, **vars(trial)} for trial in result.trials]


def best_so_far(result: SearchResult) -> list[tuple[float, float]]:
    """(seconds, score) of each trial that was better than all before it."""
    curve: list[tuple[float, float]] = []
    for trial in sorted(result.trials, key=lambda t: t.seconds):
        if trial.score is not None and (not curve or trial.score < curve[-1][1]):
            curve.append((trial.seconds, trial.score))
    return curve
