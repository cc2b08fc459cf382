"""Files in incoming as the operating system has them: which there are, whether one is still written, reading it safely.

What becomes of a file belongs in `intake`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock

from ml_assets.datasets.incoming.folders import shown_name
from ml_assets.datasets.reading.files import MAX_FILE_BYTES
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.home import Home

SETTLE_SECONDS: Final = 2.0
"""A file that changed less than this ago may still be being copied."""

CLAIMED: Final = ".taking"
TEMPORARY_STARTS: Final = (".", "~", "#")
TEMPORARY_ENDS: Final = (".tmp", ".part", ".crdownload", ".swp")
_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


@dataclass(frozen=True)
class HandedIn:
    """A plain file that was read whole while nobody wrote to it; open, so that later writing shows.

    Attributes:
        path: where it lies.
        content: its bytes.
        sha256: their hash, in hexadecimal.
        descriptor: of the open file.
        state: what told it from a changed one.
    """

    path: Path
    content: bytes
    sha256: str
    descriptor: int
    state: tuple[int, ...]

    @property
    def name(self) -> str:
        """Its name, as it can be shown."""
        return shown_name(self.path.name)

    def unchanged(self, path: Path) -> bool:
        """Whether `path` is this very file, as it was read, and nobody has it open for writing."""
        try:
            there = _state(path.lstat())
        except OSError:
            return False
        return there == self.state == _state(os.fstat(self.descriptor)) and not open_for_writing(self.descriptor, path)


class NotTaken(Exception):
    """A file that is left where it is for now."""


class Unreadable(Exception):
    """Something in incoming that is no file to be read; its message says why."""


def incoming_folder(spec: DatasetSpec, home: Home) -> Path:
    """Where files for a dataset are handed in."""
    return home.incoming / spec.name


def pending_files(spec: DatasetSpec, home: Home) -> tuple[Path, ...]:
    """What was handed in and is neither accepted nor refused yet, by name; hidden and temporary names are left out.

    A file that a killed process had begun to take is among them.
    """
    folder = incoming_folder(spec, home)
    claimed = _paths(folder / CLAIMED)
    named = [path for path in _paths(folder) if not is_temporary(path.name)]
    return tuple(sorted([*claimed, *named], key=lambda path: (path.name, path.parent != folder / CLAIMED)))


def intake_lock(home: Home, dataset: str) -> FileLock:
    """The lock of whoever changes what is incoming, accepted or refused of a dataset."""
    home.locks.mkdir(parents=True, exist_ok=True)
    return FileLock(home.locks / f"intake-{dataset}.lock")


def is_temporary(name: str) -> bool:
    """Whether a name is one that programs give to files they are not done with."""
    return name.startswith(TEMPORARY_STARTS) or name.lower().endswith(TEMPORARY_ENDS)


def seconds_to_settle(path: Path, *, now: float, settle_seconds: float) -> float:
    """How long until a file is as old as it has to be; 0 where it is, or is gone."""
    try:
        changed = path.lstat().st_mtime
    except OSError:
        return 0.0
    age = now - changed
    return settle_seconds - age if abs(age) < settle_seconds else 0.0


@contextmanager
def handed_in(path: Path) -> Iterator[HandedIn]:
    """The plain file at `path`, read; links are never followed, and nothing that could block is opened.

    Raises:
        NotTaken: it is gone, still open for writing, or changed while it was read.
        Unreadable: it is no plain file, may not be read, or is too large.
    """
    try:
        before = path.lstat()
        if not stat.S_ISREG(before.st_mode):
            raise Unreadable(f"is {_kind(before.st_mode)}, not a file")
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError as error:
        raise NotTaken("was taken away meanwhile") from error
    except PermissionError as error:
        raise Unreadable("may not be read: change its permissions") from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Unreadable("is a symbolic link, not a file") from error
        raise
    try:
        yield _read(path, descriptor, before)
    finally:
        os.close(descriptor)


def open_for_writing(descriptor: int, path: Path) -> bool:
    """Whether somebody has the file open for writing; False where the operating system does not tell.

    Linux grants a read lease only on a file that nobody writes to. The lease is given back at once; a writer that comes
    in between is told by a signal, here one that by default does nothing.
    """
    granted = _lease(descriptor)
    return granted is False and _leases_work(path.parent)


def claim(path: Path) -> Path | None:
    """Moves a file into the hidden folder of files being taken, out of reach of its name; None if one like it is there.

    It stays on its file system. Whoever finds it there after a kill takes it up again.
    """
    if path.parent.name == CLAIMED:
        return path
    claimed = path.parent / CLAIMED / path.name
    claimed.parent.mkdir(exist_ok=True)
    if os.path.lexists(claimed):
        return None
    path.rename(claimed)
    return claimed


def give_back(claimed: Path) -> None:
    """Puts a claimed file back under its name, unless a new file has that name."""
    place = claimed.parent.parent / claimed.name
    try:
        os.link(claimed, place, follow_symlinks=False)
    except OSError:
        return
    claimed.unlink()


def forget_claims(spec: DatasetSpec, home: Home) -> None:
    """Removes the folder of claimed files, if none is left in it."""
    with suppress(OSError):
        (incoming_folder(spec, home) / CLAIMED).rmdir()


def _paths(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _read(path: Path, descriptor: int, before: os.stat_result) -> HandedIn:
    opened = os.fstat(descriptor)
    if _state(opened) != _state(before):
        raise NotTaken("changed while it was opened")
    if opened.st_size > MAX_FILE_BYTES:
        raise Unreadable(f"has more than {MAX_FILE_BYTES >> 20} MiB: split it into several files")
    if open_for_writing(descriptor, path):
        raise NotTaken("is still open for writing")
    with os.fdopen(os.dup(descriptor), "rb") as stream:
        content = stream.read(MAX_FILE_BYTES + 1)
    handed = HandedIn(path, content, hashlib.sha256(content).hexdigest(), descriptor, _state(opened))
    if len(content) != opened.st_size or not handed.unchanged(path):
        raise NotTaken("changed while it was read")
    return handed


def _state(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _lease(descriptor: int) -> bool | None:
    """Whether a read lease is granted; None where there are no leases, or not for us."""
    try:
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except (ImportError, AttributeError):
        return None
    except OSError as error:
        return False if error.errno == errno.EAGAIN else None
    return True


def _leases_work(folder: Path) -> bool:
    """Whether the file system of `folder` grants leases at all: tried on a file that is nobody's."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".lease-") as probe:
            descriptor = os.open(probe.name, _FLAGS)
            probe.close()
            try:
                return _lease(descriptor) is True
            finally:
                os.close(descriptor)
    except OSError:
        return False


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISFIFO(mode):
        return "a named pipe"
    return "a device" if stat.S_ISBLK(mode) or stat.S_ISCHR(mode) else "a socket"
