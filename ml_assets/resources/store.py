"""Dagster's way to the artifact store: an IO manager that keeps one artifact an asset, or one a partition."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from ml_assets.artifacts import ArtifactStore, StoredArtifact, read_artifact, verify
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.errors import StorageError
from ml_assets.home import Home

if TYPE_CHECKING:
    from ml_assets.learning.left_out import LeftOut

RAW_TABLE = "raw_table"
"""The asset that keeps its own versions, below `raw`."""

FOLDERS = {
    "clean_table": "processed",
    "splits": "processed",
    "data_profile": "reports",
    "features": "processed",
    "tuned_params": "models",
    "model": "models",
    "registered_model": "models",
    "deployment": "models",
    "evaluation": "reports",
    "comparison": "reports",
    "diagnostics": "reports",
    "explanations": "reports",
    "model_card": "reports",
}
OTHER_FOLDER = "monitoring"
KEPT_FOR_GOOD = frozenset({"model"})


def artifact_key(asset_key: dg.AssetKey, partition: str | None = None) -> tuple[str, ...]:
    """Where an asset `<dataset>/<asset>` is kept below `data`: folder, dataset, asset, partition."""
    dataset, asset = asset_key.path
    return (FOLDERS.get(asset, OTHER_FOLDER), dataset, asset, *([partition] if partition else []))


def artifact_store() -> ArtifactStore:
    """The store of the current home."""
    return ArtifactStore(Home.current().data)


class ArtifactIOManager(dg.ConfigurableIOManager):
    """Stores what assets return and hands it to the next ones; partitioned assets give and get a dict by partition.

    The data version of an asset is the hash of the bytes stored, so that Dagster calls downstream assets stale
    when an input's content changed. Partitions made in one step share a version, the hash over all of them.
    """

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Stores a value, or a value for each partition."""
        store, key = artifact_store(), context.asset_key
        keep = None if key.path[-1] in KEPT_FOR_GOOD else 2
        if context.has_asset_partitions:
            wanted = context.asset_partition_keys
            stored = {p: store.save(artifact_key(key, p), obj[p], keep=keep) for p in wanted}
            digest = hashlib.sha256("".join(stored[p].sha256 for p in sorted(stored)).encode()).hexdigest()
        else:
            stored = {"": store.save(artifact_key(key), obj, keep=keep)}
            digest = stored[""].sha256
        context.add_output_metadata({"path": _paths(stored), "sha256": digest})
        context.step_context.set_data_version(key, dg.DataVersion(digest))

    def load_input(self, context: dg.InputContext) -> Any:
        """The stored value, or a dict of them by partition; partitions never stored are left out.

        Raises:
            StorageError: nothing at all is stored.
        """
        store, key = artifact_store(), context.asset_key
        if key.path[-1] == RAW_TABLE:
            return current_raw_table(key)
        if not context.has_asset_partitions:
            return store.load(artifact_key(key))
        places = {p: artifact_key(key, p) for p in context.asset_partition_keys}
        there = {p: store.load(place) for p, place in places.items() if store.find(place) is not None}
        if not there:
            raise StorageError(_not_there(key, *places))
        return PartitionValues(key, there)


def current_raw_table(key: dg.AssetKey) -> Any:
    """The raw table that was accepted last, as Polars.

    Raises:
        StorageError: there is none yet.
        IntegrityError: the files that hold it were changed.
    """
    from ml_assets.datasets.state import table_versions

    versions = table_versions(Home.current(), key.path[0])
    version = versions.current()
    if version is None:
        raise StorageError(f"'{key.to_user_string()}' is not there yet: materialize it first")
    return versions.read(version)


class PartitionValues(dict[str, Any]):
    """Values of an asset by partition; asking for one that was never stored says what to do about it."""

    def __init__(self, key: dg.AssetKey, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.key = key

    def __missing__(self, partition: str) -> Any:
        raise StorageError(_not_there(self.key, partition))


def _not_there(key: dg.AssetKey, *partitions: str) -> str:
    return f"'{key.to_user_string()}' is not there yet for {', '.join(partitions)}: materialize it first"


def _paths(stored: dict[str, StoredArtifact]) -> dg.MetadataValue[Any]:
    if "" in stored:
        return dg.MetadataValue.path(str(stored[""].path))
    return dg.MetadataValue.json({partition: str(s.path) for partition, s in stored.items()})


def stored_families(spec: DatasetSpec, asset: str, families: Iterable[str]) -> dict[str, Any]:
    """What is stored of an asset for some families; those for which nothing is are left out."""
    store, key = artifact_store(), dg.AssetKey([spec.name, asset])
    places = {family: artifact_key(key, family) for family in families}
    return {family: store.load(place) for family, place in places.items() if store.find(place) is not None}


@dataclass(frozen=True)
class StoredModel:
    """The pipeline file of the current model of a family.

    Attributes:
        folder: the model's folder, content-addressed and never overwritten.
        file: the pipeline in it.
        sha256: hash of the pipeline file's bytes.
        size: bytes of the pipeline file.
    """

    folder: Path
    file: Path
    sha256: str
    size: int


def stored_model(dataset: str, family: str) -> StoredModel:
    """The current model of `family` on `dataset`.

    Raises:
        StorageError: there is none yet.
    """
    return _file_of(_current_model(dataset, family))


def model_or_left_out(dataset: str, family: str) -> StoredModel | LeftOut:
    """The current model of `family`, its bytes verified and not loaded, or why there is none.

    Raises:
        StorageError: nothing is stored yet.
        IntegrityError: the stored bytes are not those that were written.
    """
    from ml_assets.learning.left_out import FILE

    stored = _current_model(dataset, family)
    if (stored.path / FILE).is_file():
        left_out: LeftOut = read_artifact(stored)
        return left_out
    verify(stored)
    return _file_of(stored)


def _current_model(dataset: str, family: str) -> StoredArtifact:
    stored = artifact_store().find(artifact_key(dg.AssetKey([dataset, "model"]), family))
    if stored is None:
        raise StorageError(f"{dataset}: there is no {family} model yet; run `ml-assets run {dataset}`")
    return stored


def _file_of(stored: StoredArtifact) -> StoredModel:
    from ml_assets.learning.fitted_model import PIPELINE_FILE

    file = stored.path / PIPELINE_FILE
    with file.open("rb") as stream:
        return StoredModel(stored.path, file, hashlib.file_digest(stream, "sha256").hexdigest(), file.stat().st_size)
