"""The desk at which incoming files are judged, one after the other, and put where they belong.

The round over all files is `intake`'s part, the judgement on rows `screening`'s, how entries look `refusing`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from ml_assets.artifacts import LEFTOVER_SECONDS
from ml_assets.datasets.incoming.arrivals import (
    HandedIn,
    NotTaken,
    Unreadable,
    claim,
    give_back,
    handed_in,
    seconds_to_settle,
)
from ml_assets.datasets.incoming.batches import (
    BatchRecord,
    batch_records,
    batches,
    batches_folder,
    content_name,
    next_number,
    record_batch,
    write_batch,
)
from ml_assets.datasets.incoming.folders import clear_drafts, drafted, shown_name
from ml_assets.datasets.incoming.intake_report import FileReport
from ml_assets.datasets.incoming.moves import NotMovable, finish_moves, move_into_quarantine
from ml_assets.datasets.incoming.refusing import Refused, Refusing
from ml_assets.datasets.incoming.screening import Screened, kind_of, read_handed_in, screen
from ml_assets.datasets.reading.rows import incoming_source
from ml_assets.datasets.spec import DatasetSpec, SourceFile
from ml_assets.errors import ContractViolation, SourceError
from ml_assets.home import Home
from ml_assets.validation.outcomes import CheckOutcome
from ml_assets.validation.quarantine import TABLE_DRAFT, Reason, store_entry

ENDINGS: Final = (
    *(".csv", ".tsv", ".txt", ".data", ".parquet", ".jsonl", ".ndjson", ".json", ".xlsx", ".xlsm"),
    *(".gz", ".bz2", ".xz", ".zst", ".zip"),
)


@dataclass
class Desk:
    """What one round of intake knows: the contract, the home, the batches so far, the raw table's maker and checks."""

    spec: DatasetSpec
    home: Home
    base: Callable[[Mapping[str, pl.DataFrame]], pl.DataFrame]
    check: Callable[[pl.DataFrame], list[CheckOutcome]]
    now: Callable[[], float]
    settle_seconds: float
    step: Callable[[str], None]

    def __post_init__(self) -> None:
        self._accepted = batches_folder(self.spec, self.home)
        self._quarantine = self.home.quarantine / self.spec.name
        self._refusing = Refusing(self.spec, self._quarantine, self.now)
        clear_drafts(self._accepted)
        clear_drafts(self._quarantine)
        clear_drafts(self._quarantine, prefix=TABLE_DRAFT, older_than=self.now() - LEFTOVER_SECONDS)
        finish_moves(self._quarantine)
        self._taken = {record.sha256: record.id for record in batch_records(self.spec, self.home)}
        self._frames = batches(self.spec, self.home)

    def take(self, path: Path, *, labels_wait: bool) -> FileReport | None:
        """What became of the file at `path`; None for late labels, if they are to wait for the other files."""
        name = shown_name(path.name)
        if seconds_to_settle(path, now=self.now(), settle_seconds=self.settle_seconds) > 0:
            return _left(name, f"changed less than {self.settle_seconds:g} s ago")
        try:
            with handed_in(path) as file:
                self.step("read")
                return self._judge(file, labels_wait=labels_wait)
        except NotTaken as why:
            return _left(name, str(why))
        except Unreadable as why:
            return self._move_away(path, name, str(why))

    def _judge(self, file: HandedIn, *, labels_wait: bool) -> FileReport | None:
        if (batch := self._taken.get(file.sha256)) is not None:
            self._remove(self._claimed(file))
            return FileReport(file.name, "taken already", f"was taken already as batch {batch}; removed", batch)
        try:
            source = self._source(file)
            read = read_handed_in(self.spec, source, file.content)
            if labels_wait and kind_of(self.spec, read) == "labels":
                return None
            screened = screen(self.spec, source, read, table=lambda: self.base(self._frames))
        except (SourceError, ContractViolation) as error:
            return self._refuse(file, Refused(str(error), [Reason(None, "", "", "file", str(error))]))
        if (why := screened.refuses_file(self.spec)) is not None:
            return self._refuse(file, Refused(why, screened.reasons, screened.rows))
        id = content_name(file.path.name, file.sha256, self._taken.values())
        if (refused := self._broken_table(id, screened)) is not None:
            return self._refuse(file, refused)
        return self._accept(file, id, source, screened)

    def _source(self, file: HandedIn) -> SourceFile:
        """How the file is read; told from the bytes that were read, under its name."""
        if file.name != file.path.name or "\\" in file.name:
            raise SourceError(f"{file.name} has characters that no file name should have: rename the file")
        if file.path.suffix.lower() not in ENDINGS:
            raise SourceError(f"{file.name} does not end like a table ({', '.join(ENDINGS)}): rename it, if it is one")
        return incoming_source(self.spec, file.path, file.content)

    def _broken_table(self, id: str, screened: Screened) -> Refused | None:
        """The refusal of rows with which the whole table breaks its contract.

        Raises:
            NotTaken: it does without them too, so that nothing can be said of them.
            SourceError, ContractViolation: it cannot be put together even without them.
        """
        try:
            table = self.base({**self._frames, id: screened.good})
        except (SourceError, ContractViolation) as error:
            self.base(self._frames)
            return Refused(str(error), [Reason(None, "", "", "table", str(error))], screened.rows)
        failed = _failed(self.check(table))
        if not failed:
            return None
        before = {outcome.name for outcome in _failed(self.check(self.base(self._frames)))}
        if before.issuperset(outcome.name for outcome in failed):
            raise NotTaken(f"waits, as the table breaks its contract without it: {failed[0].summary}")
        why = f"with it the table breaks its contract: {'; '.join(outcome.summary for outcome in failed)}"
        return Refused(why, screened.reasons, screened.rows, failed)

    def _accept(self, file: HandedIn, id: str, source: SourceFile, screened: Screened) -> FileReport:
        refused, known = len(screened.bad.cells), self._refusing.entry_of(file)
        entry = self._refusing.entry_name(file, known) if refused else None
        with ExitStack() as drafts:
            draft = drafts.enter_context(drafted(self._accepted))
            aside = drafts.enter_context(drafted(self._quarantine)) if entry is not None else draft
            if entry is not None:
                self._refusing.write_rows(aside, file, entry, id, screened)
            record = BatchRecord(
                id=id,
                number=next_number(self.spec, self.home),
                kind=screened.kind,
                file=file.name,
                sha256=file.sha256,
                taken_at=self.now(),
                rows=screened.rows,
                accepted=screened.good.height,
                refused=refused,
                read_as=source.model_dump(mode="json", exclude_defaults=True, exclude={"name", "path"}),
                quarantined=entry,
            )
            write_batch(draft, record, screened.good, file.content)
            self.step("written")
            claimed = self._claimed(file)
            self._refusing.set_aside(known, f"validated again and taken as batch {id}")
            if entry is not None:
                store_entry(aside, self._quarantine / entry)
                self.step("quarantined")
            record_batch(self.spec, self.home, draft, record)
            self.step("recorded")
        self._taken[file.sha256] = id
        self._frames[id] = screened.good
        self._remove(claimed)
        rest = f", {refused} refused: see `ml-assets quarantine show {entry}`" if refused else ""
        told = f"{record.accepted} {screened.kind} taken as batch {id}{rest}"
        return FileReport(file.name, "accepted", told, id, entry, record.accepted, refused)

    def _refuse(self, file: HandedIn, refused: Refused) -> FileReport:
        """Puts the whole file into quarantine, unless its bytes are there already."""
        known, rows = self._refusing.entry_of(file), refused.rows or 0
        if known is not None and known.reason["kind"] == "file":
            self._remove(self._claimed(file))
            told = f"is in quarantine already as {known.name}: {refused.summary}"
            return FileReport(file.name, "refused", told, None, known.name, 0, rows)
        entry = self._refusing.entry_name(file, known)
        with drafted(self._quarantine) as draft:
            self._refusing.write_file(draft, file, entry, refused)
            self.step("written")
            claimed = self._claimed(file)
            self._refusing.set_aside(known, "validated again and refused as a whole")
            store_entry(draft, self._quarantine / entry)
            self.step("quarantined")
        self._remove(claimed)
        told = f"refused ({entry} in quarantine): {refused.summary}"
        return FileReport(file.name, "refused", told, None, entry, 0, rows)

    def _move_away(self, path: Path, name: str, why: str) -> FileReport:
        """Moves into quarantine what cannot be read."""
        try:
            refusal = self._refusing.thing(path, why)
            move_into_quarantine(path, refusal, self._quarantine, step=self.step)
        except NotMovable as obstacle:
            return _left(name, f"{why}, and {obstacle}")
        except FileNotFoundError:
            return _left(name, "was taken away meanwhile")
        told = f"refused ({refusal.entry} in quarantine): {why}"
        return FileReport(name, "refused", told, None, refusal.entry)

    def _claimed(self, file: HandedIn) -> Path:
        """The file out of reach of its name, known to be the one that was read.

        Raises:
            NotTaken: it is not, or no more.
        """
        try:
            claimed = claim(file.path)
        except FileNotFoundError as error:
            raise NotTaken("was taken away meanwhile") from error
        if claimed is None:
            raise NotTaken("waits for another file of its name")
        self.step("claimed")
        if not file.unchanged(claimed):
            give_back(claimed)
            raise NotTaken("changed while it was taken")
        return claimed

    def _remove(self, claimed: Path) -> None:
        claimed.unlink(missing_ok=True)
        self.step("removed")


def _failed(outcomes: list[CheckOutcome]) -> list[CheckOutcome]:
    return [outcome for outcome in outcomes if outcome.blocking and not outcome.passed]


def _left(name: str, why: str) -> FileReport:
    return FileReport(name, "left", f"left in incoming: {why}")
