"""Checks of a table against the last accepted version: rows, target and features. Freshness is next door.

A column has moved when its population stability index reaches the contract's tolerance and its test is significant
after Holm's correction over the columns looked at: the first alone would take chance for drift in small tables, the
second alone a hair's breadth in large ones. The statistics are those of `monitoring.statistics`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from ml_assets.datasets.raw import polars_type
from ml_assets.monitoring.statistics import chi_square, holm, kolmogorov_smirnov, population_stability_index

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.validation.outcomes import CheckOutcome
    from ml_assets.validation.subject import Subject

ALPHA: Final = 0.01
"""Chance of a false alarm among all columns of a check."""
LARGEST_SAMPLE: Final = 50_000
"""Rows of a version that are compared: without a change the index is then about 4e-4."""
MOST_LABELS: Final = 200
COLUMNS_SHOWN: Final = 10
NOTHING: Final = "there is no earlier version to compare with"


@dataclass(frozen=True)
class Earlier:
    """An earlier version of a table, as far as the checks need it.

    Attributes:
        rows: how many it has.
        sample: some of them, drawn at random.
    """

    rows: int
    sample: pl.DataFrame


@dataclass(frozen=True)
class History:
    """What the checks compare a table with.

    Attributes:
        previous: the last accepted version.
        now: the time, naive in UTC.
        newest_arrival: when rows last arrived, naive in UTC.
        seed: of the samples that are compared.
    """

    previous: Earlier | None = None
    now: dt.datetime | None = None
    newest_arrival: dt.datetime | None = None
    seed: int = 0


@dataclass(frozen=True)
class Movement:
    """How far one column is from the last version.

    Attributes:
        psi: population stability index over tenths or labels of the last version, a missing value being one of them.
        effect: distance of the distribution functions, or Cramér's V: 0 to 1.
        measure: which of the two.
        p_value: of the Kolmogorov-Smirnov or chi-square test, corrected once all columns are known.
        means: before and now, of a number.
    """

    column: str
    psi: float
    effect: float
    measure: str
    p_value: float
    means: tuple[float, float] | None = None

    @property
    def text(self) -> str:
        """`'age' (PSI 0.53, KS distance 0.31, mean 34.2 → 41.7)`."""
        means = f", mean {self.means[0]:.6g} → {self.means[1]:.6g}" if self.means else ""
        return f"'{self.column}' (PSI {self.psi:.2f}, {self.measure} {self.effect:.2f}{means})"

    def beyond(self, tolerance: float) -> bool:
        """Whether the column counts as moved."""
        return self.psi >= tolerance and self.p_value < ALPHA


def check_row_count_change(subject: Subject) -> CheckOutcome:
    """The number of rows is near that of the last version."""
    previous, limit = subject.history.previous, subject.spec.tolerances.row_count_change
    if previous is None:
        return subject.outcome("row_count_change", [], NOTHING, {})
    before, now = previous.rows, subject.rows_in
    change = (now - before) / max(1, before)
    figures = {"rows_before": before, "rows": now, "change": change, "largest_change": limit}
    told = f"{before} rows became {now} ({change:+.1%})"
    fault = f"{told}, and {limit:.0%} is the largest change expected"
    return subject.outcome("row_count_change", [fault] if abs(change) > limit else [], told, figures)


def check_target_drift(subject: Subject) -> CheckOutcome:
    """The target is distributed as in the last version; rows that lack it do not count."""
    return _drift(subject, "target_drift", [subject.spec.target])


def check_feature_drift(subject: Subject) -> CheckOutcome:
    """Every feature is distributed as in the last version; dates move on by nature and are not compared."""
    spec = subject.spec
    return _drift(subject, "feature_drift", [n for n in spec.feature_columns if spec.columns[n].dtype != "date"])


def movements(
    spec: DatasetSpec, previous: pl.DataFrame, table: pl.DataFrame, names: Iterable[str], *, seed: int
) -> list[Movement]:
    """How far columns are from the last version, the farthest first; those that it has not, or otherwise, are left out.

    Args:
        spec: the contract.
        previous: the last version, or a sample of it.
        table: the version, in the types of `raw_schema`.
        names: columns of it that are looked at together.
        seed: of the samples.
    """
    there = [n for n in names if previous.schema.get(n) == polars_type(spec.columns[n])]
    if not there:
        return []
    before, now = (_sample(frame, there, seed) for frame in (previous, table))
    found = [_movement(before[n], now[n], spec.columns[n].dtype, gaps=n != spec.target) for n in there]
    corrected = holm([movement.p_value for movement in found])
    found = [replace(movement, p_value=p) for movement, p in zip(found, corrected, strict=True)]
    return sorted(found, key=lambda movement: -movement.psi)


def _drift(subject: Subject, check: str, names: Sequence[str]) -> CheckOutcome:
    previous, tolerance = subject.history.previous, subject.spec.tolerances.drift
    if previous is None:
        return subject.outcome(check, [], NOTHING, {})
    sound = [name for name in names if name in subject.sound]
    found = movements(subject.spec, previous.sample, subject.table, sound, seed=subject.history.seed)
    moved = [movement for movement in found if movement.beyond(tolerance)]
    figures: dict[str, float | int | str] = {"columns": len(found), "moved": len(moved), "tolerance": tolerance}
    for movement in found[:COLUMNS_SHOWN]:
        figures |= {f"psi of {movement.column}": movement.psi, f"effect of {movement.column}": movement.effect}
    more = f" and {len(moved) - COLUMNS_SHOWN} more" if len(moved) > COLUMNS_SHOWN else ""
    fault = f"moved since the last version: {', '.join(m.text for m in moved[:COLUMNS_SHOWN])}{more}"
    largest = f"the largest PSI is {found[0].psi:.3f}, of '{found[0].column}'" if found else "nothing to compare"
    return subject.outcome(check, [fault] if moved else [], f"no column moved; {largest}", figures)


def _sample(frame: pl.DataFrame, names: Sequence[str], seed: int) -> pl.DataFrame:
    """At most `LARGEST_SAMPLE` rows of columns `names`, drawn without replacement."""
    if frame.height <= LARGEST_SAMPLE:
        return frame.select(names)
    drawn = np.random.default_rng(seed).choice(frame.height, LARGEST_SAMPLE, replace=False, shuffle=False)
    return frame.select(names)[np.sort(drawn)]


def _movement(before: pl.Series, now: pl.Series, dtype: str, *, gaps: bool) -> Movement:
    """How far `now` is from `before`, texts by their lengths; `gaps` says whether missing values count."""
    if dtype in ("boolean", "category"):
        return _of_labels(before, now, gaps=gaps)
    return _of_numbers(before.name, _numbers(before), _numbers(now), gaps=gaps)


def _of_numbers(name: str, before: NDArray[np.float64], now: NDArray[np.float64], *, gaps: bool) -> Movement:
    reference, live = (np.sort(values[~np.isnan(values)]) for values in (before, now))
    missing = [len(before) - len(reference), len(now) - len(live)] if gaps else [0, 0]
    distance, p_value = kolmogorov_smirnov(reference, live)
    if any(missing):
        _, p_gaps, _ = chi_square([len(reference), missing[0]], [len(live), missing[1]])
        p_value = min(1.0, 2 * min(p_value, p_gaps))
    tenths = np.unique(reference[(np.arange(1, 10) * len(reference) + 9) // 10 - 1]) if len(reference) else reference
    counts = [
        [*np.diff([0, *np.searchsorted(values, tenths, side="right"), len(values)]), gap]
        for values, gap in zip((reference, live), missing, strict=True)
    ]
    with np.errstate(over="ignore", invalid="ignore"):
        means = (float(reference.mean()), float(live.mean())) if len(reference) and len(live) else None
    return Movement(name, population_stability_index(*counts), distance, "KS distance", p_value, means)


def _of_labels(before: pl.Series, now: pl.Series, *, gaps: bool) -> Movement:
    """All but the most frequent labels count as one."""
    sides = [(s if gaps else s.drop_nulls()).cast(pl.String).alias("label").value_counts() for s in (before, now)]
    both = sides[0].join(sides[1], on="label", how="full", coalesce=True, nulls_equal=True, suffix="_now").fill_null(0)
    ranked = both.sort([pl.col("count") + pl.col("count_now"), "label"], descending=[True, False])
    counts = ranked.select("count", "count_now").to_numpy().astype(np.float64)
    pooled = np.vstack([counts[:MOST_LABELS], counts[MOST_LABELS:].sum(axis=0, keepdims=True)])
    _, p_value, cramers_v = chi_square(pooled[:, 0], pooled[:, 1])
    psi = population_stability_index(pooled[:, 0], pooled[:, 1])
    return Movement(before.name, psi, cramers_v, "Cramér's V", p_value)


def _numbers(values: pl.Series) -> NDArray[np.float64]:
    """Finite numbers, or lengths of texts; NaN where there is none."""
    found = (values.str.len_chars() if values.dtype == pl.String else values).cast(pl.Float64).to_numpy()
    return np.where(np.isfinite(found), found, np.nan)
