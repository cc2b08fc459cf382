"""Rooms 8 and 9: each family's scores, and the leaderboard over them. The page a person reads is `card`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from ml_assets.assets.metadata import plot, plots, table
from ml_assets.assets.policy import decision_version, families_of, limits_version, of, policy
from ml_assets.assets.training import left_out_metadata
from ml_assets.assets.types import DataFrame, Evaluation, FittedModel, Leaderboard, LeftOut, SearchResult
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.errors import TrainingError
from ml_assets.families import distribution_of
from ml_assets.home import Home
from ml_assets.processes import cores, give_way
from ml_assets.resources.settings import Settings
from ml_assets.resources.store import StoredModel, stored_model
from ml_assets.resources.tracking import TrackedRun, Tracking

if TYPE_CHECKING:
    from ml_assets.evaluation.side_by_side import Candidate

EXAMPLE_ROWS = 5


def build_evaluation(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `evaluation`, one partition a family."""

    @dg.asset(
        **policy(
            spec,
            "evaluation",
            kinds={"scikitlearn", "matplotlib", "mlflow"},
            version=decision_version(spec, "4"),
            by_family=True,
        ),
        ins={
            "clean_table": of(spec, "clean_table"),
            "splits": of(spec, "splits"),
            "tuned_params": families_of(spec, "tuned_params"),
            "model": families_of(spec, "model"),
        },
    )
    def evaluation(
        context: dg.AssetExecutionContext,
        clean_table: DataFrame,
        splits: DataFrame,
        tuned_params: dict[str, SearchResult | LeftOut],
        model: dict[str, FittedModel | LeftOut],
        tracking: Tracking,
    ) -> dg.MaterializeResult[dict[str, Evaluation | LeftOut]]:
        """Out-of-fold and test metrics, costs and plots of each family."""
        from ml_assets.evaluation.side_by_side import Candidate, evaluate_all
        from ml_assets.learning.cores import hold_cores
        from ml_assets.learning.left_out import LeftOut as NoModel
        from ml_assets.learning.pool import begin_loading

        give_way()
        evaluations: dict[str, Evaluation | LeftOut] = {}
        candidates, fitted_of = [], {}
        for family in context.partition_keys:
            fitted, found = model[family], tuned_params[family]
            if isinstance(fitted, NoModel):
                evaluations[family] = fitted
                context.add_asset_metadata(left_out_metadata(fitted), partition_key=family)
                continue
            if isinstance(found, NoModel):
                raise TrainingError(
                    f"{family}: its search left it out after the model was made; materialize {spec.name}/model again"
                )
            check_alignment(found, splits, fitted)
            file, fitted_of[family] = stored_model(spec.name, family), fitted
            candidates.append(Candidate(found, file.folder, file.size, file.sha256))
        record_looks(context, spec, candidates, clean_table, splits)
        begin_loading()
        with tracking.family_runs(context, spec.name) as family_run:
            for family, fitted in fitted_of.items():  # while the processes' libraries load
                with family_run(family) as run:
                    _log_model(run, spec, fitted, clean_table)
            with hold_cores(cores(), total=cores(), folder=Home.current().locks) as workers:
                judged = evaluate_all(spec, candidates, table=clean_table, splits=splits, workers=workers)
                for candidate, made in judged:
                    family = made.family
                    fitted, file = fitted_of[family], stored_model(spec.name, family)
                    if file.sha256 != candidate.model_sha256:
                        raise TrainingError(
                            f"{family}: its model was made again meanwhile; materialize {spec.name}/evaluation"
                        )
                    with family_run(family) as run:
                        _log_evaluation(run, made, fitted, file)
                    evaluations[family] = made
                    told = _metadata(made, fitted)
                    context.add_asset_metadata(
                        {**told, "mlflow_run": dg.MetadataValue.url(run.url), **plots(made.plots)}, partition_key=family
                    )
        return dg.MaterializeResult(value=evaluations)

    return evaluation


def record_looks(
    context: dg.AssetExecutionContext,
    spec: DatasetSpec,
    candidates: "Sequence[Candidate]",
    table: DataFrame,
    splits: DataFrame,
) -> None:
    """Puts into the ledger that the test rows are about to be scored by these models."""
    from ml_assets.datasets.identity import table_hash
    from ml_assets.evaluation.ledger import Look, record_look

    if not candidates:
        return
    look = Look(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        data_hash=table_hash(table),
        splits_hash=table_hash(splits),
        purpose="evaluation",
        models={candidate.found.family: candidate.model_sha256 for candidate in candidates},
        rows=int((splits["part"] == "test").sum()),
        run_id=context.run.run_id,
    )
    record_look(Home.current().reports / spec.name, look)


