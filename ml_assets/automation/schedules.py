"""The schedule; it is off until somebody turns it on."""

from __future__ import annotations

import dagster as dg


def build_schedules(jobs: list[dg.UnresolvedAssetJobDefinition]) -> list[dg.ScheduleDefinition]:
    """A weekly run of `ml_pipeline`, early on Monday."""
    pipeline = next(job for job in jobs if job.name == "ml_pipeline")
    return [
        dg.ScheduleDefinition(
            name="weekly",
            job=pipeline,
            cron_schedule="0 4 * * 1",
            default_status=dg.DefaultScheduleStatus.STOPPED,
            description="Everything, every Monday at 04:00 UTC.",
        )
    ]
