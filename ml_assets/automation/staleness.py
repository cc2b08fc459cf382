"""What a run would have to make, and why, by Dagster's own staleness. Running it is `launch`'s part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContext

from ml_assets.errors import SourceError
from ml_assets.home import Home

if TYPE_CHECKING:
    from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

    from ml_assets.datasets.spec import DatasetSpec

NEVER_MADE = "never made"
MOST_NAMES = 4


class _Loading(LoadingContext):
    """What Dagster's resolver needs to look things up in batches."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._loaders: dict[Any, Any] = {}

    @property
    def instance(self) -> dg.DagsterInstance:
        return self._instance

    @property
    def loaders(self) -> dict[Any, Any]:
        return self._loaders


@dataclass(frozen=True)
class StaleAssets:
    """What of one dataset is not up to date.

    Attributes:
        keys: assets to make, upstream first.
        reasons: why, a line each for the first causes.
    """

    dataset: str
    keys: tuple[dg.AssetKey, ...]
    reasons: tuple[str, ...]


def find_stale(
    instance: dg.DagsterInstance,
    graph: AssetGraph,
    spec: DatasetSpec,
    families: Sequence[str],
    *,
    asked: Mapping[str, Any],
    everything: bool = False,
) -> StaleAssets:
    """Assets of a dataset to make so that it is up to date for `families`.

    Dagster's code versions and data versions decide, by its own resolver. Two things lie outside its graph and are
    compared here: the files that the raw table is read from, and the settings that somebody asks for by name.

    Args:
        instance: Dagster's instance.
        graph: the asset graph.
        spec: contract of the dataset.
        families: partitions that count.
        asked: settings that count (`budget_seconds`, `trials`, `seed`); for others what was will do.
        everything: call every asset stale.
    """
    keys = [key for key in graph.toposorted_asset_keys if key.path[0] == spec.name]
    if everything:
        return StaleAssets(spec.name, tuple(keys), ("everything is made afresh",))
    outside = {
        dg.AssetKey([spec.name, "raw_table"]): source_reason(instance, spec),
        dg.AssetKey([spec.name, "splits"]): _setting_reason(instance, spec, "splits", [None], asked, ("seed",)),
        dg.AssetKey([spec.name, "tuned_params"]): _setting_reason(
            instance, spec, "tuned_params", families, asked, ("budget_seconds", "trials")
        ),
    }
    causes = {key: reason for key, reason in outside.items() if reason}
    resolver = CachingStaleStatusResolver(instance, graph, _Loading(instance))
    stale = {key for key in keys if _is_stale(resolver, graph, key, families)}
    stale |= causes.keys()
    for key in keys:
        if any(parent in stale for parent in graph.get(key).parent_keys):
            stale.add(key)
    reasons = [*causes.values(), *_root_causes(resolver, graph, stale - causes.keys(), families)]
    ordered = tuple(key for key in keys if key in stale)
    return StaleAssets(spec.name, ordered, tuple(dict.fromkeys(reasons)))


def tables_to_look_at(instance: dg.DagsterInstance, stale: Iterable[StaleAssets]) -> list[dg.AssetKey]:
    """Raw tables that were made before and are stale: only once they are made is it known whether anything changed."""
    keys = (key for dataset in stale for key in dataset.keys if key.path[-1] == "raw_table")
    return [key for key in keys if latest_metadata(instance, key)]


def _partitions(graph: AssetGraph, key: dg.AssetKey, families: Sequence[str]) -> Sequence[str | None]:
    return families if graph.get(key).is_partitioned else [None]


def _is_stale(
    resolver: CachingStaleStatusResolver, graph: AssetGraph, key: dg.AssetKey, families: Sequence[str]
) -> bool:
    statuses = (resolver.get_status(key, partition) for partition in _partitions(graph, key, families))
    return any(status is not StaleStatus.FRESH for status in statuses)


def _root_causes(
    resolver: CachingStaleStatusResolver, graph: AssetGraph, stale: Iterable[dg.AssetKey], families: Sequence[str]
) -> list[str]:
    missing: list[str] = []
    causes: list[str] = []
    for key in sorted(stale, key=lambda k: list(k.path)):
        for partition in _partitions(graph, key, families):
            if resolver.get_status(key, partition) is StaleStatus.MISSING:
                missing.append(key.path[-1])
            causes += [
                f"{cause.asset_key.path[-1]} {cause.reason}" for cause in resolver.get_stale_root_causes(key, partition)
            ]
    names = list(dict.fromkeys(missing))
    told = ", ".join(names[:MOST_NAMES]) + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")
    return [*([f"{NEVER_MADE}: {told}"] if names else []), *dict.fromkeys(causes)]


def latest_metadata(instance: dg.DagsterInstance, key: dg.AssetKey, partition: str | None = None) -> dict[str, Any]:
    """Metadata of an asset's last materialization by name; empty where it was never made."""
    query = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[partition] if partition else None)
    records = instance.fetch_materializations(query, limit=1).records
    event = records[0].asset_materialization if records else None
    return {name: value.value for name, value in event.metadata.items()} if event else {}


def source_reason(instance: dg.DagsterInstance, spec: DatasetSpec, *, never_made: bool = False) -> str | None:
    """Why the raw table is not what its files hold now, or None; a table never made counts only if asked for."""
    from ml_assets.assets.ingestion import source_mode
    from ml_assets.datasets.incoming.arrivals import pending_files
    from ml_assets.datasets.state import raw_state

    home = Home.current()
    made_from = latest_metadata(instance, dg.AssetKey([spec.name, "raw_table"])).get("source_fingerprint")
    try:
        now = raw_state(spec, home, source_mode())
    except SourceError as error:
        return str(error)
    if made_from is None:
        return NEVER_MADE if never_made else None
    if made_from == now:
        return None
    waiting = len(pending_files(spec, home))
    files = f"{waiting} file{'s wait' if waiting > 1 else ' waits'} in data/incoming/{spec.name}"
    return files if waiting else "the sources or batches of raw_table changed"


def _setting_reason(
    instance: dg.DagsterInstance,
    spec: DatasetSpec,
    asset: str,
    partitions: Sequence[str | None],
    asked: Mapping[str, Any],
    names: Sequence[str],
) -> str | None:
    """The first setting asked for that an asset was not made with; none for an asset that was never made."""
    made = [latest_metadata(instance, dg.AssetKey([spec.name, asset]), partition) for partition in partitions]
    for name in names:
        others = [metadata.get(name) for metadata in made if metadata and metadata.get(name) != asked.get(name)]
        if name in asked and others:
            before = "no limit" if others[0] is None else others[0]
            return f"{name} {asked[name]:g} in place of {before}"
    return None
