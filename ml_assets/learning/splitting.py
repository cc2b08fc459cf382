"""Which rows train and which are held back, decided by the rows' own content. Scoring on them belongs elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ml_assets.datasets.spec import Task
from ml_assets.errors import ContractViolation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ml_assets.datasets.spec import DatasetSpec

REGRESSION_STRATA = 10


def split(spec: DatasetSpec, table: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Splits indexed by row_id: `part` ("train" or "test") and `fold` (0 … k-1 for training rows, -1 for test rows).

    Rows with equal features form a group and stay on one side and in one fold. Within strata (class, or tenth of the
    target) groups are ordered by a seeded hash of their content; the first go to the test side, the others to the
    folds in turn. So the order of the rows does not matter, and a row lands on the same side again when rows are
    added, but for the few at a stratum's border. Every class trains, in every fold if it has as many groups.

    Raises:
        ContractViolation: there are too few different rows for a test side and the folds.
    """
    groups = _content_hash(spec, table, seed)
    rows = pd.DataFrame({"group": groups, "stratum": _strata(spec, table)})
    by_group = rows.groupby("group")["stratum"].agg(stratum="min", size="size").reset_index()
    ordered = by_group.sort_values(["stratum", "group"], ignore_index=True)
    training = ordered[~_is_test(ordered, spec.test_share)]
    turn = training.groupby("stratum").cumcount() + training["stratum"]
    folds = pd.Series((turn % spec.folds).to_numpy(), index=training["group"].to_numpy())
    fold = rows["group"].map(folds).fillna(-1).astype("int64").to_numpy()
    if set(fold) != set(range(-1, spec.folds)):
        raise ContractViolation(
            f"{spec.name}: {len(table)} rows, {len(by_group)} of them different, are too few for a test side and "
            f"{spec.folds} folds: add rows, or lower `folds` in the contract"
        )
    part = np.where(fold < 0, "test", "train").astype(object)
    return pd.DataFrame({"part": part, "fold": fold}, index=table.index)


def _is_test(ordered: pd.DataFrame, test_share: float) -> pd.Series:
    """Whether a group lies in the first `test_share` of its stratum's rows; the last of each stratum never does."""
    by_stratum = ordered.groupby("stratum")
    middle = by_stratum["size"].cumsum() - ordered["size"] / 2
    is_last = by_stratum.cumcount(ascending=False) == 0
    return (middle < test_share * by_stratum["size"].transform("sum")) & ~is_last


def _content_hash(spec: DatasetSpec, table: pd.DataFrame, seed: int) -> NDArray[np.uint64]:
    """One hash a row from features and seed; finished with the mixer of SplitMix64 so that order is arbitrary.

    Numbers hash as floats, so that a column of whole numbers keeps its hashes when a gap comes in.
    """
    features = table[list(spec.feature_columns)].astype(dict.fromkeys(spec.numeric_features, np.float64))
    content = np.asarray(pd.util.hash_pandas_object(features, index=False), dtype=np.uint64)
    mixed: NDArray[np.uint64] = content + np.array((seed + 1) * 0x9E3779B97F4A7C15 % 2**64, dtype=np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _strata(spec: DatasetSpec, table: pd.DataFrame) -> NDArray[np.int64]:
    """Class of each row by number, or tenth of the target; fewer than tenths where they would have too few rows."""
    target = table[spec.target]
    if spec.task is Task.CLASSIFICATION:
        codes, _ = pd.factorize(target, sort=True)
        return np.asarray(codes, dtype=np.int64)
    count = min(REGRESSION_STRATA, len(target) // (2 * spec.folds))
    if count < 2 or target.nunique() < 2:
        return np.zeros(len(target), dtype=np.int64)
    return pd.qcut(target, count, labels=False, duplicates="drop").to_numpy(dtype=np.int64)
