"""Importing this does once, in Dagster's fork server, what each step's process would do first: resolve the graph."""

from __future__ import annotations

from dagster import reconstructable
from dagster._core.execution.api import create_execution_plan

from ml_assets.automation.launch import pipeline_job
from ml_assets.definitions import defs

defs.get_repository_def()
create_execution_plan(reconstructable(pipeline_job))
