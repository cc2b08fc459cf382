"""How far off a model is likely to be on a row, from what the row says. Intervals made with it are in `conformal`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ml_assets.datasets.spec import DatasetSpec

MOST_ROWS: Final = 20_000
"""Rows that difficulty is learned from at most, drawn at random from more."""
LEAST_SHARE: Final = 0.1
"""Least difficulty that is foretold, as a share of the mean; an interval is never a point because of it."""
ITERATIONS: Final = 60
LEAVES: Final = 15
FEWEST_ROWS: Final = 100
"""Rows below which every row counts as equally difficult."""
MOST_LABELS: Final = 200
"""Labels of a column that are told apart."""


class Difficulty(BaseEstimator):  # type: ignore[misc]
    """Expected absolute error of a row, by gradient boosting on its raw columns.

    Boosting minimizes the Poisson deviance, so that expectations are positive. Numbers and dates count as they are,
    labels by their place among those seen in training, texts by their length.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, spec: DatasetSpec, rows: pd.DataFrame, errors: NDArray[np.float64]) -> Self:
        """Learns from raw `rows` (n, …) and the absolute errors (n,) of predictions that had not seen them."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        if len(rows) > MOST_ROWS:
            drawn = np.sort(np.random.default_rng(self.seed).choice(len(rows), MOST_ROWS, replace=False))
            rows, errors = rows.iloc[drawn], errors[drawn]
        self.kinds_ = {name: spec.columns[name].dtype for name in spec.feature_columns}
        self.labels_ = {
            name: {label: at for at, label in enumerate(rows[name].value_counts().index[:MOST_LABELS])}
            for name, kind in self.kinds_.items()
            if kind == "category"
        }
        self.kinds_ = {name: kind for name, kind in self.kinds_.items() if rows[name].notna().any()}
        self.mean_ = float(np.mean(errors)) if len(errors) else 0.0
        self.model_ = None
        if len(rows) >= FEWEST_ROWS and self.mean_ > 0 and self.kinds_:
            model = HistGradientBoostingRegressor(
                loss="poisson",
                max_iter=ITERATIONS,
                max_leaf_nodes=LEAVES,
                min_samples_leaf=20,
                early_stopping=False,
                random_state=self.seed,
            )
            with threadpool_limits(1, "openmp"):  # small trees; threads that wait for each other cost more
                self.model_ = model.fit(self._numbers(rows), errors / self.mean_)
        return self

    def predict(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        """Expected absolute error of each row over the mean one, (n,); at least `LEAST_SHARE`."""
        if self.model_ is None:
            return np.ones(len(rows))
        found: NDArray[np.float64] = np.maximum(self.model_.predict(self._numbers(rows)), LEAST_SHARE)
        return found

    def _numbers(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        return np.column_stack([self._column(name, kind, rows[name]) for name, kind in self.kinds_.items()])

    def _column(self, name: str, kind: str, values: pd.Series[Any]) -> NDArray[np.float64]:
        if kind == "category":
            values = values.map(self.labels_[name])
        elif kind == "text":
            values = values.str.len()
        elif kind == "date":
            values = (values - pd.Timestamp(0)) / pd.Timedelta(days=1)
        numbers: NDArray[np.float64] = values.to_numpy(dtype=np.float64, na_value=np.nan)
        return numbers


def cross_fitted(
    spec: DatasetSpec, rows: pd.DataFrame, errors: NDArray[np.float64], fold: NDArray[Any], *, seed: int
) -> NDArray[np.float64]:
    """Difficulty of each row (n,) by what the other folds' errors taught, so that no row judges itself."""
    found = np.ones(len(rows))
    for number in np.unique(fold):
        inside = fold == number
        found[inside] = Difficulty(seed).fit(spec, rows[~inside], errors[~inside]).predict(rows[inside])
    return found
