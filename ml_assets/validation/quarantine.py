"""Where what was refused lies: an entry a file or table, with the reason. Refusing belongs in `contract_checks`.

Which rows of an incoming file are refused is `screening`'s part, and the way back into incoming that of `release`.
"""

from __future__ import annotations

import csv
import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import polars as pl

from ml_assets.artifacts import storage_errors
from ml_assets.datasets.identity import ROW_ID, index_of
from ml_assets.datasets.incoming.folders import drafted, make_whole, utc_text
from ml_assets.datasets.raw import row_ids
from ml_assets.datasets.reading.formulas import disarmed, formula_mask
from ml_assets.errors import StorageError

if TYPE_CHECKING:
    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.validation.outcomes import CheckOutcome

REASON_FILE: Final = "reason.json"
TEXT_FILE: Final = "reason.txt"
ROWS_FILE: Final = "rows.csv"
TABLE_FILE: Final = "table.csv"
ORIGINAL: Final = "original"
TABLE_DRAFT: Final = ".table-"
"""How hidden folders begin that a refused table is written into, which no lock guards."""

REASONS_KEPT: Final = 10_000
REASONS_TOLD: Final = 20

Kind = Literal["rows", "file", "table"]


@dataclass(frozen=True)
class Reason:
    """What is wrong with one cell, or (without a column) one row, or (without a row) the file.

    Attributes:
        row: 1-based number of the data row in the file.
        rule: the rule that it breaks, in a word.
        message: a sentence that names the column and its value, and the remedy.
    """

    row: int | None
    column: str
    value: str
    rule: str
    message: str


@dataclass(frozen=True)
class Refusal:
    """Why something is in quarantine.

    Attributes:
        entry: its name there, part of commands.
        file: what the file was called when it was handed in; the dataset's name for a whole table.
        sha256: of the bytes handed in; empty for what is no plain file.
        kind: `rows` of a file whose others were taken, a whole `file`, or a whole `table`.
        when: seconds since 1970.
        rows: data rows in the file or table, if it could be read; `refused` of them are here.
        summary: a sentence.
        remedy: what to do about it.
        reasons: cell by cell.
        checks: outcomes of the table's checks, where those refused.
        batch: id of the batch that the other rows are in.
    """

    dataset: str
    entry: str
    file: str
    sha256: str
    kind: Kind
    when: float
    rows: int | None
    refused: int | None
    summary: str
    remedy: str
    reasons: Sequence[Reason] = ()
    checks: Sequence[CheckOutcome] = ()
    batch: str | None = None


@dataclass(frozen=True)
class RefusedRows:
    """Refused rows as their file wrote them, in file order.

    Attributes:
        header: the file's own header.
        cells: the cells of each row; a ragged line has more or fewer than the header.
        delimiter: what stood between them, and does so again in `rows.csv`, so that they read as they did.
    """

    header: Sequence[str]
    cells: Sequence[Sequence[str | None]]
    delimiter: str = ","


def quarantine(
    spec: DatasetSpec,
    raw: pl.DataFrame,
    outcomes: Iterable[CheckOutcome],
    folder: Path,
    *,
    now: Callable[[], float] = time.time,
) -> Path:
    """The entry of a refused raw table, `<folder>/<dataset>/table-<hash>`, with `table.csv` and the reasons.

    The same table refused twice is kept once, with the reasons of the first time. The entry appears whole or not at
    all.

    Args:
        spec: the contract that refused.
        raw: the refused table.
        outcomes: what the checks found; only failed ones are written.
        folder: the quarantine of the home.
        now: the clock.

    Raises:
        StorageError: the folder cannot be written.
    """
    ids = row_ids(raw)
    entry = f"table-{hashlib.sha256(','.join(raw.columns).encode() + ids.tobytes()).hexdigest()[:8]}"
    place = folder / spec.name / entry
    if place.is_dir():
        return place
    failed = tuple(outcome for outcome in outcomes if not outcome.passed)
    refusal = Refusal(
        dataset=spec.name,
        entry=entry,
        file=spec.name,
        sha256="",
        kind="table",
        when=now(),
        rows=raw.height,
        refused=raw.height,
        summary="; ".join(outcome.summary for outcome in failed),
        remedy=f"correct the source, or the contract {spec.name}.yaml if the table is right, and run again",
        checks=failed,
    )
    try:
        with drafted(place.parent, prefix=TABLE_DRAFT) as draft:
            named = pl.Series(ROW_ID, index_of(ids).tolist(), dtype=pl.String)
            _disarmed_frame(raw).insert_column(0, named).write_csv(draft / TABLE_FILE)
            write_reasons(refusal, draft)
            store_entry(draft, place)
    except OSError as error:
        if place.is_dir():
            return place
        remedy = "make room, or make it writable"
        raise StorageError(f"{place} cannot be written ({error.strerror}): {remedy}") from error
    return place


