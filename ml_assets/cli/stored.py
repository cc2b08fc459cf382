"""What the last run left of an asset, for commands that read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ml_assets.errors import UserError

if TYPE_CHECKING:
    from ml_assets.datasets.spec import DatasetSpec


def stored(spec: DatasetSpec, asset: str) -> Any:
    """The current content of an asset that is not partitioned.

    Raises:
        UserError: it was never made.
    """
    import dagster as dg

    from ml_assets.resources.store import artifact_key, artifact_store

    key, store = artifact_key(dg.AssetKey([spec.name, asset])), artifact_store()
    if store.find(key) is None:
        raise UserError(f"{spec.name} has no {asset} yet: run `ml-assets run {spec.name}`")
    return store.load(key)
