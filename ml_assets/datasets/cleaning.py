"""From the raw table to the clean one: contract columns, rows without a target out. Checks: `validation`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ml_assets.datasets.columns import conform
from ml_assets.datasets.identity import ROW_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ml_assets.datasets.spec import DatasetSpec


@dataclass(frozen=True)
class CleanResult:
    """A clean table, and what became of every row that is not in it."""

    table: pd.DataFrame
    """contract columns, indexed by row_id"""
    dropped: pd.DataFrame
    """columns row_id and reason, one row for each dropped row"""
    counts: Mapping[str, int]
    """`rows_in`, `rows_out`, and how many rows each reason dropped"""


def clean(spec: DatasetSpec, raw: pd.DataFrame) -> CleanResult:
    """The rows of `raw` a model can learn from, typed, missing values declared (NaN, or None for a label).

    Rows without a finite target, and rows whose row id came before, are dropped. Exact duplicates are kept:
    they have ids of their own, and the splits keep them on one side.

    Raises:
        ContractViolation: a column is missing, or one of numbers holds something else.
    """
    table = conform(spec, raw, origin="raw table")
    target = table[spec.target]
    reasons = pd.Series(index=range(len(table)), dtype=object)
    reasons[np.asarray(table.index.duplicated())] = "row id came before"
    reasons[target.isna().to_numpy()] = f"target '{spec.target}' is missing"
    if spec.columns[spec.target].is_number:
        reasons[np.isinf(target.to_numpy(dtype=np.float64))] = f"target '{spec.target}' is infinite"
    out = reasons.notna().to_numpy()
    dropped = pd.DataFrame({ROW_ID: table.index[out].astype(object), "reason": reasons[out].to_numpy()}, dtype=object)
    kept = conform(spec, table[~out], origin="clean table")
    by_reason = {str(reason): int(n) for reason, n in dropped["reason"].value_counts().items()}
    return CleanResult(kept, dropped, {"rows_in": len(table), "rows_out": len(kept), **by_reason})
