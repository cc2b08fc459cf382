"""Folders that appear whole or not at all, and names that are safe for them. What lies in them belongs elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import time
import unicodedata
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ml_assets.artifacts import storage_errors

DRAFT: Final = ".draft-"
LONGEST_STEM: Final = 60
LONGEST_NAME: Final = 200


@contextmanager
def drafted(parent: Path, *, prefix: str = DRAFT) -> Iterator[Path]:
    """An empty hidden folder in `parent`, gone at the end of the block unless `make_whole` gave it its place.

    Args:
        parent: where it lies; made if it is not there.
        prefix: how its name begins.

    Raises:
        StorageError: `parent` cannot be written.
    """
    with storage_errors(parent):
        draft = parent / f"{prefix}{os.getpid()}-{uuid.uuid4().hex[:8]}"
        draft.mkdir(parents=True)
        try:
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def make_whole(draft: Path, place: Path) -> None:
    """Gives a finished draft its place in one rename, once its files are on the disk and not only on their way there.

    Raises:
        FileExistsError: something is at `place` already; the draft stays as it is.
    """
    if os.path.lexists(place):
        raise FileExistsError(f"{place} is there already")
    for folder, _, files in os.walk(draft):
        for name in files:
            _sync(Path(folder) / name)
        _sync(Path(folder))
    draft.rename(place)
    _sync(place.parent)


def clear_drafts(parent: Path, *, prefix: str = DRAFT, older_than: float | None = None) -> None:
    """Removes drafts that killed processes left in `parent`: all, or those last changed before a moment."""
    for draft in parent.glob(f"{prefix}*"):
        if older_than is None or draft.lstat().st_mtime < older_than:
            shutil.rmtree(draft, ignore_errors=True)


def clean_stem(name: str) -> str:
    """`name` up to its first dot in letters, digits, `_` and `-`, at most 60 of them; `file` where none is left."""
    plain = unicodedata.normalize("NFKD", name.lstrip(".")).encode("ascii", "ignore").decode()
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", plain.partition(".")[0]).strip("-_")
    return stem[:LONGEST_STEM].rstrip("-_") or "file"


def safe_name(name: str) -> str:
    """`name` for a file of ours: printable, without slashes, not hidden, at most 200 bytes, its ending kept."""
    printable = "".join(c if c.isprintable() and c not in "/\\" else "_" for c in name).lstrip(".") or "file"
    while len(printable.encode()) > LONGEST_NAME:
        printable = printable[1:]
    return printable


def shown_name(name: str) -> str:
    """`name` as messages and records may show it: what cannot be printed is escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in name)


def utc_text(moment: float) -> str:
    """A moment in seconds since 1970 as `2026-11-23T10:00:00Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def _sync(path: Path) -> None:
    if not path.is_symlink() and (path.is_dir() or path.is_file()):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
