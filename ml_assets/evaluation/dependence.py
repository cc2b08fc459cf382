"""How answers change along a column, and which columns work together. Single answers are in `attributions`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ml_assets.datasets.spec import DatasetSpec

    Predict = Callable[[pd.DataFrame], NDArray[np.float64]]

POINTS: Final = 10
MOST_LABELS: Final = 8
FEWEST_ROWS: Final = 5


@dataclass(frozen=True, eq=False)
class Dependence:
    """Answers along one column, everything else as it is (Friedman 2001; Goldstein et al. 2015 for single rows).

    Attributes:
        column: the column.
        labels: the values it was given, as words.
        points: the same as numbers; None for labels.
        rows: answers of each row at each value, (n, points, k).
    """

    column: str
    labels: tuple[str, ...]
    points: NDArray[np.float64] | None
    rows: NDArray[np.float64]

    @property
    def mean(self) -> NDArray[np.float64]:
        """The partial dependence, (points, k)."""
        return np.asarray(self.rows.mean(axis=0))

    @property
    def slope(self) -> float:
        """Rank correlation of a number's values with the partial dependence, of the last output; 0 where it is flat.

        Of labels, which have no order, it is 0 too.
        """
        mean = self.mean[:, -1]
        if self.points is None or len(np.unique(mean)) < 2:
            return 0.0
        return float(pd.Series(self.points).corr(pd.Series(mean), method="spearman"))


@dataclass(frozen=True)
class Interaction:
    """Share of the joint effect of two columns that is not the sum of the two: Friedman & Popescu 2008, eq. 44, H²."""

    first: str
    second: str
    strength: float


def grid_of(spec: DatasetSpec, name: str, values: pd.Series[Any]) -> list[Any]:
    """Values that a column is given: observed quantiles from 5 to 95 %, or its commonest labels."""
    present = values.dropna()
    if spec.columns[name].is_number or spec.columns[name].dtype == "date":
        ordered = present.sort_values(ignore_index=True)
        places = np.unique(np.round(np.linspace(0.05, 0.95, POINTS) * (len(ordered) - 1)).astype(int))
        return list(dict.fromkeys(ordered.iloc[places].tolist())) if len(ordered) else []
    return list(present.value_counts().index[:MOST_LABELS])


def dependence(spec: DatasetSpec, predict: Predict, rows: pd.DataFrame, name: str) -> Dependence | None:
    """Partial dependence on a column over raw `rows`; None where it has fewer than two values, or is a text."""
    grid = grid_of(spec, name, rows[name]) if spec.columns[name].dtype != "text" else []
    if len(grid) < 2 or len(rows) < FEWEST_ROWS:
        return None
    asked = pd.concat([_given(rows, name, value) for value in grid], ignore_index=True)
    found = predict(asked).reshape(len(grid), len(rows), -1).transpose(1, 0, 2)
    points = np.array(grid, dtype=np.float64) if spec.columns[name].is_number else None
    return Dependence(name, tuple(map(_words, grid)), points, found)


def interactions(
    spec: DatasetSpec, predict: Predict, rows: pd.DataFrame, names: Sequence[str]
) -> tuple[Interaction, ...]:
    """H² of every two of `names`, the strongest first; each takes n² answers, n rows, and each column n² more.

    Of several outputs it is that of all together: their squared effects are summed. Where two columns have no joint
    effect at all there is nothing to share out, and the pair is left out.
    """
    if len(rows) < FEWEST_ROWS:
        return ()
    usable = [name for name in names if spec.columns[name].dtype != "text" and rows[name].nunique() > 1]
    alone = {name: _centred(predict, rows, (name,)) for name in usable}
    found = []
    for first, second in combinations(usable, 2):
        both = _centred(predict, rows, (first, second))
        total = float(np.square(both).sum())
        if total > 0:
            apart = float(np.square(both - alone[first] - alone[second]).sum())
            found.append(Interaction(first, second, min(apart / total, 1.0)))
    return tuple(sorted(found, key=lambda pair: -pair.strength))


def _centred(predict: Predict, rows: pd.DataFrame, names: tuple[str, ...]) -> NDArray[np.float64]:
    """Partial dependence on `names` at each row's own values, less its mean, (n, k)."""
    n = len(rows)
    everywhere = rows.iloc[np.tile(np.arange(n), n)].reset_index(drop=True)
    for name in names:
        everywhere[name] = rows[name].iloc[np.repeat(np.arange(n), n)].array
    means = predict(everywhere).reshape(n, n, -1).mean(axis=1)
    return np.asarray(means - means.mean(axis=0))


def _given(rows: pd.DataFrame, name: str, value: Any) -> pd.DataFrame:
    """Rows in which the column has that value."""
    made = rows.copy()
    made[name] = pd.Series([value] * len(rows), index=rows.index).astype(rows[name].dtype)
    return made


def _words(value: Any) -> str:
    if isinstance(value, pd.Timestamp):
        return str(value.date())
    return f"{value:.4g}" if isinstance(value, float) else str(value)
