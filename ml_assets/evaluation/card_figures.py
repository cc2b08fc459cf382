"""The figures of a model card as numbers with stable names; what is said of them belongs in `card_content`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ml_assets.datasets.spec import Task
from ml_assets.evaluation.card_content import flat
from ml_assets.evaluation.contract_scores import contract_metrics
from ml_assets.evaluation.slices import error_slices

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.evaluation.baseline import Baseline
    from ml_assets.evaluation.comparison import Leaderboard
    from ml_assets.evaluation.gate import Verdict
    from ml_assets.evaluation.optimism import OptimismGap
    from ml_assets.evaluation.record import Evaluation


def card_figures(
    spec: DatasetSpec,
    board: Leaderboard,
    winner: Evaluation,
    baseline: Baseline,
    *,
    table: pd.DataFrame,
    gap: OptimismGap,
    verdict: Verdict | None = None,
) -> dict[str, Any]:
    """Scores, rows, features, settings, slices, costs and verdict by name.

    Args:
        spec: the dataset's contract.
        board: the leaderboard.
        winner: what the card is about.
        baseline: the simplest guess on the same rows.
        table: the clean table.
        gap: the winner's, between folds and test rows.
        verdict: of the promotion gate, where there is one yet.
    """
    return {
        "task": winner.task.value,
        "metric": winner.metric,
        "headline": _headline(winner, baseline),
        "primary": _primary(winner, baseline),
        "optimism_gap": {**asdict(gap), "beyond_noise": gap.beyond_noise},
        "scores": _scores(spec, winner, baseline),
        "rows": {"table": len(table), "train": winner.train_rows, "test": winner.test_rows},
        "features": list(spec.feature_columns),
        "sensitive": [name for name, column in spec.columns.items() if column.sensitive is not None],
        "settings": flat(winner.params),
        "search": {"seconds": winner.search_seconds, "trials": winner.trials, "fit_seconds": winner.fit_seconds},
        "cost": {"ms_per_1000_rows": winner.predict_ms_per_1000_rows, "bytes": winner.model_bytes},
        "slices": _slices(spec, table, winner),
        "leaderboard": board.to_frame().reset_index().to_dict(orient="records"),
        "left_out": dict(board.left_out),
        "verdict": verdict.to_dict() if verdict is not None else None,
    }


def headline_metric(task: Task) -> str:
    """The metric that a card's first sentence tells."""
    return "median_absolute_error" if task is Task.REGRESSION else "accuracy"


def _headline(winner: Evaluation, baseline: Baseline) -> dict[str, Any]:
    name = headline_metric(winner.task)
    return {
        "metric": name,
        "rows": winner.test_rows,
        "model": winner.test_metrics[name],
        "baseline": baseline.test_metrics[name],
    }


def _primary(winner: Evaluation, baseline: Baseline) -> dict[str, Any]:
    return {
        "cross_validated": winner.cv_score,
        "cross_validated_standard_error": winner.cv_standard_error,
        "fold_scores": list(winner.fold_scores),
        "folds": winner.folds_each,
        "test": winner.test_score,
        "test_standard_error": winner.test_standard_error,
        "baseline_cross_validated": baseline.cv_score,
        "baseline_test": baseline.test_score,
    }


def _scores(spec: DatasetSpec, winner: Evaluation, baseline: Baseline) -> dict[str, Any]:
    return {
        name: {
            "label": metric.label,
            "lower_is_better": metric.lower_is_better,
            "unit": spec.columns[spec.target].unit if metric.in_target_units else "",
            "out_of_fold": winner.oof_metrics[name],
            "test": winner.test_metrics[name],
            "baseline": baseline.test_metrics[name],
        }
        for name, metric in contract_metrics(spec).items()
    }


def _slices(spec: DatasetSpec, table: pd.DataFrame, winner: Evaluation) -> Mapping[str, Any]:
    found = error_slices(spec, table, winner)
    return {column: [asdict(part) for part in parts] for column, parts in found.items()}
