"""The profile of a raw table: each column's figures, correlations, and how both moved since the last version.

What a profile says and how it is kept belongs in `profile_document`, the comparison with the last version in
`profile_drift`, bins and correlations in `histograms` and `rank_correlation`. A column is sorted once and every figure
read off the sorted values, so ten million rows pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from ml_assets.datasets.identity import BATCH
from ml_assets.datasets.profiles.document import QUANTILES, ColumnProfile, Role, TableProfile
from ml_assets.datasets.profiles.drift import changes_since, column_drift
from ml_assets.datasets.profiles.histograms import histogram, quantile
from ml_assets.datasets.profiles.rank_correlation import correlations
from ml_assets.datasets.raw import conform_raw, occurrences, row_hashes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from ml_assets.datasets.spec import Column, DatasetSpec

MOST_LABELS: Final = 20
MOST_BATCHES: Final = 20
LONGEST_LABEL: Final = 80


def profile(
    spec: DatasetSpec, raw: pl.DataFrame, previous: pl.DataFrame | None = None, *, seed: int = 0
) -> TableProfile:
    """The profile of a version of a raw table.

    Args:
        spec: its contract.
        raw: the version.
        previous: the version before it; None for a first one.
        seed: of the samples that correlations and drift are computed from, where there are many rows.

    Raises:
        ContractViolation: a column of `raw` is missing or holds something else than is promised.
    """
    table = conform_raw(spec, raw, origin="raw table")
    changes = changes_since(spec, table, previous) if previous is not None else None
    compared = {*spec.columns} - {*changes.columns_added, *changes.columns_retyped} if changes is not None else set()
    columns = []
    for name, column in spec.columns.items():
        before = measured(column, previous[name]) if previous is not None and name in compared else None
        columns.append(_column(spec, name, measured(column, table[name]), before))
    copies = occurrences(row_hashes(table, spec.columns))
    return TableProfile(
        dataset=spec.name,
        contract=spec.model_dump(mode="json"),
        rows=table.height,
        duplicates=int((copies > 0).sum()),
        batches=_batches(table),
        columns=tuple(columns),
        correlations=correlations(spec, table, seed=seed),
        changes=changes,
        drift=column_drift(spec, table, previous, seed=seed) if previous is not None else (),
        seed=seed,
    )


@dataclass(frozen=True, eq=False)
class Measured:
    """A column taken apart.

    Attributes:
        values: the column as it is.
        numbers: its finite numbers, ascending: values, seconds of a date, characters of a text; none for labels.
        labels: columns `label` and `rows`, most frequent first; empty for numbers and dates.
    """

    values: pl.Series
    numbers: NDArray[np.float64]
    labels: pl.DataFrame

    @property
    def missing(self) -> int:
        """Rows without a value."""
        return self.values.null_count()


def measured(column: Column, values: pl.Series) -> Measured:
    """A column's sorted numbers and counted labels."""
    labels = values if column.dtype in ("category", "text", "boolean") else values.clear()
    counted = labels.drop_nulls().cast(pl.String).alias("label").value_counts(name="rows")
    numbers = _numbers(values) if column.dtype != "category" else np.empty(0)
    return Measured(values, numbers, counted.sort(["rows", "label"], descending=[True, False]))


def _numbers(values: pl.Series) -> NDArray[np.float64]:
    present = values.drop_nulls()
    if present.dtype == pl.String:
        present = present.str.len_chars()
    elif present.dtype.is_temporal():
        present = present.cast(pl.Datetime("us")).to_physical() / 1e6
    numbers = present.cast(pl.Float64).sort().to_numpy()
    return numbers[np.isfinite(numbers)] if len(numbers) and not np.isfinite(numbers[[0, -1]]).all() else numbers


def _column(spec: DatasetSpec, name: str, now: Measured, before: Measured | None) -> ColumnProfile:
    column, numbers = spec.columns[name], now.numbers
    shown = now.labels.head(MOST_LABELS)
    drawable = len(numbers) > 0 and column.dtype != "boolean"
    cap = column.capped_at
    earlier = dict(before.labels.iter_rows()) if before is not None else {}
    return ColumnProfile(
        name=name,
        dtype=column.dtype,
        role=role_of(spec, name),
        rows=len(now.values),
        missing=now.missing,
        infinite=len(now.values) - now.missing - len(numbers) if column.dtype == "float" else 0,
        distinct=now.labels.height or _distinct(numbers),
        **_moments(numbers),
        quantiles={f"{q:g}": quantile(numbers, q) for q in QUANTILES} if len(numbers) else {},
        histogram=histogram(numbers, before.numbers if before is not None else None) if drawable else None,
        labels=_counted((label, rows) for label, rows in shown.iter_rows()),
        other=int(now.labels["rows"].sum()) - int(shown["rows"].sum()),
        labels_earlier=_counted((label, earlier.get(label, 0)) for label in shown["label"]) if earlier else {},
        cap=cap,
        capped=_between(numbers, cap, cap) if cap is not None else 0,
    )


def role_of(spec: DatasetSpec, name: str) -> Role:
    """What the contract uses a column for."""
    if name == spec.target:
        return "target"
    if spec.columns[name].sensitive is not None:
        return "sensitive"
    return "ignored" if spec.columns[name].ignored is not None else "feature"


def _moments(numbers: NDArray[np.float64]) -> Mapping[str, float | None]:
    if len(numbers) == 0:
        return {}
    with np.errstate(over="ignore", invalid="ignore"):
        found = {"minimum": numbers[0], "maximum": numbers[-1], "mean": numbers.mean(), "std": numbers.std()}
    return {name: float(value) if np.isfinite(value) else None for name, value in found.items()}


def _distinct(ascending: NDArray[np.float64]) -> int:
    return 1 + int(np.count_nonzero(ascending[1:] != ascending[:-1])) if len(ascending) else 0


def _between(ascending: NDArray[np.float64], low: float, high: float) -> int:
    return int(np.searchsorted(ascending, high, "right") - np.searchsorted(ascending, low, "left"))


def _batches(table: pl.DataFrame) -> dict[str, int]:
    if BATCH not in table.columns:
        return {}
    counted = table[BATCH].value_counts().sort(["count", BATCH], descending=[True, False])
    return dict(counted.head(MOST_BATCHES).iter_rows())


def _counted(rows: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Rows by label, long labels shortened; those that are then the same are counted together."""
    counts: dict[str, int] = {}
    for label, count in rows:
        line = " ".join(label.split())
        name = line if len(line) <= LONGEST_LABEL else line[: LONGEST_LABEL - 1] + "…"
        counts[name] = counts.get(name, 0) + count
    return counts
