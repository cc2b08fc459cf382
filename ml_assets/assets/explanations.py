"""Room 11: what the winner's answers depend on. Finding that out is the core's."""

from dataclasses import replace
from typing import Any

import dagster as dg

from ml_assets.assets.evaluation import scored
from ml_assets.assets.metadata import plots, records_table, table
from ml_assets.assets.policy import contract_version, families_of, of, policy
from ml_assets.assets.types import DataFrame, Evaluation, Explanations, Leaderboard, LeftOut
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.processes import REPORTS, give_way
from ml_assets.resources.settings import Settings
from ml_assets.resources.store import stored_model


def build_explanations(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `explanations`."""

    @dg.asset(
        **policy(spec, "evaluation", kinds={"shap", "matplotlib"}, version=contract_version(spec, "2")),
        ins={
            "clean_table": of(spec, "clean_table"),
            "evaluations": families_of(spec, "evaluation"),
            "comparison": of(spec, "comparison"),
        },
    )
    def explanations(
        clean_table: DataFrame,
        evaluations: dict[str, Evaluation | LeftOut],
        comparison: Leaderboard,
        settings: Settings,
    ) -> dg.MaterializeResult[Explanations]:
        """What the winner's answers depend on: importances, SHAP values, partial dependence, what would change them."""
        from ml_assets.evaluation.explain import explain
        from ml_assets.evaluation.explanation_plots import explanation_plot_set
        from ml_assets.learning.fitted_model import load_verified

        give_way(REPORTS)
        ranked, _ = scored(evaluations)
        winner = ranked[comparison.winner]
        pipeline = load_verified(stored_model(spec.name, winner.family).file, winner.model_sha256)
        found = explain(spec, pipeline, clean_table, winner, seed=settings.seed)
        found = replace(found, plots=explanation_plot_set(spec, found))
        metadata: dict[str, Any] = {
            "family": found.family,
            "importance": table(found.importance),
            "shap_values": table(found.shap),
            "interactions": records_table(found.interactions),
            "explained_rows": found.explained_rows,
            **plots(found.plots),
        }
        return dg.MaterializeResult(value=found, metadata=metadata)

    return explanations
