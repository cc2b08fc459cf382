"""Columns made of dates: how long since 1970, and where in the year, month, week and day. Other kinds are next door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

YEAR_DAYS: Final = 365.25

_PARTS: Final[dict[str, Callable[[pd.DatetimeIndex], Any]]] = {
    "year": lambda dates: dates.year,
    "month": lambda dates: dates.month,
    "day of month": lambda dates: dates.day,
    "weekday": lambda dates: dates.dayofweek,
    "year sine": lambda dates: np.sin(2 * np.pi * dates.dayofyear / YEAR_DAYS),
    "year cosine": lambda dates: np.cos(2 * np.pi * dates.dayofyear / YEAR_DAYS),
    "hour": lambda dates: dates.hour + dates.minute / 60 + dates.second / 3600,
}


def dates_of(values: pd.Series[Any]) -> NDArray[np.datetime64]:
    """Dates (n,) as datetime64[us], NaT where missing; those with an offset become UTC."""
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        values = values.dt.tz_convert(None)
    return values.to_numpy(dtype="datetime64[us]", na_value=np.datetime64("NaT"))


def days_of(dates: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Days since the beginning of 1970, fractions included; NaN for NaT."""
    return (dates - np.datetime64(0, "us")) / np.timedelta64(1, "D")


class DateParts(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Days since 1970, then year, month, day of month, weekday, sine and cosine of the day of the year, and hour.

    A part that is the same in all training rows is left out, but for the days. Months and the like count from 1,
    weekdays from 0 for Monday, hours are 0 to 24 with fractions. A gap stays a gap in every part.

    Attributes:
        parts_: names of the parts that vary.
    """

    def fit(self, X: pd.Series[Any], y: Any = None) -> Self:
        """Finds the parts that vary in dates `X` (n,); returns itself."""
        dates = pd.DatetimeIndex(dates_of(X)).dropna()
        self.parts_ = tuple(name for name, part in _PARTS.items() if len(np.unique(part(dates))) > 1)
        return self

    @property
    def names_(self) -> tuple[str, ...]:
        """What each column is, after the name of the column it is made of."""
        return tuple(f" ({part})" for part in ("days", *self.parts_))

    def transform(self, X: pd.Series[Any]) -> NDArray[np.float64]:
        """Days and parts (n, 1 + parts)."""
        dates = dates_of(X)
        index = pd.DatetimeIndex(dates)
        parts = (np.asarray(_PARTS[name](index), dtype=np.float64) for name in self.parts_)
        return np.column_stack([days_of(dates), *parts])