def store_entry(draft: Path, place: Path) -> None:
    """Gives a finished draft its place in quarantine."""
    with storage_errors(place):
        make_whole(draft, place)


def write_reasons(refusal: Refusal, draft: Path) -> None:
    """Writes `reason.json` for programs and `reason.txt` for people."""
    told = {
        **{name: value for name, value in vars(refusal).items() if name not in ("reasons", "checks", "when")},
        "when": utc_text(refusal.when),
        "counts": _counts(refusal.reasons),
        "reasons": [asdict(reason) for reason in refusal.reasons[:REASONS_KEPT]],
        "checks": [asdict(outcome) for outcome in refusal.checks],
    }
    text = json.dumps(told, indent=1, default=str, ensure_ascii=False)
    (draft / REASON_FILE).write_text(text + "\n", encoding="utf-8")
    (draft / TEXT_FILE).write_text(_reason_text(refusal), encoding="utf-8")


def write_rows(rows: RefusedRows, file: Path) -> None:
    """Writes refused rows as delimited text that a spreadsheet shows and does not run."""
    with file.open("w", encoding="utf-8", newline="") as sink:
        writer = csv.writer(sink, delimiter=rows.delimiter, lineterminator="\n")
        for cells in (rows.header, *rows.cells):
            writer.writerow([disarmed(cell or "") for cell in cells])


def _disarmed_frame(frame: pl.DataFrame) -> pl.DataFrame:
    texts = {name: frame[name] for name, kind in frame.schema.items() if kind == pl.String}
    masks = {name: formula_mask(values) for name, values in texts.items()}
    return frame.with_columns(
        pl.when(mask).then("'" + texts[name]).otherwise(texts[name]).alias(name)
        for name, mask in masks.items()
        if mask.any()
    )


def _counts(reasons: Iterable[Reason]) -> list[Mapping[str, Any]]:
    """How many cells break which rule in which column, most first."""
    counted = Counter((reason.rule, reason.column) for reason in reasons)
    return [{"rule": rule, "column": column, "cells": n} for (rule, column), n in counted.most_common()]


def _reason_text(refusal: Refusal) -> str:
    here = "is here whole"
    if refusal.kind == "rows":
        others = f"the others are in batch {refusal.batch}" if refusal.batch else "there are no others"
        here = f"has {refusal.refused} of its {refusal.rows} rows here, {others}"
    cells = [reason for reason in refusal.reasons if reason.row is not None]
    lines = [
        f"{refusal.file} of {utc_text(refusal.when)}, for {refusal.dataset}, {here}.",
        "",
        f"Why: {refusal.summary}.",
        *(f"  {reason_line(asdict(reason))}" for reason in cells[:REASONS_TOLD]),
    ]
    if len(cells) > REASONS_TOLD:
        lines.append(f"  and {len(cells) - REASONS_TOLD} more in {REASON_FILE}")
    lines += [f"  {outcome.name}: {outcome.summary}" for outcome in refusal.checks if not outcome.passed]
    return "\n".join([*lines, "", f"What to do: {refusal.remedy}.", ""])


def reason_line(reason: Mapping[str, Any]) -> str:
    """One reason as a line: `row 17: column 'pH' holds '99', and …`."""
    return reason["message"] if reason["row"] is None else f"row {reason['row']}: {reason['message']}"
