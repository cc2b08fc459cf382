"""The folder of a dataset's versions: what lies where, whose turn it is, and what may go. Its meaning is in `versions`.

::

    current.json            the version that counts, the one before it, the last number given
    pinned.json             the version that a person holds the dataset at
    versions/<id>.json.gz   record of a version, written last
    versions/<id>.parquet   its layout: which rows of which packs
    packs/<sha256>.parquet  rows
    derived/<hash>.json     the version that a clean table was made from
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeGuard

from filelock import FileLock

from ml_assets.artifacts import LEFTOVER_SECONDS, LOCK, storage_errors, write_atomically
from ml_assets.datasets.versions.packs import PackFolder
from ml_assets.datasets.versions.records import RECORD_SUFFIX, Version
from ml_assets.errors import IntegrityError

_HASH: Final = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class VersionFolder:
    """Paths and small files below `root`."""

    root: Path

    @property
    def packs(self) -> PackFolder:
        """The packs."""
        return PackFolder(self.root / "packs")

    @property
    def current(self) -> Path:
        """Which version counts."""
        return self.root / "current.json"

    @property
    def pinned(self) -> Path:
        """Which version the dataset is held at."""
        return self.root / "pinned.json"

    def record(self, identity: str) -> Path:
        """Record of a version."""
        return self.root / "versions" / f"{identity}{RECORD_SUFFIX}"

    def layout(self, identity: str) -> Path:
        """Layout of a version."""
        return self.root / "versions" / f"{identity}.parquet"

    def derived(self, clean_hash: str) -> Path:
        """Which version a clean table was made from."""
        return self.root / "derived" / f"{clean_hash}.json"

    def stored(self, identity: str | None) -> Version | None:
        """The version of that id, or None where it is not kept.

        Raises:
            IntegrityError: its record was damaged.
        """
        if not is_hash(identity):
            return None
        try:
            return Version.load(self.record(identity))
        except FileNotFoundError:
            return None

    def all_stored(self) -> tuple[Version, ...]:
        """Every version, by number.

        Raises:
            IntegrityError: a record was damaged.
        """
        records = (Version.load(file) for file in _files(self.root / "versions") if file.name.endswith(RECORD_SUFFIX))
        return tuple(sorted(records, key=lambda version: version.number))

    @contextmanager
    def turn(self) -> Iterator[None]:
        """While it lasts no other process adds or drops versions; not to be nested."""
        with storage_errors(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            with FileLock(self.root / LOCK):
                yield

    def unneeded(self, dropped: Collection[str], *, now: float) -> list[Path]:
        """Files that may go with the versions `dropped`, their records first, and what killed processes left."""
        kept = [version for version in self.all_stored() if version.id not in dropped]
        records = [path for path in map(self.record, dropped) if path.is_file()]
        needed = {path for v in kept for path in (self.record(v.id), self.layout(v.id), *map(self.packs.path, v.packs))}
        lying = [*_files(self.root / "versions"), *_files(self.packs.folder)]
        ids = {version.id for version in kept}
        derived = [f for f in _files(self.root / "derived") if read_json(f).get("version") not in ids]
        folders = (self.root, self.root / "versions", self.packs.folder, self.root / "derived")
        aside = [file for folder in folders for file in _left_behind(folder, now)]
        return list(dict.fromkeys([*records, *(file for file in lying if file not in needed), *derived, *aside]))


def is_hash(text: object) -> TypeGuard[str]:
    """Whether `text` can be an id or a hash, and so part of a file's name."""
    return isinstance(text, str) and _HASH.fullmatch(text) is not None


def read_json(path: Path) -> Mapping[str, Any]:
    """A small document; empty where there is none.

    Raises:
        IntegrityError: the file was damaged.
    """
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise IntegrityError(f"{path} was damaged: remove it, and what it says is decided anew") from error
    if not isinstance(found, dict):
        raise IntegrityError(f"{path} was damaged: remove it, and what it says is decided anew")
    return found


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Replaces a small document in one rename."""
    write_atomically(path, json.dumps(document, indent=1).encode())


def _files(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if f.is_file() and f.name[0] != ".") if folder.is_dir() else []


def _left_behind(folder: Path, now: float) -> Iterator[Path]:
    for file in folder.glob(".*"):
        with suppress(FileNotFoundError):
            if file.is_file() and file.name != LOCK and now - file.stat().st_mtime > LEFTOVER_SECONDS:
                yield file
