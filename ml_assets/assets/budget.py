"""The budget of a dataset, from its first row to a champion that can predict: what of it the search has."""

from __future__ import annotations

import time

import dagster as dg

from ml_assets.assets.policy import key
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.resources.settings import Settings

AFTER_SECONDS = 10.0
"""What comes after the final fits, up to the champion, however many models there are."""
EACH_MODEL_SECONDS = 0.25
"""What comes on top for every model: its place among those of the ensemble, and its evaluation."""
EACH_MEGABYTE_SECONDS = 0.08
"""What comes on top for every megabyte of a family's model, before compression: it is written and read."""
BEFORE = ("raw_table", "clean_table", "splits", "features")
STARTING_SECONDS = 0.5
"""What starting the process of a step takes."""
WAITED = "waited_seconds"
"""Metadata of a step that waited for cores which others held; that does not count."""
SMALLEST_SHARE = 0.3
"""Part of the budget that the search has at the least, however long the other steps take."""


def seconds_for_search(context: dg.AssetExecutionContext, spec: DatasetSpec, settings: Settings) -> float:
    """Seconds from now that the search of this run may take, final fits included; infinite without a budget."""
    budget = settings.seconds * settings.budget_share
    names = [f"{spec.name}__{asset}" for asset in (*BEFORE, "tuned_params")]
    stats = context.instance.get_run_step_stats(context.run.run_id, step_keys=names)
    begun, now = [s for s in stats if s.start_time is not None], time.time()
    used = sum((s.end_time or now) - (s.start_time or now) + STARTING_SECONDS for s in begun)
    if any(s.step_key == f"{spec.name}__features" for s in begun):
        used -= _waited(context.instance, key(spec, "features"))
    return max(budget - used - AFTER_SECONDS, SMALLEST_SHARE * budget)


def _waited(instance: dg.DagsterInstance, asset: dg.AssetKey) -> float:
    """Seconds that the last materialization of an asset waited for cores."""
    event = instance.get_latest_materialization_event(asset)
    made = event.asset_materialization if event is not None else None
    waited = made.metadata.get(WAITED) if made is not None else None
    return float(waited.value) if isinstance(waited, dg.FloatMetadataValue) and waited.value is not None else 0.0
