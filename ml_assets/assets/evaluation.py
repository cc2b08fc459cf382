"""Rooms 8 and 9: each family's scores, and the leaderboard over them. The page a person reads is `card`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from ml_assets.assets.metadata import plot, table
from ml_assets.assets.policy import decision_version, families_of, key, limits_version, of, policy
from ml_assets.assets.training import left_out_metadata
from ml_assets.assets.types import DataFrame, Evaluation, Leaderboard, LeftOut, SearchResult
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.errors import TrainingError
from ml_assets.home import Home
from ml_assets.processes import cores, give_way
from ml_assets.resources.settings import Settings
from ml_assets.resources.store import model_or_left_out, stored_model

if TYPE_CHECKING:
    from ml_assets.evaluation.side_by_side import Candidate
    from ml_assets.learning.fitted_model import ModelRecord


def build_evaluation(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `evaluation`, one partition a family."""

    @dg.asset(
        **policy(
            spec,
            "evaluation",
            kinds={"scikitlearn"},
            version=decision_version(spec, "5"),
            by_family=True,
        ),
        ins={
            "clean_table": of(spec, "clean_table"),
            "splits": of(spec, "splits"),
            "tuned_params": families_of(spec, "tuned_params"),
        },
        deps=[key(spec, "model")],
    )
    def evaluation(
        context: dg.AssetExecutionContext,
        clean_table: DataFrame,
        splits: DataFrame,
        tuned_params: dict[str, SearchResult | LeftOut],
    ) -> dg.MaterializeResult[dict[str, Evaluation | LeftOut]]:
        """Out-of-fold and test metrics and costs of each family."""
        from ml_assets.evaluation.side_by_side import Candidate, evaluate_all
        from ml_assets.learning.cores import hold_cores
        from ml_assets.learning.fitted_model import read_record, read_training_rows
        from ml_assets.learning.left_out import LeftOut as NoModel
        from ml_assets.learning.pool import begin_loading

        begin_loading()
        give_way()
        evaluations: dict[str, Evaluation | LeftOut] = {}
        candidates, record_of = [], {}
        for family in context.partition_keys:
            model, found = model_or_left_out(spec.name, family), tuned_params[family]
            if isinstance(model, NoModel):
                evaluations[family] = model
                context.add_asset_metadata(left_out_metadata(model), partition_key=family)
                continue
            if isinstance(found, NoModel):
                raise TrainingError(
                    f"{family}: its search left it out after the model was made; materialize {spec.name}/model again"
                )
            record_of[family] = read_record(model.folder)
            check_alignment(found, splits, record_of[family], read_training_rows(model.folder))
            candidates.append(Candidate(found, model.folder, model.size, model.sha256))
        record_looks(context, spec, candidates, clean_table, splits)
        with hold_cores(cores(), total=cores(), folder=Home.current().locks) as workers:
            judged = evaluate_all(spec, candidates, table=clean_table, splits=splits, workers=workers)
            for candidate, made in judged:
                family = made.family
                if stored_model(spec.name, family).sha256 != candidate.model_sha256:
                    raise TrainingError(
                        f"{family}: its model was made again meanwhile; materialize {spec.name}/evaluation"
                    )
                evaluations[family] = made
                context.add_asset_metadata(_metadata(made, record_of[family]), partition_key=family)
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


def check_alignment(
    found: SearchResult, splits: DataFrame, record: "ModelRecord", training_rows: Sequence[str]
) -> None:
    """Refuses out-of-fold predictions of other rows, another setting, or another order of classes than the model's.

    Raises:
        TrainingError: they do not belong together.
    """
    rows = tuple(splits.index[splits["part"] == "train"])
    wanted = (rows, record.classes, dict(record.params))
    if (found.row_ids, found.classes, dict(found.params)) != wanted or tuple(training_rows) != rows:
        raise TrainingError(
            f"{found.family}: search, model and splits do not belong together; "
            f"materialize {record.dataset}/tuned_params and {record.dataset}/model again"
        )


def _metadata(made: Evaluation, record: "ModelRecord") -> dict[str, Any]:
    return {
        f"cv_{made.metric}": made.cv_score,
        "cv_standard_error": made.cv_standard_error,
        **{f"test_{name}": value for name, value in made.test_metrics.items()},
        **probabilities_of(record),
        "model_sha256": made.model_sha256,
    }


def probabilities_of(record: "ModelRecord") -> dict[str, Any]:
    """What was done about a classifier's probabilities; nothing of a regression."""
    return {"temperature": record.temperature, "class_weight": record.class_weight} if record.classes else {}


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
