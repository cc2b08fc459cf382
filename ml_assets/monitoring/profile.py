"""The reference profile: distributions of features and predictions. Comparing with it belongs in `drift`."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml_assets.datasets.spec import Task
from ml_assets.errors import ContractViolation
from ml_assets.evaluation.documents import read_document, write_document

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ml_assets.datasets.spec import DatasetSpec

FloatArray = npt.NDArray[np.float64]
DOCUMENT = "profile.json"
LARGEST_SAMPLE = 2000
MOST_CATEGORIES = 200
QUANTILES = 10
LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True)
class NumericProfile:
    """Distribution of a number.

    Attributes:
        sample: at most `LARGEST_SAMPLE` present values, drawn without replacement, sorted.
        edges: ascending; bin i holds edges[i-1] < x <= edges[i]. The first bin lies below every value of the
            reference, the last above, those between are its tenths (fewer where values repeat).
        counts: present values in each of the len(edges) + 1 bins.
        missing: values that are NaN or infinite.
        mean: of present values; None if there are none, as is `std` (population).
        range: smallest and largest value by contract.
    """

    sample: tuple[float, ...]
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    missing: int
    mean: float | None
    std: float | None
    range: tuple[float, float] | None = None


@dataclass(frozen=True)
class CategoryProfile:
    """Distribution of a label.

    Attributes:
        counts: rows by label, the `MOST_CATEGORIES` most frequent.
        other: rows with a rarer label.
        missing: rows without a label.
        allowed: labels by contract.
    """

    counts: Mapping[str, int]
    other: int
    missing: int
    allowed: tuple[str, ...] | None = None


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
        if column.is_number:
            features[name] = profile_numbers(as_numbers(table[name]), rng, column.range)
        else:
            features[name] = profile_labels(as_labels(table[name]), column.allowed)
    prediction: NumericProfile | CategoryProfile | None = None
    if predictions is not None and spec.task is Task.REGRESSION:
        prediction = profile_numbers(as_numbers(pd.Series(predictions)), rng)
    elif predictions is not None:
        prediction = profile_labels(as_labels(pd.Series(predictions)), spec.labels or None)
    return Profile(spec.name, features, prediction, len(table), data_hash, created_at)


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
    kept = dict(sorted(counts.most_common(MOST_CATEGORIES)))
    present = sum(counts.values())
    return CategoryProfile(kept, present - sum(kept.values()), len(labels) - present, allowed)


def as_numbers(column: pd.Series[Any]) -> FloatArray:
    """float64 array of a column; what is missing, infinite or no number is NaN."""
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


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
