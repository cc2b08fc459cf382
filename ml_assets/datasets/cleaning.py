"""From the raw table to the clean one: values put right, rows a model cannot learn from out. Checks: `validation`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pandas as pd
import polars as pl

from ml_assets.datasets.corrections import correct
from ml_assets.datasets.identity import BATCH, ROW_ID, index_of
from ml_assets.datasets.raw import conform_raw, occurrences, row_hashes, row_ids, to_pandas

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ml_assets.datasets.spec import DatasetSpec

CORRECTION_COLUMNS: Final = (ROW_ID, "source", "row", "column", "was", "becomes", "reason")


@dataclass(frozen=True)
class CleanResult:
    """A clean table, what became of every row that is not in it, and which values were put right."""

    table: pd.DataFrame
    """contract columns, indexed by the row_id that the row has in the raw table"""
    dropped: pd.DataFrame
    """columns row_id and reason, one row for each dropped row"""
    corrections: pd.DataFrame
    """columns `CORRECTION_COLUMNS`, one row for each correction that was made"""
    counts: Mapping[str, int]
    """`rows_in`, `rows_out`, rows dropped for each reason, corrections made or overtaken, kept rows at each cap"""


def clean(spec: DatasetSpec, raw: pl.DataFrame) -> CleanResult:
    """The rows of a raw table that a model can learn from, as a pandas table in the types of `to_pandas`.

    The contract's corrections are applied. Rows without a finite target are dropped, and so are exact copies of
    earlier rows where the contract says so; where they are kept they have ids of their own, and the splits keep them
    on one side.

    Raises:
        ContractViolation: a column is missing or holds something else than is promised, or a corrected value is not
            what the correction says it was.
    """
    table = conform_raw(spec, raw, origin="raw table")
    ids = row_ids(table)
    table, corrected = correct(spec, table)
    reasons = _reasons(spec, table, ids)
    out = reasons.is_not_null()
    kept = table.filter(~out).select(list(spec.columns))
    dropped = pd.DataFrame(
        {ROW_ID: index_of(ids[out.to_numpy()]).astype(object), "reason": reasons.filter(out).to_numpy()}, dtype=object
    )
    by_reason = {str(reason): int(n) for reason, n in dropped["reason"].value_counts().items()}
    counts = {"rows_in": len(table), "rows_out": len(kept), **by_reason}
    corrections = _corrections(spec, ids, corrected)
    overtaken = len(spec.corrections) - len(corrections)
    made = {"values corrected": len(corrections), "corrections overtaken by a later batch": overtaken}
    return CleanResult(
        table=to_pandas(spec, kept, ids=ids[~out.to_numpy()]),
        dropped=dropped,
        corrections=corrections,
        counts={**counts, **{what: n for what, n in made.items() if n}, **_at_caps(spec, kept)},
    )


def _reasons(spec: DatasetSpec, table: pl.DataFrame, ids: NDArray[np.uint64]) -> pl.Series:
    """Why each row is dropped, null where it is kept; of several reasons the first."""
    target, column = pl.col(spec.target), spec.columns[spec.target]
    lacking = "is still awaited" if spec.key else "is missing"
    rules = [(target.is_null(), f"target '{spec.target}' {lacking}")]
    if column.dtype == "float":
        rules.append((target.is_infinite(), f"target '{spec.target}' is infinite"))
    if spec.duplicates == "drop":
        copies = occurrences(row_hashes(table, [n for n in table.columns if n != BATCH])) > 0
        rules.append((pl.lit(pl.Series(copies)), "exact copy of an earlier row"))
    rules.append((pl.lit(pl.Series(ids)).is_first_distinct().not_(), "row id came before"))
    reason = pl.coalesce([pl.when(rule).then(pl.lit(text)) for rule, text in rules])
    return table.select(reason.alias("reason")).to_series()


def _corrections(spec: DatasetSpec, ids: NDArray[np.uint64], positions: Sequence[int | None]) -> pd.DataFrame:
    made = [(at, c) for at, c in zip(positions, spec.corrections, strict=True) if at is not None]
    names = index_of(ids[[at for at, _ in made]])
    rows = [
        (row_id, c.source, c.row, c.column, c.was, c.becomes, c.reason)
        for row_id, (_, c) in zip(names, made, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(CORRECTION_COLUMNS))


def _at_caps(spec: DatasetSpec, table: pl.DataFrame) -> dict[str, int]:
    caps = {name: c.capped_at for name, c in spec.columns.items() if c.capped_at is not None}
    counts = table.select((pl.col(name) == cap).sum() for name, cap in caps.items())
    return {f"'{name}' at its cap of {cap:.12g}": int(counts[name].item()) for name, cap in caps.items()}