def _probabilities_of(fitted: FittedModel) -> dict[str, Any]:
    """What was done about a classifier's probabilities; nothing of a regression."""
    record = fitted.record
    return {"temperature": record.temperature, "class_weight": record.class_weight} if record.classes else {}


def check_alignment(found: SearchResult, splits: DataFrame, fitted: FittedModel) -> None:
    """Refuses out-of-fold predictions of other rows, another setting, or another order of classes than the model's.

    Raises:
        TrainingError: they do not belong together.
    """
    rows = tuple(splits.index[splits["part"] == "train"])
    record = fitted.record
    wanted = (rows, record.classes, dict(record.params))
    if (found.row_ids, found.classes, dict(found.params)) != wanted or fitted.training_rows != rows:
        raise TrainingError(
            f"{found.family}: search, model and splits do not belong together; "
            f"materialize {record.dataset}/tuned_params and {record.dataset}/model again"
        )


def _metadata(made: Evaluation, fitted: FittedModel) -> dict[str, Any]:
    return {
        f"cv_{made.metric}": made.cv_score,
        "cv_standard_error": made.cv_standard_error,
        **{f"test_{name}": value for name, value in made.test_metrics.items()},
        **_probabilities_of(fitted),
        "model_sha256": made.model_sha256,
    }


def _log_model(run: TrackedRun, spec: DatasetSpec, fitted: FittedModel, table: DataFrame) -> None:
    rows = list(fitted.training_rows[:EXAMPLE_ROWS])
    needed = distribution_of(fitted.record.family, fitted.record.params.get("members", ()))
    run.log_model(fitted.pipeline, spec, table.loc[rows, list(spec.feature_columns)], distribution=needed)


def _log_evaluation(run: TrackedRun, made: Evaluation, fitted: FittedModel, file: StoredModel) -> None:
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
    tags |= {name: str(value) for name, value in _probabilities_of(fitted).items()}
    run.log(params=fitted.record.params, metrics=metrics, tags=tags, images=made.plots)


def build_comparison(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `comparison`."""

    @dg.asset(
        **policy(spec, "evaluation", kinds={"pandas", "matplotlib"}, version=limits_version(spec, "3")),
        ins={
            "clean_table": of(spec, "clean_table"),
            "splits": of(spec, "splits"),
            "evaluations": families_of(spec, "evaluation"),
        },
    )
    def comparison(
        clean_table: DataFrame, splits: DataFrame, evaluations: dict[str, Evaluation | LeftOut], settings: Settings
    ) -> dg.MaterializeResult[Leaderboard]:
        """Leaderboard over the model families, best first, with paired tests against the leader."""
        from ml_assets.datasets.identity import table_hash
        from ml_assets.evaluation.clusters import clusters_of
        from ml_assets.evaluation.comparison import compare
        from ml_assets.evaluation.plots import leaderboard_plot

        ranked, left_out = scored(evaluations)
        board = compare(
            ranked,
            left_out=left_out,
            limits=spec.limits,
            rules=spec.comparison,
            clusters=clusters_of(spec, clean_table),
            seed=settings.seed,
            alpha=settings.significance,
            data_hash=table_hash(clean_table),
            splits_hash=table_hash(splits),
        )
        metadata: dict[str, Any] = {
            "winner": board.winner,
            "score": board.winning_row.cv_score,
            "leader": board.leader,
            "indistinguishable_from_leader": list(board.indistinguishable),
            "practically_the_same_as_leader": list(board.equivalent),
            "p_values": f"corrected paired t over folds, Holm's correction for {len(board.rows) - 1} comparisons",
            "left_out": dict(board.left_out),
            "leaderboard": table(board.to_frame().reset_index()),
            **{f"{name}_plot": plot(png) for name, png in leaderboard_plot(spec, board).items()},
        }
        return dg.MaterializeResult(value=board, metadata=metadata)

    return comparison


def scored(evaluations: Mapping[str, Evaluation | LeftOut]) -> tuple[dict[str, Evaluation], dict[str, str]]:
    """The families that have scores, and the reason of each that was left out before."""
    from ml_assets.learning.left_out import LeftOut as NoModel

    ranked = {family: made for family, made in evaluations.items() if not isinstance(made, NoModel)}
    return ranked, {family: made.reason for family, made in evaluations.items() if isinstance(made, NoModel)}
