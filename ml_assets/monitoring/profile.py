"""The reference profile: distributions of features and predictions. Comparing with it belongs in `drift`.

What is no number and no label is measured by one: a date by its days since 1970, a text by its length. What a text
says is not watched; predictions, which are, tell if it matters.
"""

from __future__ import annotations

import datetime as dt
import math
import zlib
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml_assets.datasets.spec import Task
from ml_assets.errors import ContractViolation
from ml_assets.evaluation.documents import read_document, write_document
from ml_assets.features.dates import dates_of, days_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ml_assets.datasets.spec import Column, DatasetSpec

FloatArray = npt.NDArray[np.float64]
DOCUMENT = "profile.json"
LARGEST_SAMPLE = 2000
MOST_CATEGORIES = 200
BUCKETS = 20
QUANTILES = 10
LARGEST = float(np.finfo(np.float64).max)
DAY_SECONDS: Final = 86_400.0
FRESH_DAYS: Final = 31.0
"""A date column whose newest date is no older than this when the profile is made goes along with the calendar."""

Measure = Literal["value", "days", "characters", "presence"]


@dataclass(frozen=True)
class NumericProfile:
    """Distribution of a number, or of what a date or a text is measured by.

    Attributes:
        sample: at most `LARGEST_SAMPLE` present values, drawn without replacement, sorted.
        edges: ascending; bin i holds edges[i-1] < x <= edges[i]. The first bin lies below every value of the
            reference, the last above, those between are its tenths (fewer where values repeat).
        counts: present values in each of the len(edges) + 1 bins.
        missing: values that are NaN or infinite.
        mean: of present values; None if there are none, as is `std` (population).
        range: smallest and largest value by contract.
        measure: what the numbers are: values themselves, days since the beginning of 1970, or characters of a text;
            "presence" for days that go along with the calendar, so that later ones are no drift.
    """

    sample: tuple[float, ...]
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    missing: int
    mean: float | None
    std: float | None
    range: tuple[float, float] | None = None
    measure: Measure = "value"


@dataclass(frozen=True)
class CategoryProfile:
    """Distribution of a label.

    Attributes:
        counts: rows by label; by bucket (`in_buckets`) where there are more than `MOST_CATEGORIES` labels.
        missing: rows without a label.
        allowed: labels by contract.
        in_buckets: whether `counts` are by bucket. The most frequent of many labels owe that to chance in part, so that
            counting them alone would show a drift where there is none; buckets are drawn without a look at the rows.
    """

    counts: Mapping[str, int]
    missing: int
    allowed: tuple[str, ...] | None = None
    in_buckets: bool = False


