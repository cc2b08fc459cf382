"""The state of all that a raw table is made from, light enough for a sensor. Making the table is `ingestion`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ml_assets.datasets.incoming.intake import source_state
from ml_assets.datasets.versions.store import TableVersions

if TYPE_CHECKING:
    from ml_assets.datasets.sources import Mode
    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.home import Home


def table_versions(home: Home, dataset: str) -> TableVersions:
    """The versions of a dataset's raw table."""
    return TableVersions(home.data / "raw" / dataset)


def raw_state(spec: DatasetSpec, home: Home, mode: Mode, *, waiting: bool = True) -> str:
    """A hash over sources, batches and waiting files, as `source_state`; of a pinned dataset, over its version.

    Raises:
        SourceError: a source cannot be read.
    """
    pinned = table_versions(home, spec.name).pinned()
    if pinned is not None:
        return f"pinned to {pinned.id} under {spec.model_dump_json()}"
    return source_state(spec, home, mode, waiting=waiting)
