"""The small file by which a running server is found. Running it belongs in `server`, asking it in `probe`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

from ml_assets.artifacts import write_atomically
from ml_assets.errors import IntegrityError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class ServerRecord:
    """Address and process of a server; `started_at` in seconds since the epoch."""

    url: str
    pid: int
    started_at: float

    def write(self, path: Path) -> None:
        """Replaces the file at `path`.

        Raises:
            StorageError: it cannot be written.
        """
        write_atomically(path, json.dumps(asdict(self), indent=1).encode())

    def remove(self, path: Path) -> None:
        """Removes the file at `path` if it still is this record."""
        try:
            current = ServerRecord.read(path)
        except IntegrityError:
            return
        if current == self:
            path.unlink(missing_ok=True)

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The record at `path`, or None where there is none.

        Raises:
            IntegrityError: the file is no server record.
        """
        try:
            content = json.loads(path.read_bytes())
            return cls(str(content["url"]), int(content["pid"]), float(content["started_at"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IntegrityError(
                f"{path} is no server record ({error}): remove it and start the server again"
            ) from error
