"""Named jobs, one for each entry that the pipeline's users know."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from ml_assets.assets.policy import whole_range
from ml_assets.automation import selections


def build_jobs(datasets: Sequence[str]) -> list[dg.UnresolvedAssetJobDefinition]:
    """The jobs over all `datasets`; each makes what it needs, and takes all families unless told otherwise."""
    names = list(datasets)
    entries = {
        "ml_pipeline": (dg.AssetSelection.all(), "Everything, from the raw tables to the retrain decision."),
        "data_preprocessing": (
            selections.upto(names, "features"),
            "Raw tables, their checks, clean tables, splits and features.",
        ),
        "hyperparameter_tuning": (
            selections.upto(names, "tuned_params"),
            "The search for each family's best setting, and what it needs.",
        ),
        "model_comparison": (
            selections.upto(names, "comparison"),
            "Models of all families, their evaluation and leaderboard.",
        ),
        "model_deployment": (
            selections.upto(names, "deployment", "family_report", "model_card", "serving_probe"),
            "The registered winner, the promotion verdict, the model card and what is to see of each family.",
        ),
        "monitoring": (
            selections.monitoring(names),
            "What the server logged: live window, drift, performance, retrain decision.",
        ),
    }
    return [
        dg.define_asset_job(name, selection, description=description, tags=whole_range())
        for name, (selection, description) in entries.items()
    ]
