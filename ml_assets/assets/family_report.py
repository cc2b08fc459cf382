"""What there is to see of each family, drawn and logged to MLflow beside the way to the champion."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import dagster as dg
from filelock import FileLock

from ml_assets.artifacts import storage_errors
from ml_assets.assets.evaluation import probabilities_of
from ml_assets.assets.metadata import plots
from ml_assets.assets.policy import decision_version, families_of, of, policy
from ml_assets.assets.training import left_out_metadata, trial_records
from ml_assets.assets.types import DataFrame, Evaluation, LeftOut, SearchResult
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.errors import TrainingError
from ml_assets.families import distribution_of
from ml_assets.home import Home
from ml_assets.processes import REPORTS, give_way
from ml_assets.resources.registry import find_model_run
from ml_assets.resources.store import StoredModel, stored_model
from ml_assets.resources.tracking import TrackedRun, Tracking

if TYPE_CHECKING:
    from mlflow.entities import Run

EXAMPLE_ROWS = 5


def build_family_report(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `family_report`, one partition a family."""

    @dg.asset(
        **policy(
            spec,
            "evaluation",
            kinds={"matplotlib", "mlflow"},
            version=decision_version(spec, "1"),
            by_family=True,
            priority=-5,
        ),
        ins={
            "clean_table": of(spec, "clean_table"),
            "tuned_params": families_of(spec, "tuned_params"),
            "evaluation": families_of(spec, "evaluation"),
        },
    )
    def family_report(
        context: dg.AssetExecutionContext,
        clean_table: DataFrame,
        tuned_params: dict[str, SearchResult | LeftOut],
        evaluation: dict[str, Evaluation | LeftOut],
        tracking: Tracking,
    ) -> dg.MaterializeResult[None]:
        """Each family's search and its model's answers as pictures, and all that is known of it in MLflow."""
        from ml_assets.learning.left_out import LeftOut as NoModel

        give_way(REPORTS)
        with tracking.family_runs(context, spec.name) as family_run:
            for family in context.partition_keys:
                found, made = tuned_params[family], evaluation[family]
                check_same_setting(spec, found, made)
                if isinstance(found, NoModel):
                    context.add_asset_metadata(left_out_metadata(found), partition_key=family)
                    continue
                with family_run(family) as run:
                    images = _log_search(run, spec, found)
                    if isinstance(made, NoModel):
                        context.add_asset_metadata(left_out_metadata(made), partition_key=family)
                    else:
                        file = stored_model(spec.name, family)
                        check_same_model(spec, made, file)
                        log_model(run, spec, made, file, clean_table)
                        images |= _model_pictures(run, spec, made)
                told = {"mlflow_run": dg.MetadataValue.url(run.url), **plots(images)}
                context.add_asset_metadata(told, partition_key=family)
        return dg.MaterializeResult(metadata=plots(_race(spec, tuned_params)))

    return family_report


def log_model(run: TrackedRun, spec: DatasetSpec, made: Evaluation, file: StoredModel, table: DataFrame) -> "Run":
    """Logs what was evaluated: setting, scores, hashes, and the model itself unless an earlier run has these bytes.

    Returns:
        The run that holds the model.

    Raises:
        IntegrityError: the stored bytes changed since `file` was looked up.
    """
    from ml_assets.learning.fitted_model import load_verified, read_record, read_training_rows

    record = read_record(file.folder)
    metrics = {
        f"cv_{made.metric}": made.cv_score,
        "cv_standard_error": made.cv_standard_error,
        "fit_seconds": made.fit_seconds,
        "predict_ms_per_1000_rows": made.predict_ms_per_1000_rows,
        "model_bytes": file.size,
        **{f"oof_{name}": value for name, value in made.oof_metrics.items()},
        **{f"test_{name}": value for name, value in made.test_metrics.items()},
    }
    tags = {"model_sha256": file.sha256, "data_hash": made.data_hash, "splits_hash": made.splits_hash}
    tags |= {name: str(value) for name, value in probabilities_of(record).items()}
    run.log(params=record.params, metrics=metrics, tags=tags)
    # The version is registered while the report is made; whoever comes first logs its model, and the other waits.
    with storage_errors(Home.current().locks):
        Home.current().locks.mkdir(parents=True, exist_ok=True)
        lock = FileLock(Home.current().locks / f"log-{spec.name}-{made.family}.lock")
    with lock:
        holder = find_model_run(run.client, spec.name, file.sha256)
        if holder is None:
            known = table.index.intersection(list(read_training_rows(file.folder)), sort=False)
            example = table.loc[known[:EXAMPLE_ROWS], list(spec.feature_columns)]
            needed = distribution_of(record.family, record.params.get("members", ()))
            run.log_model(load_verified(file.file, file.sha256), spec, example, distribution=needed)
            holder = run.client.get_run(run.run_id)
    return holder


