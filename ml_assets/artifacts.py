"""Artifacts on disk: written aside, named by their content, then made current in one rename. Knows no Dagster.

An artifact is a pandas table, or an object of ours with `save(folder)` and `load(folder)`. One version is one folder
named after the SHA-256 of its files; `current.json` beside the versions says which one counts. A killed process
leaves the earlier version current; a version's bytes are verified whenever it is read. Processes that save the same
key take turns for the moment in which a version becomes current.
"""

from __future__ import annotations

import errno
import hashlib
import importlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

from filelock import FileLock

from ml_assets.errors import IntegrityError, StorageError

POINTER = "current.json"
LOCK = ".lock"
TABLE_FILE = "table.parquet"
TABLE_TYPE = "pandas:DataFrame"
LEFTOVER_SECONDS = 3600.0
"""A hidden file or folder this old was left by a killed process; no save takes that long."""

_REMEDIES = {
    errno.ENOSPC: "the disk is full: free some space, or set ML_ASSETS_HOME to a folder on another disk",
    errno.EDQUOT: "the disk quota is used up: free some space, or set ML_ASSETS_HOME to another folder",
    errno.EROFS: "the file system is read-only: set ML_ASSETS_HOME to a folder that can be written",
    errno.EACCES: "no permission to write: set ML_ASSETS_HOME to a folder that can be written",
    errno.EPERM: "no permission to write: set ML_ASSETS_HOME to a folder that can be written",
    errno.ENOTDIR: "a file is where a folder should be: move it away, or set ML_ASSETS_HOME to another folder",
    errno.EEXIST: "a file is where a folder should be: move it away, or set ML_ASSETS_HOME to another folder",
}


@runtime_checkable
class Artifact(Protocol):
    """What can be stored besides a table."""

    def save(self, folder: Path) -> None:
        """Writes its files into an existing, empty folder."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads back what `save` wrote."""


@dataclass(frozen=True)
class StoredArtifact:
    """Where one version lies and what its bytes hash to."""

    path: Path
    sha256: str
    type_name: str


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns the operating system's refusals to write below `path` into a `StorageError` with the remedy."""
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0)
        if remedy is None:
            raise
        raise StorageError(f"cannot write {path}: {remedy}; earlier artifacts are untouched") from error


def write_atomically(path: Path, content: bytes) -> None:
    """Replaces the file at `path` by `content` in one rename, so that no reader sees half of it."""
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
        try:
            aside.write_bytes(content)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)


def folder_sha256(folder: Path) -> str:
    """SHA-256 over names and bytes of the files in `folder`, in order of name."""
    digest = hashlib.sha256()
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        with file.open("rb") as stream:
            digest.update(f"{file.relative_to(folder).as_posix()}\0{file.stat().st_size}\0".encode())
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


@dataclass(frozen=True)
class ArtifactStore:
    """Versioned artifacts below `root`; a key is a path of names such as ("models", "iris", "model", "svm")."""

    root: Path

    def save(self, key: tuple[str, ...], value: object, *, keep: int | None = 2) -> StoredArtifact:
        """Stores `value` as the current version of `key` and drops all but the newest `keep` versions.

        Args:
            key: where it belongs.
            value: a table or an artifact.
            keep: 1 or more; None keeps every version.

        Raises:
            StorageError: the folder cannot be written; the earlier version stays current.
            TypeError: the value is neither a table nor an artifact.
        """
        place = self.root.joinpath(*key)
        aside = place / f".{os.getpid()}-{uuid.uuid4().hex[:8]}"
        with storage_errors(place):
            aside.mkdir(parents=True)
            try:
                type_name = _write(value, aside)
                sha256 = folder_sha256(aside)
                stored = StoredArtifact(place / sha256[:16], sha256, type_name)
                with FileLock(place / LOCK):
                    _make_current(stored, aside)
                    _prune(place, keep=keep, current=stored.path)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
        return stored

    def find(self, key: tuple[str, ...]) -> StoredArtifact | None:
        """The current version of `key`, or None where nothing was ever stored.

        Raises:
            IntegrityError: the file that says which version is current cannot be understood.
        """
        file = self.root.joinpath(*key, POINTER)
        try:
            pointer = json.loads(file.read_bytes())
            return StoredArtifact(file.parent / pointer["version"], pointer["sha256"], pointer["type"])
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise IntegrityError(f"{file} was changed after it was written: materialize the asset again") from error

    def load(self, key: tuple[str, ...]) -> Any:
        """The current value of `key`, its bytes verified first.

        Raises:
            StorageError: nothing is stored under the key.
            IntegrityError: the stored bytes are not those that were written.
        """
        stored = self.find(key)
        if stored is None:
            raise StorageError(f"'{'/'.join(key)}' is not there yet: materialize it first")
        return read_artifact(stored)


def verify(stored: StoredArtifact) -> None:
    """Makes sure that a stored version is as it was written.

    Raises:
        IntegrityError: the stored bytes are not those that were written.
    """
    if not stored.path.is_dir() or folder_sha256(stored.path) != stored.sha256:
        raise IntegrityError(
            f"{stored.path} is missing or was changed after it was written (SHA-256 {stored.sha256[:12]}… expected): "
            "materialize the asset again"
        )


def read_artifact(stored: StoredArtifact) -> Any:
    """The value of one stored version.

    Raises:
        IntegrityError: the stored bytes are not those that were written, or what they hold is not known here.
    """
    verify(stored)
    if stored.type_name == TABLE_TYPE:
        import pandas as pd

        return pd.read_parquet(stored.path / TABLE_FILE)
    module, _, name = stored.type_name.partition(":")
    if not module.startswith("ml_assets."):
        raise IntegrityError(f"{stored.path} names a foreign type '{stored.type_name}'; it is not loaded")
    try:
        artifact: type[Artifact] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise IntegrityError(
            f"{stored.path} holds a '{stored.type_name}', which this version of ml_assets does not know: "
            "materialize the asset again"
        ) from error
    return artifact.load(stored.path)


def _write(value: object, folder: Path) -> str:
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        value.to_parquet(folder / TABLE_FILE)
        return TABLE_TYPE
    if isinstance(value, Artifact):
        value.save(folder)
        return f"{type(value).__module__}:{type(value).__name__}"
    raise TypeError(f"a {type(value).__name__} is neither a table nor an artifact")


def _make_current(stored: StoredArtifact, aside: Path) -> None:
    version = stored.path
    if version.exists() and folder_sha256(version) != stored.sha256:
        shutil.rmtree(version)
    if not version.exists():
        aside.rename(version)
    version.touch()
    pointer = {"version": version.name, "sha256": stored.sha256, "type": stored.type_name}
    write_atomically(version.parent / POINTER, json.dumps(pointer, indent=1).encode())


def _prune(place: Path, *, keep: int | None, current: Path) -> None:
    """Drops versions beyond the newest `keep`, and what killed processes left behind."""
    hidden = [p for p in place.iterdir() if p.name.startswith(".") and p.name != LOCK]
    old = [p for p in hidden if (age := _age(p)) is not None and age > LEFTOVER_SECONDS]
    if keep is not None:
        versions = [p for p in place.iterdir() if p.is_dir() and p not in hidden and p != current]
        versions.sort(key=lambda p: p.stat().st_mtime, reverse=True)
        old += versions[keep - 1 :]
    for path in old:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _age(path: Path) -> float | None:
    """Seconds since `path` was last changed; None where its owner just removed it."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return None
