"""Which versions and models may go, and their removal. What a version is belongs in `versions`.

The rule: the newest versions stay, and so do the current one, the one the dataset is held at, and every one that
somebody still needs. Who needs what is the caller's to find out, before anything is removed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filelock import FileLock

from ml_assets.artifacts import LEFTOVER_SECONDS, LOCK, ArtifactStore, storage_errors
from ml_assets.datasets.versions.store import TableVersions, Version
from ml_assets.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

DAY: Final = 86_400.0


@dataclass(frozen=True)
class Retention:
    """How many versions a dataset keeps.

    Attributes:
        keep: the newest so many stay whatever else holds; 1 or more.
        older_than_days: younger ones stay too; None lets all go that nothing else keeps.
    """

    keep: int = 10
    older_than_days: float | None = None

    def __post_init__(self) -> None:
        if self.keep < 1:
            raise SettingError(f"keeping {self.keep} versions would leave none; give 1 or more")
        if self.older_than_days is not None and not self.older_than_days >= 0:
            raise SettingError(f"an age of {self.older_than_days:g} days makes no sense; give 0 or more")


@dataclass(frozen=True)
class Freed:
    """What went, or would go.

    Attributes:
        versions: those that are no longer kept, by number.
        models: folders of models.
        bytes: what all of it took on disk, leftovers of killed processes among it.
    """

    versions: tuple[Version, ...] = ()
    models: tuple[Path, ...] = ()
    bytes: int = 0


def expendable(log: Sequence[Version], rule: Retention, *, stays: AbstractSet[str], now: float) -> tuple[Version, ...]:
    """Versions that the rule lets go.

    Args:
        log: all versions of a dataset, by number.
        rule: how many are kept.
        stays: ids of versions that are needed.
        now: seconds since 1970.
    """
    old = log[: -rule.keep]
    if rule.older_than_days is not None:
        old = [version for version in old if now - version.created_at > rule.older_than_days * DAY]
    return tuple(version for version in old if version.id not in stays)


def collect_versions(
    versions: TableVersions, rule: Retention, *, needed: AbstractSet[str], now: float, dry_run: bool = False
) -> Freed:
    """Removes versions that the rule lets go, and what no version needs any more.

    Args:
        versions: of one dataset.
        rule: how many are kept.
        needed: hashes of clean tables, and ids of versions, that must be there still.
        now: seconds since 1970.
        dry_run: tells what would go, and removes nothing.

    Raises:
        IntegrityError: a record was damaged, so that what is needed cannot be told; nothing is removed.
        StorageError: the folder cannot be written.
    """
    if not versions.folder.is_dir():
        return Freed()
    with versions.files.turn():
        held = (versions.current(), versions.pinned(), *map(versions.origin_of, needed))
        stays = needed | {version.id for version in held if version is not None}
        going = expendable(versions.log(), rule, stays=stays, now=now)
        files = versions.files.unneeded({version.id for version in going}, now=now)
        freed = sum(file.stat().st_size for file in files)
        if not dry_run:
            for file in files:
                file.unlink(missing_ok=True)
    return Freed(versions=going, bytes=freed)


def collect_models(
    store: ArtifactStore, key: tuple[str, ...], *, needed: AbstractSet[Path], now: float, dry_run: bool = False
) -> Freed:
    """Removes models that are neither current, nor needed, nor made within the last hour: a run may be at them.

    Args:
        store: where models are kept.
        key: of one dataset's models; each family has a folder there.
        needed: folders of models that must be there still.
        now: seconds since 1970.
        dry_run: tells what would go, and removes nothing.

    Raises:
        IntegrityError: a file that says which model is current cannot be understood.
        StorageError: the folder cannot be written.
    """
    gone, freed = [], 0
    needed = {folder.resolve() for folder in needed}
    place = store.root.joinpath(*key)
    families = sorted(folder for folder in place.iterdir() if folder.is_dir()) if place.is_dir() else []
    for family in families:
        with storage_errors(family), FileLock(family / LOCK):
            current = store.find((*key, family.name))
            for folder in _settled(family, now):
                if (current is None or folder != current.path) and folder.resolve() not in needed:
                    gone.append(folder)
                    freed += sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
                    if not dry_run:
                        _remove(folder)
    return Freed(models=tuple(gone), bytes=freed)


def _settled(family: Path, now: float) -> Iterator[Path]:
    for folder in sorted(family.iterdir()):
        with suppress(FileNotFoundError):
            if folder.is_dir() and now - folder.stat().st_mtime > LEFTOVER_SECONDS:
                yield folder


def _remove(folder: Path) -> None:
    """Removes a folder so that nobody finds half of it: what a killed process leaves is hidden, and goes next time."""
    if not folder.name.startswith("."):
        folder = folder.rename(folder.with_name(f".gone-{folder.name}"))
    shutil.rmtree(folder)
