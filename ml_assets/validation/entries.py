"""Entries of the quarantine: listed, found by name, released. Writing them belongs in `quarantine`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ml_assets.artifacts import storage_errors, write_atomically
from ml_assets.datasets.incoming.arrivals import intake_lock
from ml_assets.datasets.incoming.folders import utc_text
from ml_assets.errors import IntegrityError, UnknownNameError, UserError
from ml_assets.home import Home
from ml_assets.validation.quarantine import ORIGINAL, REASON_FILE, ROWS_FILE, TABLE_FILE

RELEASED: Final = "released"
RELEASE_FILE: Final = "release.json"
_COMPRESSIONS: Final = frozenset({".gz", ".bz2", ".xz", ".zst", ".zip"})


@dataclass(frozen=True)
class Entry:
    """One entry; `reason` is what `reason.json` says, see `Refusal`."""

    folder: Path
    reason: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name, part of commands."""
        return self.folder.name

    @property
    def dataset(self) -> str:
        """The dataset that it was handed in for."""
        return self.folder.parent.name

    @property
    def rows_file(self) -> Path | None:
        """The refused rows, or the refused table, as delimited text; None for a file kept as it was handed in."""
        return next((self.folder / n for n in (ROWS_FILE, TABLE_FILE) if (self.folder / n).is_file()), None)

    @property
    def original(self) -> Path | None:
        """What was handed in, where it is kept whole; it may be a link or a folder."""
        kept = self.folder / ORIGINAL
        return next(kept.iterdir(), None) if kept.is_dir() else None


def entries(home: Home, dataset: str | None = None) -> tuple[Entry, ...]:
    """Entries that are not released, by dataset and name.

    Raises:
        IntegrityError: a `reason.json` cannot be understood.
    """
    folders = home.quarantine.glob(f"{dataset or '*'}/*")
    there = (f for f in folders if f.is_dir() and f.name != RELEASED and not f.name.startswith("."))
    return tuple(read_entry(folder) for folder in sorted(there))


def read_entry(folder: Path) -> Entry:
    """The entry in `folder`.

    Raises:
        IntegrityError: its `reason.json` cannot be understood.
    """
    try:
        return Entry(folder, dict(json.loads((folder / REASON_FILE).read_bytes())))
    except (OSError, ValueError, TypeError) as error:
        raise IntegrityError(
            f"{folder / REASON_FILE} is missing or was changed: look at what is beside it, hand that in again if it "
            "is right, and remove the folder"
        ) from error


def find_entry(home: Home, name: str) -> Entry:
    """The entry called `name` or `<dataset>/<name>`; the beginning will do where it fits one entry only.

    Raises:
        UnknownNameError: there is none; the message offers the nearest.
        UserError: several begin so.
    """
    known = {f"{entry.dataset}/{entry.name}": entry for entry in entries(home)}
    whole = [entry for path, entry in known.items() if name in (path, entry.name)]
    found = whole or [entry for path, entry in known.items() if path.startswith(name) or entry.name.startswith(name)]
    if not found:
        raise UnknownNameError("quarantine entry", name, [entry.name for entry in known.values()])
    if len(found) > 1:
        places = ", ".join(f"{entry.dataset}/{entry.name}" for entry in found[:5])
        raise UserError(f"'{name}' begins {len(found)} quarantine entries ({places}): give more of the name")
    return found[0]


def release(home: Home, entry: Entry, *, reason: str, now: Callable[[], float]) -> Path:
    """Puts what an entry holds back into incoming, as corrected in place, and the entry under `released/`.

    It is validated again like any other file, under the contract as it then is.

    Args:
        home: the home.
        entry: which.
        reason: why, for the record.
        now: the clock.

    Returns:
        The file in incoming.

    Raises:
        UserError: the entry is no file that could be handed in, or was released and still waits.
        StorageError: the home cannot be written.
    """
    with storage_errors(home.incoming), intake_lock(home, entry.dataset):
        content, ending = _content(entry)
        file = home.incoming / entry.dataset / f"released-{entry.name}{ending}"
        if file.exists() and file.read_bytes() != content:
            raise UserError(f"{file} was released earlier and still waits: let a run take it, then release this one")
        write_atomically(file, content)
        set_aside(entry.folder, {"reason": reason, "file": file.name}, now=now())
    return file


def set_aside(folder: Path, why: Mapping[str, Any], *, now: float) -> Path:
    """Moves an entry that is dealt with to `released/`, with `release.json`: why and when."""
    write_atomically(folder / RELEASE_FILE, (json.dumps({**why, "when": utc_text(now)}, indent=1) + "\n").encode())
    place, number = folder.parent / RELEASED / folder.name, 1
    place.parent.mkdir(exist_ok=True)
    while place.exists():
        number += 1
        place = place.with_name(f"{folder.name}-{number}")
    folder.rename(place)
    return place


def _content(entry: Entry) -> tuple[bytes, str]:
    """Bytes to hand in again, and the ending of their file's name."""
    if entry.reason.get("kind") == "rows" and entry.rows_file is not None:
        return entry.rows_file.read_bytes(), ".csv"
    original = entry.original
    if original is None:
        raise UserError(
            f"{entry.name} is the whole table, put together from the sources and batches: correct those, or the "
            "contract, and run again"
        )
    if original.is_symlink() or not original.is_file():
        raise UserError(f"{original} is no plain file: hand in the file itself, and remove {entry.folder}")
    return original.read_bytes(), _ending(original.name)


def _ending(name: str) -> str:
    endings = Path(name).suffixes
    return "".join(endings[-2:] if endings and endings[-1].lower() in _COMPRESSIONS else endings[-1:])
