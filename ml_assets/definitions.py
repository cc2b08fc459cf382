"""`build_defs()`: the one place where everything Dagster sees is put together."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import dagster as dg

from ml_assets.assets.policy import FITS
from ml_assets.datasets.contracts import load_contracts
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.processes import STEP_MODULES, cores, one_thread_each

LIGHT_STEPS = 4
"""Steps beyond one a core: they mostly read and write, or compute at a lower priority than fits."""

FITTING_STEPS = 3
"""One that fits on all cores, and those that have loaded and take them as soon as they are free."""


def build_defs(
    *,
    contracts: Mapping[str, DatasetSpec] | None = None,
    resource_overrides: Mapping[str, Any] | None = None,
    executor: dg.ExecutorDefinition | None = None,
) -> dg.Definitions:
    """Everything: assets and checks of every dataset, jobs, schedule, sensors, resources.

    Args:
        contracts: datasets by name; those that come with the package by default.
        resource_overrides: resources that take the place of those of the same name.
        executor: by default one process a step, forked from a server that loaded the heavy libraries once.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Parameter `backfill_policy`", category=dg.BetaWarning)
        from ml_assets.assets import build_dataset_assets
        from ml_assets.automation.jobs import build_jobs
        from ml_assets.automation.schedules import build_schedules
        from ml_assets.automation.sensors import build_sensors
        from ml_assets.resources.settings import default_settings
        from ml_assets.resources.store import ArtifactIOManager
        from ml_assets.resources.tracking import Tracking

        specs = contracts if contracts is not None else load_contracts()
        jobs = build_jobs(list(specs))
        resources = {"io_manager": ArtifactIOManager(), "settings": default_settings(), "tracking": Tracking()}
        return dg.Definitions(
            assets=[asset for spec in specs.values() for asset in build_dataset_assets(spec)],
            jobs=jobs,
            schedules=build_schedules(jobs),
            sensors=build_sensors(specs),
            resources={**resources, **(resource_overrides or {})},
            executor=executor or process_executor(),
        )


def process_executor() -> dg.ExecutorDefinition:
    """One process a step, forked from a server that loaded the heavy libraries once."""
    one_thread_each()
    return dg.multiprocess_executor.configured(
        {
            "max_concurrent": cores() + LIGHT_STEPS,
            "start_method": {"forkserver": {"preload_modules": list(STEP_MODULES)}},
            "tag_concurrency_limits": [{**FITS, "limit": FITTING_STEPS}],
        }
    )


defs = build_defs()
