"""The feature plan: from a contract's raw rows to an all-number table. What a family adds belongs there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    from pathlib import Path

    from ml_assets.datasets.spec import DatasetSpec


class FeaturePlan(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Numbers as they are (gaps stay gaps), ratios of columns, one column for each known category.

    Args:
        numeric: columns that hold numbers.
        categorical: columns that hold labels; a label not seen in training gives zeros.
        ratios: pairs of numerator and denominator; a zero denominator gives a gap.

    Attributes:
        categories_: labels of each categorical column, as seen in training.
        lineage_: for each output column the raw columns it is made of.
    """

    def __init__(
        self,
        numeric: tuple[str, ...] = (),
        categorical: tuple[str, ...] = (),
        ratios: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.numeric = numeric
        self.categorical = categorical
        self.ratios = ratios

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Learns the categories from rows `X`; returns itself."""
        return self.remember({c: tuple(sorted(X[c].dropna().astype(str).unique())) for c in self.categorical})

    def remember(self, categories: dict[str, tuple[str, ...]]) -> Self:
        """Takes the categories as learned; returns itself, fitted."""
        self.categories_ = categories
        self.lineage_ = {
            **{name: (name,) for name in self.numeric},
            **{f"{a}_per_{b}": (a, b) for a, b in self.ratios},
            **{f"{c}={label}": (c,) for c, labels in self.categories_.items() for label in labels},
        }
        self.feature_names_in_ = np.array([*self.numeric, *self.categorical], dtype=object)
        self.n_features_in_ = len(self.feature_names_in_)
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Feature table (n, columns of `lineage_`) of float64 with the index of `X`."""
        check_is_fitted(self, "lineage_")
        columns = {name: X[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in self.numeric}
        for a, b in self.ratios:
            below = X[b].to_numpy(dtype=np.float64, na_value=np.nan)
            above = X[a].to_numpy(dtype=np.float64, na_value=np.nan)
            columns[f"{a}_per_{b}"] = np.divide(above, below, out=np.full(len(X), np.nan), where=below != 0)
        for column, labels in self.categories_.items():
            values = X[column].astype(str).where(X[column].notna()).to_numpy(dtype=object)
            columns |= {f"{column}={label}": (values == label).astype(np.float64) for label in labels}
        return pd.DataFrame(columns, index=X.index)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray[Any, np.dtype[np.object_]]:
        """Names of the output columns."""
        check_is_fitted(self, "lineage_")
        return np.array(list(self.lineage_), dtype=object)


def plan_for(spec: DatasetSpec) -> FeaturePlan:
    """Unfitted feature plan that a contract asks for."""
    return FeaturePlan(spec.numeric_features, spec.categorical_features, spec.features.ratios)


@dataclass(frozen=True)
class FeatureSet:
    """A plan fitted on the training rows, and the table it makes of all rows."""

    plan: FeaturePlan
    table: pd.DataFrame

    @classmethod
    def of(cls, spec: DatasetSpec, table: pd.DataFrame, splits: pd.DataFrame) -> Self:
        """Fits the plan of `spec` on the training rows of a clean `table`."""
        plan = plan_for(spec).fit(table.loc[splits.index[splits["part"] == "train"]])
        return cls(plan, plan.transform(table))

    def save(self, folder: Path) -> None:
        """Writes `plan.json` and `features.parquet`."""
        document = {**self.plan.get_params(), "categories": self.plan.categories_}
        (folder / "plan.json").write_text(json.dumps(document, indent=1))
        self.table.to_parquet(folder / "features.parquet")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads back what `save` wrote."""
        document = json.loads((folder / "plan.json").read_text())
        ratios = tuple((a, b) for a, b in document["ratios"])
        plan = FeaturePlan(tuple(document["numeric"]), tuple(document["categorical"]), ratios)
        plan.remember({column: tuple(labels) for column, labels in document["categories"].items()})
        return cls(plan, pd.read_parquet(folder / "features.parquet"))
