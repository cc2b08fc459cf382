"""What would have to be different for another answer. Which columns an answer rests on is in `attributions`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from ml_assets.evaluation.dependence import grid_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ml_assets.datasets.spec import DatasetSpec

PAIRED: Final = 4
"""Columns, the most important first, that are changed two at a time where one is not enough."""


@dataclass(frozen=True)
class Change:
    """One column's value, before and after."""

    column: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Counterfactual:
    """The smallest change that was found.

    Attributes:
        changes: one or two; none where nothing within the observed values does it.
        distance: sum over the changes, a number's in spreads of its column (5th to 95th percentile), a label's 1.
        answer: what the model then says: a number, or a label.
    """

    changes: tuple[Change, ...]
    distance: float
    answer: Any


def counterfactual(
    spec: DatasetSpec,
    say: Callable[[pd.DataFrame], NDArray[Any]],
    row: pd.DataFrame,
    observed: pd.DataFrame,
    *,
    order: Sequence[str],
    amount: float | None = None,
) -> Counterfactual:
    """The smallest change of one column, or else of two, after which the model says something else.

    Values are tried that were observed; only features are changed, so that what is sensitive or ignored stays.

    Args:
        spec: the contract.
        say: raw rows in, numbers or labels out.
        row: one raw row.
        observed: raw rows that show which values there are.
        order: columns that may be changed, the most important first.
        amount: by how much a number has to move, with the direction's sign; for classes any other label will do.
    """
    now = say(row)[0]
    names = [name for name in order if spec.columns[name].dtype != "text"]
    choices = {name: [v for v in grid_of(spec, name, observed[name]) if v != row[name].iloc[0]] for name in names}
    single = [((name, value),) for name in names for value in choices[name]]
    pairs = [((a, x), (b, y)) for a, b in combinations(names[:PAIRED], 2) for x, y in product(choices[a], choices[b])]
    spreads = {name: _spread(spec, name, observed[name]) for name in names}
    for tried in (single, pairs):
        best = _nearest(say, row, tried, spreads, now, amount)
        if best is not None:
            return best
    return Counterfactual((), float("nan"), now)


def _nearest(
    say: Callable[[pd.DataFrame], NDArray[Any]],
    row: pd.DataFrame,
    tried: Sequence[tuple[tuple[str, Any], ...]],
    spreads: dict[str, float],
    now: Any,
    amount: float | None,
) -> Counterfactual | None:
    if not tried:
        return None
    asked = row.iloc[np.zeros(len(tried), dtype=int)].reset_index(drop=True)
    for name in {name for changes in tried for name, _ in changes}:
        values = [dict(changes).get(name, row[name].iloc[0]) for changes in tried]
        asked[name] = pd.Series(values).astype(row[name].dtype)
    said = say(asked)
    reached = said != now if amount is None else (said - now) * np.sign(amount) >= abs(amount)
    found = [
        (sum(_distance(row[name].iloc[0], value, spreads[name]) for name, value in tried[at]), at)
        for at in np.flatnonzero(reached).tolist()
    ]
    if not found:
        return None
    distance, at = min(found)
    changes = tuple(Change(name, row[name].iloc[0], value) for name, value in tried[at])
    return Counterfactual(changes, distance, said[at])


def _spread(spec: DatasetSpec, name: str, values: pd.Series[Any]) -> float:
    """Width of a column's middle nine tenths, in its own unit (days of a date); 0 for labels."""
    if not (spec.columns[name].is_number or spec.columns[name].dtype == "date"):
        return 0.0
    low, high = (_number(values.dropna().quantile(q)) for q in (0.05, 0.95))
    return high - low


def _distance(before: Any, after: Any, spread: float) -> float:
    if spread == 0 or pd.isna(before):
        return 1.0
    return abs(_number(after) - _number(before)) / spread


def _number(value: Any) -> float:
    return value.timestamp() / 86_400 if isinstance(value, pd.Timestamp) else float(value)
