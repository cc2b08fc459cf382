"""Dagster's instance in the home: runs, events, sensors' cursors. Starting runs is `launch`'s part."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ml_assets.artifacts import storage_errors
from ml_assets.home import Home

if TYPE_CHECKING:
    import dagster as dg

CONFIGURATION = """\
# Written once by ml_assets; yours to change. SQLite in this folder unless a storage is named here.
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  runs:
    max_concurrent_runs: 2
    tag_concurrency_limits:
      - key: ml_assets/dataset
        value: {applyLimitPerUniqueValue: true}
        limit: 1
"""


def prepare_dagster_home(home: Home) -> None:
    """Makes the home's `DAGSTER_HOME` with a configuration, and names it in the environment.

    Raises:
        StorageError: the home cannot be written.
    """
    with storage_errors(home.root):
        home.dagster.mkdir(parents=True, exist_ok=True)
        configuration = home.dagster / "dagster.yaml"
        if not configuration.exists():
            configuration.write_text(CONFIGURATION)
    os.environ["DAGSTER_HOME"] = str(home.dagster)
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")


def open_instance(home: Home) -> dg.DagsterInstance:
    """The Dagster instance of `home`."""
    prepare_dagster_home(home)
    import dagster as dg

    return dg.DagsterInstance.get()
