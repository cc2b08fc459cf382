"""Room 10: the winner's scores with intervals, and where it is wrong most. Finding that out is the core's."""

from typing import Any

import dagster as dg

from ml_assets.assets.evaluation import scored
from ml_assets.assets.metadata import plot, records_table
from ml_assets.assets.policy import contract_version, families_of, of, policy
from ml_assets.assets.types import DataFrame, Diagnostics, Evaluation, Leaderboard, LeftOut
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.processes import REPORTS, give_way
from ml_assets.resources.settings import Settings


def build_diagnostics(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `diagnostics`."""

    @dg.asset(
        **policy(spec, "evaluation", kinds={"scipy", "matplotlib"}, version=contract_version(spec)),
        ins={
            "clean_table": of(spec, "clean_table"),
            "evaluations": families_of(spec, "evaluation"),
            "comparison": of(spec, "comparison"),
        },
    )
    def diagnostics(
        clean_table: DataFrame,
        evaluations: dict[str, Evaluation | LeftOut],
        comparison: Leaderboard,
        settings: Settings,
    ) -> dg.MaterializeResult[Diagnostics]:
        """The winner's metrics with intervals, the slices it serves worst, errors by region, gaps between groups."""
        from ml_assets.evaluation.diagnostics import diagnose
        from ml_assets.evaluation.plots import score_unit
        from ml_assets.evaluation.slice_plots import slices

        give_way(REPORTS)
        ranked, _ = scored(evaluations)
        found = diagnose(spec, clean_table, ranked[comparison.winner], seed=settings.seed)
        metadata: dict[str, Any] = {
            "family": found.family,
            "scores": records_table([score for score in found.scores if not score.label]),
            "worst_slices": records_table(found.slices),
            "slices_beyond_noise": [" and ".join(s.conditions) for s in found.slices if s.beyond_noise],
            "regions": records_table(found.regions),
            "gaps": records_table(found.gaps),
            "slices": plot(slices(found.slices, metric=found.metric, unit=score_unit(spec))),
        }
        return dg.MaterializeResult(value=found, metadata=metadata)

    return diagnostics
