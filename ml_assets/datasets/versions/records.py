"""What is known of a version besides its rows, and how that is written down. Keeping versions belongs in `versions`."""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from ml_assets.artifacts import write_atomically
from ml_assets.datasets.versions.layout import Pack
from ml_assets.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SHORT: Final = 12
"""Characters of an id that people are shown."""
RECORD_SUFFIX: Final = ".json.gz"


@dataclass(frozen=True)
class Version:
    """One content of a raw table.

    Attributes:
        id: SHA-256 of the content, in hexadecimal.
        number: 1 for the dataset's first, then counted on; never given twice.
        created_at: seconds since 1970.
        columns: contract columns and `batch`, in order.
        parent: id of the version that was current before; it may be gone by now.
        added: rows that the parent does not have; of a first version, all of them.
        removed: rows that only the parent has.
        changed: rows of the same key with other values, where the contract has a key; they count as neither of those.
        bytes_added: about what keeping the version took on disk.
        batches: rows of each batch.
        contract: the contract that was in force, as JSON has it.
        source_fingerprint: state of the sources that the table was read from.
        packs: files that hold the rows.
        layout_sha256: of the file that says which rows of the packs.
    """

    id: str
    number: int
    created_at: float
    rows: int
    columns: tuple[str, ...]
    parent: str | None
    added: int
    removed: int
    changed: int
    bytes_added: int
    batches: Mapping[str, int]
    contract: Mapping[str, Any]
    source_fingerprint: str
    packs: tuple[Pack, ...]
    layout_sha256: str

    @property
    def short(self) -> str:
        """The beginning of the id, which is enough to name it."""
        return self.id[:SHORT]

    @property
    def label(self) -> str:
        """What a person calls the version."""
        return f"version {self.number} ({self.short})"

    def to_bytes(self) -> bytes:
        """The record as compressed JSON; the checksum in it tells damage."""
        return gzip.compress(json.dumps(asdict(self)).encode(), mtime=0)

    def save(self, path: Path) -> None:
        """Writes the record in one rename."""
        write_atomically(path, self.to_bytes())

    @classmethod
    def load(cls, path: Path) -> Self:
        """The record at `path`.

        Raises:
            FileNotFoundError: there is no such record.
            IntegrityError: it was damaged.
        """
        try:
            record = json.loads(gzip.decompress(path.read_bytes()))
            packs, columns = tuple(Pack(**pack) for pack in record["packs"]), tuple(record["columns"])
            return cls(**{**record, "packs": packs, "columns": columns})
        except (EOFError, gzip.BadGzipFile, zlib.error, ValueError, TypeError, KeyError) as error:
            raise IntegrityError(
                f"{path} was damaged: put it back from a copy, or remove it, and with it this one version"
            ) from error
