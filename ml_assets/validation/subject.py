"""A table under check: structure tested once, columns cleared in one pass, rows named. Checks: `contract_checks`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import polars as pl

from ml_assets.datasets.identity import BATCH, index_of, mix
from ml_assets.datasets.raw import from_pandas, occurrences, polars_type, repeated_positions, row_hashes
from ml_assets.validation import schemas
from ml_assets.validation.cases import Cases
from ml_assets.validation.history import History
from ml_assets.validation.outcomes import ROWS_KEPT, ROWS_SHOWN, CheckOutcome, FailingRow, rows_text, severity_of
from ml_assets.validation.rules import Rule
from ml_assets.validation.rules import value_rules as value_rules_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandera.pandas as pa
    from numpy.typing import NDArray

    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.validation.outcomes import Figures

ABSENT_COLUMN: Final = "column_in_dataframe"
EXTRA_COLUMN: Final = "column_in_schema"
LARGEST_HANDED: Final = 1000
"""Rows of a column that pandera is given at most; if more break a rule, their number is Polars' count."""


@dataclass(frozen=True)
class Subject:
    """A table, where its rows came from, and what is wrong with its structure.

    Attributes:
        table: without `batch`; missing is null, and a float is never NaN.
        names: columns that it should have.
        batches: the column `batch`, made a series only when a row is to be named.
        structure: failures of the schema.
        sound: those of `names` whose values can be looked at.
        named: whether rows have ids.
    """

    spec: DatasetSpec
    table: pl.DataFrame
    names: tuple[str, ...]
    batches: pl.DataFrame
    structure: pd.DataFrame
    sound: tuple[str, ...]
    history: History
    named: bool = True

    @classmethod
    def of(cls, spec: DatasetSpec, raw: pl.DataFrame, history: History) -> Subject:
        """A raw table prepared for its checks."""
        names = tuple(spec.columns)
        table = raw.drop(BATCH, strict=False)
        structure = _structure(spec, table)
        faulty = set(structure["column"])
        sound = tuple(name for name in names if name in table.columns and name not in faulty)
        floats = [name for name in sound if table.schema[name] == pl.Float64]
        odd = table.select(pl.col(floats).is_nan().any()).row(0) if floats else ()
        table = table.with_columns(pl.col(name).fill_nan(None) for name, nan in zip(floats, odd, strict=True) if nan)
        batches = raw.select(BATCH) if BATCH in raw.columns else _one_batch("", raw.height)
        return cls(spec, table, names, batches, structure, sound, history)

    @classmethod
    def to_predict(cls, spec: DatasetSpec, rows: pd.DataFrame, *, origin: str) -> Subject:
        """The feature columns of pandas `rows` prepared for checks; their columns are those of a clean table."""
        names = spec.feature_columns
        chosen = rows[[name for name in names if name in rows.columns]].reset_index(drop=True)
        structure = schemas.failures(schemas.pandas_structure(spec, names), chosen)
        faulty, columns = set(structure["column"]), list(chosen.columns)
        sound = tuple(name for name in names if columns.count(name) == 1 and name not in faulty)
        kept = spec.model_copy(update={"columns": {name: spec.columns[name] for name in sound}})
        table = from_pandas(kept, chosen[list(sound)])
        batches = _one_batch(origin, len(rows))
        return cls(spec, table, names, batches, structure, sound, History(), named=False)

    @property
    def rows_in(self) -> int:
        """Rows of the table."""
        return self.batches.height

    @cached_property
    def rules(self) -> list[Rule]:
        """Rules on the values of sound columns; infinite targets are left to the check of the target."""
        finite = ~pl.col(self.spec.target).is_infinite()
        rules = value_rules_of(self.spec, self.sound)
        target_is_float = self.spec.columns[self.spec.target].dtype == "float"
        return [
            Rule(rule.column, rule.name, rule.broken & finite.fill_null(True), rule.message)
            if target_is_float and rule.column == self.spec.target
            else rule
            for rule in rules
            if not (rule.column == self.spec.target and rule.name == "finite")
        ]

    @cached_property
    def counts(self) -> dict[str, int]:
        """Missing values by column, as `missing <column>`, and broken rules by number in `rules`, in one pass."""
        missing = [pl.col(name).null_count().alias(f"missing {name}") for name in self.sound]
        broken = [rule.broken.sum().alias(f"rule {at}") for at, rule in enumerate(self.rules)]
        row = self.table.select([*missing, *broken]).row(0, named=True) if self.sound else {}
        return {name: int(count) for name, count in row.items()}

    def missing(self, name: str) -> int:
        """Missing values of a sound column."""
        return self.counts[f"missing {name}"]

    @cached_property
    def alike(self) -> tuple[NDArray[np.uint32], NDArray[np.uint64]]:
        """Positions of rows whose features another row has too, and a hash of their features."""
        features = [name for name in self.spec.feature_columns if name in self.sound] or list(self.sound)
        return self.repeats(features)

    @cached_property
    def copies(self) -> tuple[NDArray[np.uint32], NDArray[np.uint64]]:
        """Positions of rows that an earlier row equals, and how many earlier ones do."""
        positions, _ = self.alike
        counted = occurrences(row_hashes(self.table[positions], self.sound))
        return positions[counted > 0], counted[counted > 0]

    def repeats(self, columns: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.uint64]]:
        """Positions of rows whose values in `columns` another row has too, and a hash of those values."""
        rows = self.table.select(columns)
        if len(columns) == 1 and _climbs(rows.to_series()):
            return np.empty(0, dtype=np.uint32), np.empty(0, dtype=np.uint64)
        candidates = repeated_positions(rows.hash_rows().to_numpy())
        hashes = row_hashes(rows[candidates], columns)
        among = repeated_positions(hashes)
        return candidates[among], hashes[among]

    def broken(self, *rules: str) -> Cases:
        """Values that break rules of these names, as pandera finds them where Polars could not clear a column."""
        found = [
            self.judged(rule.column, schemas.value_rules(self.spec, rule.column), rule.broken, count)
            for at, rule in enumerate(self.rules)
            if rule.name in rules and (count := self.counts[f"rule {at}"])
        ]
        return Cases.joined(found)

    def judged(self, name: str, schema: pa.DataFrameSchema, suspect: pl.Expr, count: int) -> Cases:
        """What `schema` finds in the first of the `count` rows in which column `name` is `suspect`."""
        positions = self.table.select(suspect.arg_true()).to_series().head(LARGEST_HANDED)
        values = self.table[name].gather(positions)
        handed = pd.DataFrame({name: _values(values)}, index=positions.to_numpy())
        frame = schemas.failures(schema, handed)
        return Cases(frame, {name: count if count > LARGEST_HANDED else len(frame)})

    def marked(self, positions: NDArray[Any], column: str, values: Sequence[str] | str, *, rule: str) -> Cases:
        """Cases for whole rows at `positions`, under one column."""
        first = positions[:LARGEST_HANDED]
        found = schemas.failures(schemas.unmarked(rule), pd.DataFrame({rule: True}, index=first))
        told = values if isinstance(values, str) else np.asarray(values, dtype=object)[: len(first)]
        return Cases(found.assign(column=column, value=told), {column: len(positions)})

    def rows(self, cases: Cases, limit: int = ROWS_KEPT) -> tuple[FailingRow, ...]:
        """The first `limit` of `cases` that name a row."""
        placed = cases.frame[cases.frame["position"] >= 0].head(limit)
        positions = placed["position"].to_numpy(dtype=np.int64)
        return tuple(
            FailingRow(row_id, batch, row, str(column), str(value)[:80])
            for row_id, (batch, row), column, value in zip(
                self._ids(positions), self._places(positions), placed["column"], placed["value"], strict=True
            )
        )

    def sentences(self, cases: Cases, fault: Callable[[str], str]) -> list[str]:
        """For each column in `cases`: how many values it has that `fault(column)`, and in which rows."""
        sentences = []
        for column, of_column in cases.frame.groupby("column", sort=False):
            total = cases.totals[str(column)]
            rows = self.rows_text(Cases(of_column, {}), total)
            values = "value" if total == 1 else "values"
            sentences.append(f"column '{column}' has {total} {values} {fault(str(column))} ({rows})")
        return sentences

    def rows_text(self, cases: Cases, total: int) -> str:
        """Where the first of `total` cases are."""
        return rows_text(self.rows(cases, ROWS_SHOWN), total)

    def outcome(
        self, name: str, faults: Sequence[str], good: str, figures: Figures, cases: Cases | None = None
    ) -> CheckOutcome:
        """What the check `name` says: `faults`, or `good` where there are none."""
        rows = self.rows(cases) if faults and cases is not None else ()
        blocking = severity_of(self.spec, name) == "block"
        return CheckOutcome(name, not faults, blocking, "; ".join(faults) or good, figures, rows)

    def _ids(self, positions: NDArray[np.int64]) -> list[str]:
        """Row ids as `raw.row_ids` has them."""
        if not self.named or not len(positions):
            return [""] * len(positions)
        content = row_hashes(self.table[positions], self.sound)
        seen = np.zeros(len(positions), dtype=np.uint64)
        copies, counted = self.copies
        if len(copies):
            at = np.searchsorted(copies, positions).clip(max=len(copies) - 1)
            seen = np.where(copies[at] == positions, counted[at], seen)
        return list(index_of(np.where(seen > 0, mix(content ^ mix(seen)), content)))

    @cached_property
    def _stretches(self) -> pl.DataFrame:
        """Rows of one batch that follow each other: columns batch, start, and `before`, its earlier rows."""
        runs = self.batches[BATCH].cast(pl.String).rle().struct.unnest()
        length = pl.col("len").cast(pl.Int64)
        return runs.select(
            batch=pl.col("value"),
            start=length.cum_sum() - length,
            before=length.cum_sum().over("value") - length,
        )

    def _places(self, positions: NDArray[np.int64]) -> list[tuple[str, int]]:
        """Batch of each row, and its number there from 1."""
        stretches = self._stretches
        found = stretches[np.searchsorted(stretches["start"].to_numpy(), positions, side="right") - 1]
        rows = positions - found["start"].to_numpy() + found["before"].to_numpy() + 1
        return [(batch or "", int(row)) for batch, row in zip(found["batch"], rows, strict=True)]


def _climbs(values: pl.Series) -> bool:
    """Whether whole numbers or dates grow from row to row, as those of most keys do, so that none repeats."""
    if not (values.dtype.is_integer() or values.dtype.is_temporal()) or values.null_count():
        return False
    return bool((values.slice(1) > values.slice(0, max(0, len(values) - 1))).all())


def _structure(spec: DatasetSpec, table: pl.DataFrame) -> pd.DataFrame:
    """Failures of the structure; pandera, whose time grows with the square of the columns, is not asked in vain."""
    if table.schema == pl.Schema({name: polars_type(column) for name, column in spec.columns.items()}):
        return schemas.no_failures()
    return schemas.failures(schemas.structure(spec, tuple(spec.columns)), table.head(0))


def _one_batch(name: str, rows: int) -> pl.DataFrame:
    return pl.select(pl.repeat(name, rows).alias(BATCH))


def _values(values: pl.Series) -> Any:
    """Values as pandas has them for a column of a clean table, integers as they are."""
    if values.dtype in (pl.Boolean, pl.Float64) or (values.dtype.is_numeric() and values.null_count()):
        return values.cast(pl.Float64).to_numpy()
    return values.to_numpy() if values.dtype != pl.String else np.array(values.to_list(), dtype=object)