def check_same_setting(spec: DatasetSpec, found: SearchResult | LeftOut, made: Evaluation | LeftOut) -> None:
    """Refuses a search that is not the one which the evaluated model's setting is from.

    Raises:
        TrainingError: they do not belong together.
    """
    searched, evaluated = getattr(found, "params", None), getattr(made, "params", None)
    if evaluated is not None and (searched is None or dict(searched) != dict(evaluated)):
        raise TrainingError(
            f"{found.family}: its evaluation is of a model from another search; materialize {spec.name}/model and "
            f"{spec.name}/evaluation again"
        )


def check_same_model(spec: DatasetSpec, made: Evaluation, file: StoredModel) -> None:
    """Refuses an evaluation of another model than the one that is stored.

    Raises:
        TrainingError: they do not belong together.
    """
    if file.sha256 != made.model_sha256:
        raise TrainingError(
            f"{made.family}: its model was made again after its evaluation; materialize {spec.name}/evaluation"
        )


def _log_search(run: TrackedRun, spec: DatasetSpec, result: SearchResult) -> dict[str, bytes]:
    """Logs a family's search to MLflow; returns its learning curve, and its parameters' importances where known."""
    import pandas as pd

    from ml_assets.evaluation.metrics import primary_metric
    from ml_assets.evaluation.plots import learning_curve_plot, parameters_plot

    metric = primary_metric(spec.task)
    records = trial_records(result)
    images = learning_curve_plot(spec, records, family=result.family, metric=metric)
    images |= parameters_plot(records, family=result.family)
    run.log(params=result.params, metrics={f"cv_{metric}": result.score}, images=images)
    run.log_curve(f"best_cv_{metric}", best_so_far(result))
    trials = pd.DataFrame(records)
    run.log_table(trials.assign(**{name: trials[name].map(json.dumps) for name in ("params", "fold_scores")}), "trials")
    return images


def _model_pictures(run: TrackedRun, spec: DatasetSpec, made: Evaluation) -> dict[str, bytes]:
    """Plots of a model's answers, logged to MLflow too."""
    from ml_assets.evaluation.plots import model_plot_set

    images = model_plot_set(spec, made)
    run.log(images=images)
    return images


def _race(spec: DatasetSpec, results: Mapping[str, SearchResult | LeftOut]) -> dict[str, bytes]:
    from ml_assets.evaluation.metrics import primary_metric
    from ml_assets.evaluation.plots import search_plots

    records = [record for result in results.values() for record in trial_records(result)]
    return search_plots(spec, records, metric=primary_metric(spec.task))


def best_so_far(result: SearchResult) -> list[tuple[float, float]]:
    """(seconds, score) of each trial that was better than all before it."""
    curve: list[tuple[float, float]] = []
    for trial in sorted(result.trials, key=lambda t: t.seconds):
        if trial.score is not None and (not curve or trial.score < curve[-1][1]):
            curve.append((trial.seconds, trial.score))
    return curve
