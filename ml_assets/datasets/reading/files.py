"""Bytes of a file that somebody hands over: which files are read at all, and how large they may be.

What the bytes mean belongs in `formats`; files that come with the project or from an address belong in `sources`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from ml_assets.errors import SourceError

MAX_FILE_BYTES: Final = 2 << 30
BLOCK_BYTES: Final = 1 << 20

_KINDS: Final = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def read_file(path: Path, *, within: Path | None = None) -> bytes:
    """The bytes of the file at `path`.

    Args:
        path: the file.
        within: a folder that the file must lie in. Then a symbolic link is refused too, as whoever may put files into
            the folder need not be allowed to read what it points to.

    Raises:
        SourceError: there is none, it is no plain file, too large, lies elsewhere, or may not be read.
    """
    with _opened(path, within) as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise _too_large(path)
    return content


def file_start(path: Path, size: int) -> bytes:
    """The first `size` bytes of the file at `path`.

    Raises:
        SourceError: as `read_file`.
    """
    with _opened(path, None) as file:
        return file.read(size)


def file_sha256(path: Path) -> str:
    """SHA-256 of the file at `path`, in hexadecimal, read a block at a time.

    Raises:
        SourceError: as `read_file`.
    """
    digest = hashlib.sha256()
    with _opened(path, None) as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def below_home(path: str, home: Path | None) -> Path:
    """The place of a contract's `path`: itself where absolute, else below the home's root.

    Raises:
        SourceError: a relative path leaves the home, or no home is known.
    """
    named = Path(path).expanduser()
    if named.is_absolute():
        return named
    if home is None:
        raise SourceError(f"{path} is a path below the home, and there is none here: give an absolute path")
    try:
        inside = (home / named).resolve().is_relative_to(home.resolve())
    except (OSError, ValueError, RuntimeError) as error:
        raise SourceError(f"{path!r} is no path that can be read ({error})") from error
    if not inside:
        raise SourceError(f"{path} leads out of the home {home}: give an absolute path")
    return home / named


@contextmanager
def _opened(path: Path, within: Path | None) -> Iterator[IO[bytes]]:
    try:
        if within is not None:
            _refuse_elsewhere(path, within)
        _refuse_special(path, path.stat())
        follow = os.O_NOFOLLOW if within is not None else 0
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | follow), "rb") as file:
            _refuse_special(path, os.fstat(file.fileno()))
            yield file
    except FileNotFoundError as error:
        raise SourceError(f"{path} does not exist: check the path") from error
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ELOOP:
            raise _link(path) from error
        raise SourceError(f"{str(path)!r} cannot be read ({error}): check its name and permissions") from error


def _refuse_elsewhere(path: Path, within: Path) -> None:
    if path.is_symlink():
        raise _link(path)
    if not path.resolve().is_relative_to(within.resolve()):
        raise SourceError(f"{path} lies outside of {within}: copy the file into that folder")


def _refuse_special(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "no plain file")
        remedy = "name a file in it" if stat.S_ISDIR(status.st_mode) else "save its content as a file"
        raise SourceError(f"{path} is {kind}, and a file with a table is needed: {remedy}")
    if status.st_size > MAX_FILE_BYTES:
        raise _too_large(path)


def _link(path: Path) -> SourceError:
    return SourceError(f"{path} is a symbolic link, and its target could be anything: put the file itself there")


def _too_large(path: Path) -> SourceError:
    return SourceError(f"{path} has more than {MAX_FILE_BYTES >> 20} MiB: split it into several files")
