"""Rows that depend on each other, and what they leave of the evidence. The tests themselves are in `significance`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from ml_assets.datasets.spec import DatasetSpec


def clusters_of(spec: DatasetSpec, table: pd.DataFrame) -> pd.Series[Any] | None:
    """Name of the cluster of each row, indexed as `table`: its group by the contract, its own id where it has none.

    None where the contract names no group, so that rows count as independent.
    """
    if spec.group is None:
        return None
    group = table[spec.group].astype(object)
    return group.map(lambda value: f"group {value}", na_action="ignore").fillna(table.index.to_series())


def by_cluster(values: npt.NDArray[np.float64], clusters: npt.NDArray[np.object_] | None) -> npt.NDArray[np.float64]:
    """One value a cluster, with the mean of the rows and a spread that allows for rows of one cluster being alike.

    Each is the mean plus the cluster's sum of deviations from it, scaled to the number of clusters; their standard
    error is the linearized one of a ratio of totals (Cochran 1977, "Sampling Techniques", section 6.4). Without
    clusters the values themselves.

    Args:
        values: one per row, (n,), or (n, k) for several figures of each row.
        clusters: name of each row's cluster, (n,), or None where rows are independent.
    """
    if clusters is None or len(values) == 0:
        return values
    mean = values.mean(axis=0)
    codes = pd.factorize(clusters, use_na_sentinel=False)[0]
    sums = np.zeros((codes.max() + 1, *values.shape[1:]))
    np.add.at(sums, codes, values - mean)
    made: npt.NDArray[np.float64] = mean + sums * (len(sums) / len(values))
    return made
