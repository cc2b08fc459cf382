"""Ranges, periods and shares with room around what was seen, rounded outwards to numbers that a person would write.

Which column gets one is decided in `inference_columns`.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

NATURAL_LIMITS: Final = (1.0, 100.0)
"""Largest values that are an end by themselves where a column reaches them exactly: of shares and of percentages."""
OFTEN: Final = 3
RARE_SHARE: Final = 0.1
RARE_ROOM: Final = 10.0
ENOUGH: Final = 30
"""Where at most this share of the rows, of so many at least, differs from the commonest value, the few that do say
little of how far values go: there are so many times the usual room."""
MARGIN_YEARS: Final = 10
LARGEST_WHOLE: Final = 2.0**53


@dataclass(frozen=True)
class Limits:
    """A range and why its ends are where they are.

    Attributes:
        low: smallest allowed number.
        high: largest allowed number.
        reason: half a sentence.
    """

    low: float
    high: float
    reason: str


def roomy_range(values: pl.Series, *, whole: bool) -> Limits:
    """A range around finite numbers with as much room on either side as they take up, or more where few rows show it.

    It ends at 0 where nothing is below and something says that nothing can be: all numbers are whole, 0 is among them,
    they crowd towards it, or keep well away from it. Else a number below 0 may be as right as those seen. A column that
    ends at exactly 1 or 100 several times keeps that end.

    Args:
        values: numbers without nulls, at least one.
        whole: whether all are whole by nature.
    """
    low, high = float(values.min()), float(values.max())  # type: ignore[arg-type]
    if whole and (low, high) == (0, 1):
        return Limits(0, 1, "0 and 1 only")
    spread = (high - low) or abs(high) or 1.0
    room = spread * RARE_ROOM if _is_mostly_one(values) else spread
    bottom, top = _outwards(low, -room, spread), _outwards(high, room, spread)
    if room == spread:
        reason = "as much room on either side as the values take up"
    else:
        reason = f"{RARE_ROOM:g} times the room that the values take up, as few rows differ from the commonest"
    if low >= 0 > bottom and (whole or _has_border_at_zero(values, low, high)):
        above = "room above" if room == spread else "much room above, as few rows differ from the commonest value"
        bottom, reason = 0.0, f"{above}, and nothing below 0 as nothing is"
    elif low >= 0 > bottom:
        reason += "; 0 is no border as far as can be told: begin at 0 if less makes no sense"
    elif low <= 0 == high:
        top, reason = 0.0, "room below, and nothing above 0 as nothing is"
    if low >= 0 and high in NATURAL_LIMITS and not whole and int((values == high).sum()) >= OFTEN:
        bottom, top, reason = 0.0, high, f"0 to {high:g}, which several rows have exactly"
    if whole and max(abs(bottom), abs(top)) > LARGEST_WHOLE:
        bottom, top = max(bottom, -LARGEST_WHOLE), min(top, LARGEST_WHOLE)
    return Limits(bottom, top, reason)


def roomy_period(first: dt.datetime, last: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
    """From the first of January to the first of January, around what was seen: ten years on, a span of years back."""
    years = last.year - first.year + 1
    begin = max(1, first.year - max(years, 1))
    end = min(9999, last.year + 1 + max(years, MARGIN_YEARS))
    return dt.datetime(begin, 1, 1), dt.datetime(end, 1, 1) if end < 9999 else dt.datetime(9999, 12, 31)


def roomy_share(seen: float, *, room: float = 0.5, least: float = 0.01) -> float:
    """A share with room above the one that was seen, in hundredths; 0 stays 0."""
    if seen <= 0:
        return 0.0
    return min(1.0, math.ceil(round((seen * (1 + room) + least) * 100, 6)) / 100)


def half_rounded(rows: int) -> int:
    """Half of a number of rows, rounded down to one digit and zeros; 1 at least."""
    half = rows // 2
    if half < 1:
        return 1
    step: int = 10 ** (len(str(half)) - 1)
    return half // step * step


def _is_mostly_one(values: pl.Series) -> bool:
    """Whether nearly all of enough rows have the same value."""
    commonest = int((values == values.mode()[0]).sum())
    return len(values) >= ENOUGH and commonest >= (1 - RARE_SHARE) * len(values)


def _has_border_at_zero(values: pl.Series, low: float, high: float) -> bool:
    """Whether numbers of which none is below 0 look as if none could be."""
    quarter, middle = (float(values.quantile(q) or 0) for q in (0.25, 0.5))
    crowded = middle - low < (high - low) / 3
    away = low - (quarter - low) >= 0
    return low == 0 or crowded or away or bool((values == values.round()).all())


def _outwards(value: float, room: float, spread: float) -> float:
    """`value` and `room`, rounded away from it to the spread's power of ten; `value` itself at the ends of floats."""
    step = 10.0 ** math.floor(math.log10(spread)) if math.isfinite(spread) else 0.0
    steps = (value + room) / step if step > 0 else math.inf
    if not math.isfinite(steps):
        return value
    rounded = math.ceil(steps) if room > 0 else math.floor(steps)
    found = round(rounded * step, max(0, -math.floor(math.log10(step))))
    if not math.isfinite(found):
        return value
    return max(found, value) if room > 0 else min(found, value)
