"""What there is to see of each family, drawn and logged to MLflow beside the way to the champion."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from ml_assets.assets.metadata import plots
from ml_assets.assets.policy import decision_version, families_of, key, of, policy
from ml_assets.assets.training import left_out_metadata, trial_records
from ml_assets.assets.types import DataFrame, Evaluation, LeftOut, SearchResult
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.errors import TrainingError
from ml_assets.families import distribution_of
from ml_assets.processes import REPORTS, give_way
from ml_assets.resources.store import StoredModel, stored_model
from ml_assets.resources.tracking import TrackedRun, Tracking

if TYPE_CHECKING:
    from ml_assets.learning.fitted_model import ModelRecord

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
        # It comes last so that nothing drawn here is waited for, and finds the winner's model logged already.
        deps=[key(spec, "registered_model")],
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
                if isinstance(found, NoModel):
                    context.add_asset_metadata(left_out_metadata(found), partition_key=family)
                    continue
                with family_run(family) as run:
                    images = _log_search(run, spec, found)
                    if isinstance(made, NoModel):
                        context.add_asset_metadata(left_out_metadata(made), partition_key=family)
                    else:
                        images |= _log_evaluation(run, spec, made, clean_table)
                told = {"mlflow_run": dg.MetadataValue.url(run.url), **plots(images)}
                context.add_asset_metadata(told, partition_key=family)
        return dg.MaterializeResult(metadata=plots(_race(spec, tuned_params)))

    return family_report


def log_model(run: TrackedRun, spec: DatasetSpec, file: StoredModel, table: DataFrame) -> None:
    """Logs a family's stored model, tagged with the hash of its bytes.

    Raises:
        IntegrityError: the stored bytes changed since `file` was looked up.
    """
    from ml_assets.learning.fitted_model import load_verified, read_record, read_training_rows

    record, rows = read_record(file.folder), list(read_training_rows(file.folder)[:EXAMPLE_ROWS])
    needed = distribution_of(record.family, record.params.get("members", ()))
    pipeline = load_verified(file.file, file.sha256)
    run.log_model(pipeline, spec, table.loc[rows, list(spec.feature_columns)], distribution=needed)
    run.log(tags={"model_sha256": file.sha256})


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


def _log_evaluation(run: TrackedRun, spec: DatasetSpec, made: Evaluation, table: DataFrame) -> dict[str, bytes]:
    """Logs a family's scores and its model to MLflow; returns the plots of its answers.

    Raises:
        TrainingError: the model that is stored now is not the one that was evaluated.
    """
    from ml_assets.evaluation.plots import model_plot_set
    from ml_assets.learning.fitted_model import read_record

    file = stored_model(spec.name, made.family)
    if file.sha256 != made.model_sha256:
        raise TrainingError(
            f"{made.family}: its model was made again after its evaluation; materialize {spec.name}/evaluation"
        )
    images = model_plot_set(spec, made)
    metrics = {
        f"cv_{made.metric}": made.cv_score,
        "cv_standard_error": made.cv_standard_error,
        "fit_seconds": made.fit_seconds,
        "predict_ms_per_1000_rows": made.predict_ms_per_1000_rows,
        "model_bytes": file.size,
        **{f"oof_{name}": value for name, value in made.oof_metrics.items()},
        **{f"test_{name}": value for name, value in made.test_metrics.items()},
    }
    tags = {"data_hash": made.data_hash, "splits_hash": made.splits_hash}
    tags |= {name: str(value) for name, value in probabilities_of(read_record(file.folder)).items()}
    run.log(metrics=metrics, tags=tags, images=images)
    if not run.has_model:
        log_model(run, spec, file, table)
    return images


def probabilities_of(record: "ModelRecord") -> dict[str, Any]:
    """What was done about a classifier's probabilities; nothing of a regression."""
    return {"temperature": record.temperature, "class_weight": record.class_weight} if record.classes else {}


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
