"""Which assets belong to a task that people name; what starts them belongs in the other modules here."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

LIVE = ("live_window", "drift_report", "live_performance", "retrain_decision")
"""Assets that look at what the server logged, not at the tables."""

TRAINING = (
    "raw_table",
    "data_profile",
    "clean_table",
    "splits",
    "features",
    "tuned_params",
    "model",
    "evaluation",
    "comparison",
    "diagnostics",
    "explanations",
    "registered_model",
    "deployment",
    "family_report",
    "model_card",
    "monitoring_baseline",
)
"""Assets from the raw table to the promotion verdict and the card, and the baseline that monitoring compares with."""


def keys(dataset: str, assets: Sequence[str]) -> list[dg.AssetKey]:
    """Keys of the named assets of one dataset."""
    return [dg.AssetKey([dataset, asset]) for asset in assets]


def monitoring(datasets: Sequence[str]) -> dg.AssetSelection:
    """What looks at the live rows of these datasets."""
    return dg.AssetSelection.assets(*(key for dataset in datasets for key in keys(dataset, LIVE)))


def upto(datasets: Sequence[str], *assets: str) -> dg.AssetSelection:
    """The named assets of these datasets and everything they are made from."""
    return dg.AssetSelection.assets(*(key for dataset in datasets for key in keys(dataset, assets))).upstream()
