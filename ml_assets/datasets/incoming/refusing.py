"""What is refused of one dataset's incoming files, as entries of its quarantine. Judging them is `desk`'s part."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_assets.datasets.incoming.batches import content_name
from ml_assets.datasets.incoming.folders import safe_name, shown_name
from ml_assets.errors import IntegrityError
from ml_assets.validation.entries import Entry, read_entry, set_aside
from ml_assets.validation.quarantine import ORIGINAL, ROWS_FILE, Reason, Refusal, write_reasons, write_rows

if TYPE_CHECKING:
    from ml_assets.datasets.incoming.arrivals import HandedIn
    from ml_assets.datasets.incoming.screening import Screened
    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.validation.outcomes import CheckOutcome


@dataclass(frozen=True)
class Refused:
    """A file that is refused as a whole, and why.

    Attributes:
        rows: data rows in it, if it could be read.
        checks: outcomes of the table's checks, where those refuse it.
    """

    summary: str
    reasons: Sequence[Reason]
    rows: int | None = None
    checks: Sequence[CheckOutcome] = ()


@dataclass(frozen=True)
class Refusing:
    """Writes entries of one dataset's quarantine, `folder`."""

    spec: DatasetSpec
    folder: Path
    now: Callable[[], float]

    def write_rows(self, draft: Path, file: HandedIn, entry: str, batch: str, screened: Screened) -> None:
        """The refused rows of a file whose others are in `batch`."""
        count = len(screened.bad.cells)
        write_rows(screened.bad, draft / ROWS_FILE)
        told = self._refusal(
            file.name,
            entry,
            sha256=file.sha256,
            kind="rows",
            rows=screened.rows,
            refused=count,
            summary=f"{count} of {screened.rows} rows break{'s' if count == 1 else ''} the contract",
            remedy=f"correct {ROWS_FILE} here and type `ml-assets quarantine release {entry}`",
            reasons=screened.reasons,
            batch=batch,
        )
        write_reasons(told, draft)

    def write_file(self, draft: Path, file: HandedIn, entry: str, refused: Refused) -> None:
        """A whole file."""
        (draft / ORIGINAL).mkdir()
        (draft / ORIGINAL / safe_name(file.path.name)).write_bytes(file.content)
        told = self._refusal(
            file.name,
            entry,
            sha256=file.sha256,
            kind="file",
            rows=refused.rows,
            refused=refused.rows,
            summary=refused.summary,
            remedy="correct the file and hand it in again, or correct the contract and type "
            f"`ml-assets quarantine release {entry}`",
            reasons=refused.reasons,
            checks=refused.checks,
        )
        write_reasons(told, draft)

    def thing(self, path: Path, why: str) -> Refusal:
        """The refusal of something that cannot be read; each has an entry of its own."""
        status, name = path.lstat(), shown_name(path.name)
        mark = f"{status.st_dev} {status.st_ino} {status.st_mtime_ns} {self.now()}"
        return self._refusal(
            name,
            content_name(path.name, hashlib.sha256(mark.encode()).hexdigest(), ()),
            sha256="",
            kind="file",
            rows=None,
            refused=None,
            summary=f"{name} {why}",
            remedy="hand in a plain file with the table",
            reasons=[Reason(None, "", "", "file", why)],
        )

    def entry_of(self, file: HandedIn) -> Entry | None:
        """The entry that holds the very bytes of `file`, or rows of them."""
        for folder in self.folder.glob(f"*-{file.sha256[:8]}*"):
            try:
                entry = read_entry(folder)
            except IntegrityError:
                continue
            if entry.reason.get("sha256") == file.sha256:
                return entry
        return None

    def entry_name(self, file: HandedIn, known: Entry | None) -> str:
        """What an entry for `file` is called, that of `known` being set aside."""
        there = {folder.name for folder in self.folder.glob(f"*-{file.sha256[:8]}*")}
        return content_name(file.path.name, file.sha256, there - {known.name if known else ""})

    def set_aside(self, entry: Entry | None, why: str) -> None:
        """An entry of the same bytes that no longer holds: of an earlier contract, or of an intake that was killed."""
        if entry is not None:
            set_aside(entry.folder, {"reason": why}, now=self.now())

    def _refusal(self, file: str, entry: str, **told: Any) -> Refusal:
        return Refusal(dataset=self.spec.name, entry=entry, file=file, when=self.now(), **told)
