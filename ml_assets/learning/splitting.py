"""Which rows train and which are held back, decided by the rows' own content. Scoring on them belongs elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ml_assets.datasets.spec import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ml_assets.datasets.spec import DatasetSpec

REGRESSION_STRATA = 10


def split(spec: DatasetSpec, table: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Splits indexed by row_id: `part` ("train" or "test") and `fold` (0 … k-1 for training rows, -1 for test rows).

    Rows with equal features form a group and stay on one side and in one fold. Groups are ordered by a seeded hash
    of their content within strata (class, or tenth of the target), so the same row lands on the same side again when
    rows are added or reordered, but for the few at a stratum's border.
    """
    groups = _content_hash(table[list(spec.feature_columns)], seed)
    rows = pd.DataFrame({"group": groups, "stratum": _strata(spec, table), "position": np.arange(len(table))})
    by_group = rows.groupby("group", sort=False).agg(stratum=("stratum", "first"), size=("position", "size"))
    ordered = by_group.reset_index().sort_values(["stratum", "group"], kind="stable")
    sizes = ordered.groupby("stratum")["size"]
    middle = sizes.cumsum() - ordered["size"] / 2
    is_test = middle <= spec.test_share * sizes.transform("sum")
    training = ordered[~is_test]
    turn = training.groupby("stratum").cumcount() + training["stratum"]
    folds = pd.Series((turn % spec.folds).to_numpy(), index=training["group"].to_numpy())
    fold = pd.Series(groups).map(folds).fillna(-1).astype("int64").to_numpy()
    part = np.where(fold < 0, "test", "train").astype(object)
    return pd.DataFrame({"part": part, "fold": fold}, index=table.index)


def _content_hash(features: pd.DataFrame, seed: int) -> NDArray[np.uint64]:
    """One hash a row from content and seed; finished with the mixer of SplitMix64 so that order is arbitrary."""
    content = pd.util.hash_pandas_object(features, index=False).to_numpy()
    mixed: NDArray[np.uint64] = content + np.uint64(((seed + 1) * 0x9E3779B97F4A7C15) % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _strata(spec: DatasetSpec, table: pd.DataFrame) -> NDArray[np.int64]:
    target = table[spec.target]
    if spec.task is Task.CLASSIFICATION:
        codes, _ = pd.factorize(target, sort=True)
        return np.asarray(codes, dtype=np.int64)
    tenths = pd.qcut(target, REGRESSION_STRATA, labels=False, duplicates="drop")
    return tenths.to_numpy(dtype=np.int64)