@dataclass(frozen=True)
class Profile:
    """How a dataset looked in training.

    Attributes:
        features: profile of each feature in contract order.
        prediction: of the model's predictions, None if they were not given.
        rows: rows of the table.
        data_hash: content hash of the table.
        created_at: seconds since the epoch; live windows start no earlier.
    """

    dataset: str
    features: Mapping[str, NumericProfile | CategoryProfile]
    prediction: NumericProfile | CategoryProfile | None
    rows: int
    data_hash: str
    created_at: float

    def save(self, folder: Path) -> None:
        """Writes `profile.json`."""
        write_document(folder / DOCUMENT, asdict(self))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads back what `save` wrote."""
        document = read_document(folder / DOCUMENT)
        features = {name: _column_profile(found) for name, found in document.pop("features").items()}
        prediction = document.pop("prediction")
        return cls(features=features, prediction=_column_profile(prediction) if prediction else None, **document)


def build_profile(
    spec: DatasetSpec,
    table: pd.DataFrame,
    predictions: Sequence[float] | Sequence[str] | None = None,
    *,
    data_hash: str,
    created_at: float,
    seed: int,
) -> Profile:
    """The profile of a training table.

    Args:
        spec: the contract; its ranges and allowed values ride in the profile.
        table: rows with at least the contract's features.
        predictions: of the model that serves: out-of-fold or test predictions, since those of rows it was
            fitted to spread more widely than live ones. Numbers, or labels.
        data_hash: content hash of the table.
        created_at: seconds since the epoch.
        seed: of the samples.

    Raises:
        ContractViolation: the table lacks a feature, or has no rows.
    """
    lacking = [name for name in spec.feature_columns if name not in table.columns]
    if lacking or table.empty:
        fault = f"lacks columns {', '.join(lacking)}" if lacking else "has no rows"
        raise ContractViolation(f"{spec.name}: the reference table {fault}: materialize clean_table again")
    rng = np.random.default_rng(seed)
    features: dict[str, NumericProfile | CategoryProfile] = {}
    for name in spec.feature_columns:
        column = spec.columns[name]
        if column.is_label:
            features[name] = profile_labels(as_labels(table[name]), column.allowed)
        else:
            features[name] = _profile_measured(column, table[name], rng, created_at)
    prediction: NumericProfile | CategoryProfile | None = None
    if predictions is not None and spec.task is Task.REGRESSION:
        prediction = profile_numbers(as_numbers(pd.Series(predictions)), rng)
    elif predictions is not None:
        prediction = profile_labels(as_labels(pd.Series(predictions)), spec.labels or None)
    return Profile(spec.name, features, prediction, len(table), data_hash, created_at)


def _profile_measured(
    column: Column, values: pd.Series[Any], rng: np.random.Generator, created_at: float
) -> NumericProfile:
    """Profile of a number, date or text."""
    kind: Measure = "characters" if column.dtype == "text" else "days" if column.dtype == "date" else "value"
    found = profile_numbers(measured(kind, values), rng, column.range)
    if kind != "days":
        return replace(found, measure=kind)
    fresh = bool(found.edges) and found.edges[-1] >= created_at / DAY_SECONDS - FRESH_DAYS
    period = as_days(pd.Series(column.period)).tolist() if column.period else None
    return replace(found, measure="presence" if fresh else kind, range=period and (period[0], period[1]))


def profile_numbers(
    values: FloatArray, rng: np.random.Generator, contract_range: tuple[float, float] | None = None
) -> NumericProfile:
    """Profile of `values`; NaN means missing."""
    present = np.sort(values[~np.isnan(values)])
    if len(present) == 0:
        return NumericProfile((), (), (0,), len(values), None, None, contract_range)
    few = len(present) <= LARGEST_SAMPLE
    sample = present if few else np.sort(rng.choice(present, LARGEST_SAMPLE, replace=False))
    inner = np.quantile(present, np.arange(1, QUANTILES) / QUANTILES, method="inverted_cdf")
    edges = np.unique([max(math.nextafter(present[0], -math.inf), -LARGEST), *inner, present[-1]])
    mean, std = mean_and_std(present)
    return NumericProfile(
        sample=tuple(sample.tolist()),
        edges=tuple(edges.tolist()),
        counts=tuple(bin_counts(present, edges).tolist()),
        missing=len(values) - len(present),
        mean=mean,
        std=std,
        range=contract_range,
    )


def profile_labels(labels: Sequence[str | None], allowed: tuple[str, ...] | None = None) -> CategoryProfile:
    """Profile of `labels`; None means missing."""
    counts = Counter(label for label in labels if label is not None)
    missing = len(labels) - counts.total()
    if len(counts) <= MOST_CATEGORIES:
        return CategoryProfile(dict(sorted(counts.items())), missing, allowed)
    return CategoryProfile(dict(sorted(in_buckets(counts).items())), missing, allowed, in_buckets=True)


def in_buckets(counts: Mapping[str, int]) -> Counter[str]:
    """Rows by bucket, of rows by label."""
    found: Counter[str] = Counter()
    for label, rows in counts.items():
        found[f"bucket {zlib.crc32(label.encode(errors='replace')) % BUCKETS}"] += rows
    return found


def as_numbers(column: pd.Series[Any]) -> FloatArray:
    """float64 array of a column; what is missing, infinite or no number is NaN."""
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def measured(measure: Measure, column: pd.Series[Any]) -> FloatArray:
    """float64 array (n,) of what a column is measured by; NaN where it has none."""
    if measure in ("days", "presence"):
        return as_days(column)
    if measure == "characters":
        return np.array([len(v) if isinstance(v, str) else np.nan for v in column], dtype=np.float64)
    return as_numbers(column)


def as_days(column: pd.Series[Any]) -> FloatArray:
    """Days since the beginning of 1970 (UTC), fractions included; NaN for what is no date."""
    if not pd.api.types.is_datetime64_any_dtype(column.dtype):
        dates = column.map(lambda value: value if isinstance(value, dt.date) else None)
        column = pd.to_datetime(dates, errors="coerce", utc=True)
    return days_of(dates_of(column))


def as_labels(column: pd.Series[Any]) -> list[str | None]:
    """Labels of a column as strings; None where missing."""
    return [None if missing else str(v) for v, missing in zip(column, column.isna(), strict=True)]


def bin_counts(present: FloatArray, edges: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """How many of `present` fall into each of the len(edges) + 1 bins of `NumericProfile`."""
    bounds = np.asarray(edges, dtype=np.float64)
    places = np.searchsorted(bounds, present, side="left")
    return np.bincount(places, minlength=len(bounds) + 1).astype(np.int64)


def mean_and_std(present: FloatArray) -> tuple[float | None, float | None]:
    """Mean and population standard deviation; None where there are no values or they overflow."""
    if len(present) == 0:
        return None, None
    with np.errstate(over="ignore", invalid="ignore"):
        found = float(present.mean()), float(present.std())
    return tuple(x if np.isfinite(x) else None for x in found)  # type: ignore[return-value]


def _column_profile(document: Mapping[str, Any]) -> NumericProfile | CategoryProfile:
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in document.items()}
    return NumericProfile(**values) if "edges" in values else CategoryProfile(**values)
