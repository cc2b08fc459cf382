"""Things in incoming that cannot be read as files, moved whole into quarantine. Files that can are `intake`'s part.

A link is moved itself and never followed. A kill at any moment leaves the thing in incoming, or in a hidden folder that
`finish_moves` turns into the entry it was to become.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ml_assets.artifacts import storage_errors
from ml_assets.datasets.incoming.folders import drafted, make_whole, safe_name
from ml_assets.validation.quarantine import ORIGINAL, Refusal, write_reasons

MOVING: Final = ".moving-"
_PARTIAL: Final = ".partial"


class NotMovable(Exception):
    """Something that can neither be read nor moved."""


def move_into_quarantine(path: Path, refusal: Refusal, parent: Path, *, step: Callable[[str], None]) -> Path:
    """The entry of `refusal` below `parent`, with what was at `path` in `original/`.

    Raises:
        NotMovable: it lies on another disk and is no file, link or folder.
    """
    place, moving = parent / refusal.entry, parent / f"{MOVING}{refusal.entry}"
    with storage_errors(parent):
        with drafted(parent) as draft:
            write_reasons(refusal, draft)
            (draft / ORIGINAL).mkdir()
            make_whole(draft, moving)
        step("moving")
        try:
            copied = _move(path, moving)
        except OSError as error:
            shutil.rmtree(moving, ignore_errors=True)
            raise NotMovable(f"cannot be moved ({error.strerror or error}): take it away") from error
        step("moved")
        moving.rename(place)
        if copied:
            _remove(path)
    return place


def finish_moves(parent: Path) -> None:
    """Makes entries of what a killed process had moved, and forgets what it had only begun to."""
    for moving in parent.glob(f"{MOVING}*"):
        place = parent / moving.name.removeprefix(MOVING)
        if any((moving / ORIGINAL).iterdir()) and not place.exists():
            moving.rename(place)
        else:
            shutil.rmtree(moving)


def _move(path: Path, moving: Path) -> bool:
    """Puts the thing into `moving`; True if it lies on another disk and was copied, so that it is still there."""
    place = moving / ORIGINAL / safe_name(path.name)
    try:
        path.rename(place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    else:
        return False
    partial = moving / _PARTIAL
    if path.is_symlink():
        partial.symlink_to(os.readlink(path))  # noqa: PTH115  the text of the link, unresolved
    elif path.is_dir():
        shutil.copytree(path, partial, symlinks=True)
    else:
        shutil.copy2(path, partial)
    partial.rename(place)
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
