"""A table under check: structure tested once, rows named by batch and number. Checks: `contract_checks`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from ml_assets.datasets.identity import BATCH, ROW_ID
from ml_assets.validation import schemas
from ml_assets.validation.outcomes import ROWS_KEPT, ROWS_SHOWN, FailingRow, rows_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from ml_assets.datasets.spec import DatasetSpec

ABSENT_COLUMN = "column_in_dataframe"
EXTRA_COLUMN = "column_in_schema"


@dataclass(frozen=True)
class Subject:
    """A table numbered from 0, with where each row came from and what is wrong with its structure."""

    spec: DatasetSpec
    table: pd.DataFrame
    names: tuple[str, ...]
    places: pd.DataFrame
    """columns row_id, batch and row, one row for each of `table`"""
    structure: pd.DataFrame
    """failures of the schema"""

    @classmethod
    def of(cls, spec: DatasetSpec, raw: pd.DataFrame, names: tuple[str, ...]) -> Subject:
        """`raw` prepared for checks of columns `names`."""
        table = raw.drop(columns=BATCH, errors="ignore").reset_index(drop=True)
        batches = raw[BATCH].astype(str).to_numpy() if BATCH in raw.columns else [""] * len(raw)
        places = pd.DataFrame({ROW_ID: raw.index.astype(str), BATCH: batches})
        places = places.assign(row=places.groupby(BATCH).cumcount() + 1)
        return cls(spec, table, names, places, schemas.failures(schemas.structure(spec, names), table))

    @property
    def sound(self) -> tuple[str, ...]:
        """Columns whose values can be looked at: there once, and of the right type."""
        faulty = set(self.structure["column"])
        return tuple(n for n in self.names if list(self.table.columns).count(n) == 1 and n not in faulty)

    def rows(self, cases: pd.DataFrame, limit: int = ROWS_KEPT) -> tuple[FailingRow, ...]:
        """The first `limit` of `cases` that name a row."""
        placed = cases[cases["position"] >= 0].head(limit)
        found = self.places.iloc[placed["position"].to_numpy(dtype="int64")]
        return tuple(
            FailingRow(row_id, batch, int(row), str(column), str(value)[:80])
            for row_id, batch, row, column, value in zip(
                found[ROW_ID], found[BATCH], found["row"], placed["column"], placed["value"], strict=True
            )
        )

    def sentences(self, cases: pd.DataFrame, fault: Callable[[str], str]) -> list[str]:
        """For each column in `cases`: how many values it has that `fault(column)`, and in which rows."""
        sentences = []
        for column, of_column in cases.groupby("column", sort=False):
            rows = rows_text(self.rows(of_column, ROWS_SHOWN), len(of_column))
            values = "value" if len(of_column) == 1 else "values"
            sentences.append(f"column '{column}' has {len(of_column)} {values} {fault(str(column))} ({rows})")
        return sentences

    def named(self, positions: Any, column: str, value: str) -> pd.DataFrame:
        """Cases for whole rows at `positions`, under one column and value."""
        return pd.DataFrame({"column": column, "value": value, "position": positions}).astype({"position": "int64"})
