"""Whether features of training rows depend on rows that are held back. Other leakage belongs in `leakage`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from ml_assets.datasets.spec import Task
from ml_assets.validation.outcomes import FITTED_INSIDE, CheckOutcome, severity_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ml_assets.datasets.spec import DatasetSpec

LARGEST_SAMPLE: Final = 5000
COLUMNS_SHOWN: Final = 5
LARGEST: Final = 10**15
EARLY: Final = np.datetime64("1950-03-05", "us")
LATE: Final = np.datetime64("2090-11-12T13:14", "us")

MakeFeatures = Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]
"""From a clean table and its splits to the features of all its rows, fitted on those whose part is "train"."""


def check_fitted_inside(
    spec: DatasetSpec, make: MakeFeatures, table: pd.DataFrame, splits: pd.DataFrame, *, seed: int
) -> CheckOutcome:
    """Whether training rows keep their features, to the bit, when every held-out row is poisoned.

    Features are made four times on a sample of the rows: with the test part held out, and with one fold held out too,
    each from the rows as they are and from rows whose held-out values and targets are others.

    Args:
        spec: the contract.
        make: makes features as the graph does.
        table: clean rows.
        splits: their parts and folds.
        seed: of the sample and the fold.
    """
    rng = np.random.default_rng(seed)
    kept = np.sort(rng.permutation(len(table))[:LARGEST_SAMPLE])
    rows, parts = table.iloc[kept], splits.loc[table.index[kept]]
    fold = int(rng.choice(parts.loc[parts["part"] == "train", "fold"].unique()))
    without_fold = parts.assign(part=parts["part"].mask(parts["fold"] == fold, "test")).assign(
        fold=parts["fold"].mask(parts["fold"] == fold, -1)
    )
    faults, columns = [], 0
    for told, held_out in (("the test part", parts), (f"fold {fold}", without_fold)):
        changed, columns = _changed(spec, make, rows, held_out)
        if changed:
            more = f" and {len(changed) - COLUMNS_SHOWN} more" if len(changed) > COLUMNS_SHOWN else ""
            names = ", ".join(f"'{name}'" for name in changed[:COLUMNS_SHOWN])
            faults.append(f"features {names}{more} of training rows change when rows of {told} do")
    good = f"{columns} features of training rows stay the same to the bit when held-out rows change"
    remedy = "; fit preprocessing on the training rows of each fold only"
    return CheckOutcome(
        name=FITTED_INSIDE,
        passed=not faults,
        blocking=severity_of(spec, FITTED_INSIDE) == "block",
        summary="; ".join(faults) + remedy if faults else good,
        figures={"rows": len(rows), "features": columns, "fold": fold, "parts_with_changes": len(faults)},
    )


def _changed(spec: DatasetSpec, make: MakeFeatures, table: pd.DataFrame, splits: pd.DataFrame) -> tuple[list[str], int]:
    """Features of training rows that depend on the others, and how many features there are."""
    training = splits.index[splits["part"] == "train"]
    held_out = (splits["part"] != "train").to_numpy()
    before, after = (make(rows, splits).loc[training] for rows in (table, poisoned(spec, table, held_out)))
    if list(before.columns) != list(after.columns):
        return sorted(set(map(str, before.columns)) ^ set(map(str, after.columns))), before.shape[1]
    pairs = [(before.iloc[:, at], after.iloc[:, at]) for at in range(before.shape[1])]
    changed = [str(a.name) for a, b in pairs if a.to_numpy().tobytes() != b.to_numpy().tobytes()]
    return changed, before.shape[1]


def poisoned(spec: DatasetSpec, table: pd.DataFrame, rows: NDArray[np.bool_]) -> pd.DataFrame:
    """A copy of a clean `table` in which the rows marked have other values in every column, and other targets."""
    changed = {name: _poisoned(spec, name, table[name].to_numpy()[rows]) for name in spec.columns}
    copy = table.copy()
    for name, values in changed.items():
        whole = copy[name].to_numpy(copy=True)
        whole[rows] = values
        copy[name] = whole
    return copy


def _poisoned(spec: DatasetSpec, name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Far numbers and dates, labels and texts that no other row has; classes change places."""
    dtype, turned = spec.columns[name].dtype, values[::-1]
    if name == spec.target and spec.task is Task.CLASSIFICATION:
        codes, classes = pd.factorize(values)
        return np.asarray(classes[(codes + 1) % len(classes)])
    if dtype == "boolean":
        return np.where(np.isnan(values), 1.0, 1.0 - np.nan_to_num(values))
    if dtype in ("float", "integer"):
        finite = np.clip(np.nan_to_num(turned, posinf=1.0, neginf=-1.0), -LARGEST, LARGEST)
        return np.asarray((finite * -1000 - 17).astype(values.dtype))
    if dtype == "date":
        return np.where(turned < EARLY, LATE, EARLY)
    return np.array([f"poison {at % 7}" for at in range(len(values))], dtype=object)
