"""Columns computed from columns of the same row: ratios, rotations. What looks at other rows is `neighbours`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

if TYPE_CHECKING:
    from numpy.typing import NDArray

ANGLES: Final = (15, 30, 45, 60, 75)


class _RowWise(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A transformer that learns nothing."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Learns nothing; returns itself."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        """There is nothing to fit."""
        return True

    def fit_transform(self, X: pd.DataFrame, y: Any = None, folds: Any = None) -> pd.DataFrame:
        """As `transform`."""
        return self.transform(X)

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """New columns of rows `X`, (n, columns of `lineage`)."""
        raise NotImplementedError

    @property
    def lineage(self) -> dict[str, tuple[str, ...]]:
        """For each output column the columns it is made of."""
        raise NotImplementedError

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names of the output columns."""
        return np.array(list(self.lineage), dtype=object)


class Ratios(_RowWise):
    """Quotients of columns; a zero denominator gives a gap.

    Args:
        pairs: numerator and denominator of each.
    """

    def __init__(self, pairs: tuple[tuple[str, str], ...] = ()) -> None:
        self.pairs = pairs

    @property
    def lineage(self) -> dict[str, tuple[str, ...]]:
        """For each output column the columns it is made of."""
        return {f"{a} / {b}": (a, b) for a, b in self.pairs}

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """The quotients of rows `X`, (n, pairs)."""
        columns = {}
        for a, b in self.pairs:
            above, below = (X[c].to_numpy(dtype=np.float64, na_value=np.nan) for c in (a, b))
            columns[f"{a} / {b}"] = np.divide(above, below, out=np.full(len(X), np.nan), where=below != 0)
        return pd.DataFrame(columns, index=X.index)


class Differences(_RowWise):
    """Differences of columns.

    Args:
        pairs: what is subtracted from, and what is subtracted.
    """

    def __init__(self, pairs: tuple[tuple[str, str], ...] = ()) -> None:
        self.pairs = pairs

    @property
    def lineage(self) -> dict[str, tuple[str, ...]]:
        """For each output column the columns it is made of."""
        return {f"{a} − {b}": (a, b) for a, b in self.pairs}

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """The differences of rows `X`, (n, pairs)."""
        columns = {}
        for a, b in self.pairs:
            first, second = (X[c].to_numpy(dtype=np.float64, na_value=np.nan) for c in (a, b))
            columns[f"{a} − {b}"] = first - second
        return pd.DataFrame(columns, index=X.index)


class Rotations(_RowWise):
    """A plane's coordinates seen along other axes, for trees that cut along axes only.

    Args:
        plane: the two columns.
    """

    def __init__(self, plane: tuple[str, str] = ("", "")) -> None:
        self.plane = plane

    @property
    def lineage(self) -> dict[str, tuple[str, ...]]:
        """For each output column the columns it is made of."""
        a, b = self.plane
        return {f"{a} & {b} turned by {angle + more}°": self.plane for angle in ANGLES for more in (0, 90)}

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """The turned coordinates of rows `X`, (n, two an angle)."""
        first, second = (X[c].to_numpy(dtype=np.float64, na_value=np.nan) for c in self.plane)
        columns = []
        for angle in ANGLES:
            turn = np.deg2rad(angle)
            columns += [np.cos(turn) * first + np.sin(turn) * second, np.cos(turn) * second - np.sin(turn) * first]
        return pd.DataFrame(dict(zip(self.lineage, columns, strict=True)), index=X.index)
