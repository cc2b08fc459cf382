"""How the dates of a column of texts are written: the format that reads all of them, and whether the day comes first.

Other kinds of columns belong in `inference_columns`, reading by a format in `dates`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from ml_assets.datasets.inference.markers import stands_for_missing
from ml_assets.datasets.reading.dates import parsed_dates

if TYPE_CHECKING:
    from collections.abc import Iterable

SAMPLE: Final = 50
LONGEST: Final = 40
ORDER_SAMPLE: Final = 2000
MOST_MARKERS: Final = 8

_TOKENS: Final = {
    "%d": r"\d{1,2}",
    "%m": r"\d{1,2}",
    "%Y": r"\d{4}",
    "%y": r"\d{2}",
    "%b": r"[^\W\d]{3}",
    "%B": r"[^\W\d]{3,9}",
    "%H": r"\d{1,2}",
    "%I": r"\d{1,2}",
    "%M": r"\d{2}",
    "%S": r"\d{2}",
    "%f": r"\d{1,9}",
    "%p": r"[AaPp][Mm]",
}
_DAYS: Final = (
    *(f"{a}{sep}{b}{sep}{year}" for sep in "/.-" for year in ("%Y", "%y") for a, b in (("%d", "%m"), ("%m", "%d"))),
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d %b %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%d/%b/%Y",
    "%d. %b %Y",
    "%d %B %Y",
    "%d. %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%b %d %Y",
    "%B %d %Y",
)
_TIMES: Final = ("", "%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")
_FORMATS: Final = tuple(
    f"{day}{between}{time}" for day in _DAYS for time in _TIMES for between in ((" ", "T", ", ") if time else ("",))
)
_LIKE_A_DATE: Final = re.compile(r"\d{1,4}\D{1,2}\d|\d \w{3}|\w{3}\.? \d|\d-\w{3}-\d")


def _pattern(date_format: str) -> re.Pattern[str]:
    return re.compile("".join(_TOKENS.get(part, re.escape(part)) for part in re.findall(r"%.|[^%]", date_format)))


_PATTERNS: Final = {date_format: _pattern(date_format) for date_format in _FORMATS}


@dataclass(frozen=True)
class DateReading:
    """How dates are written.

    Attributes:
        date_format: for strptime; None for ISO 8601.
        markers: texts among them that stand for a missing date.
        settled_by: a text that only this order of day and month can read; None where there is no such question.
        other: the format that reads every text as well, with day and month the other way round.
        example: a text that the two read differently.
    """

    date_format: str | None
    markers: tuple[str, ...]
    settled_by: str | None = None
    other: str | None = None
    example: str = ""


def read_dates(distinct: pl.Series, cells: pl.Series) -> DateReading | None:
    """How the dates in a column are written; None where it has other texts too, or none at all.

    Args:
        distinct: the different texts of the column, without blanks around them.
        cells: the texts in the order of the rows, by which a doubt about day and month is settled.
    """
    head = [text for text in distinct.head(10 * SAMPLE).sort() if not stands_for_missing(text)][:SAMPLE]
    if not head or not all(len(text) <= LONGEST and _LIKE_A_DATE.search(text) for text in head):
        return None
    markers = tuple(sorted(text for text in _dateless(distinct) if stands_for_missing(text)))
    if len(markers) > MOST_MARKERS:
        return None
    texts = distinct.filter(~distinct.is_in(markers)) if markers else distinct
    if _reads_all(texts, None):
        return DateReading(None, markers)
    likely = [f for f in _FORMATS if all(_PATTERNS[f].fullmatch(text) for text in head)]
    fitting = [f for f in likely if _reads_all(texts, f)]
    if not fitting:
        return None
    return _settled(fitting, texts, cells.head(ORDER_SAMPLE), markers)


def swapped(date_format: str) -> str:
    """The format with day and month the other way round."""
    return date_format.replace("%d", "%\0").replace("%m", "%d").replace("%\0", "%m")


def _settled(fitting: list[str], texts: pl.Series, cells: pl.Series, markers: tuple[str, ...]) -> DateReading:
    first = fitting[0]
    other = swapped(first)
    if other not in _PATTERNS:
        return DateReading(first, markers)
    if other not in fitting:
        unread = parsed_dates(texts, other).is_null()
        return DateReading(first, markers, settled_by=texts.filter(unread).sort()[0])
    by_order = sorted((first, other), key=lambda f: -_in_order(cells, f))
    if _in_order(cells, first) == _in_order(cells, other) and "%p" in first:
        by_order = sorted((first, other), key=lambda f: not f.startswith("%m"))
    doubtful = texts.filter(parsed_dates(texts, first) != parsed_dates(texts, other))
    example = (doubtful if len(doubtful) else texts).sort()[0]
    return DateReading(by_order[0], markers, other=by_order[1], example=example)


def _in_order(cells: pl.Series, date_format: str) -> float:
    """Share of the rows whose date is not before, or not after, that of the row above: 0.5 at least."""
    steps = parsed_dates(cells.str.strip_chars(), date_format).drop_nulls().diff().drop_nulls().dt.total_microseconds()
    if steps.is_empty():
        return 1.0
    return round(max(float((steps >= 0).mean() or 0), float((steps <= 0).mean() or 0)), 2)  # type: ignore[arg-type]


def _reads_all(texts: pl.Series, date_format: str | None) -> bool:
    return (
        not parsed_dates(texts.head(SAMPLE), date_format).null_count()
        and not parsed_dates(texts, date_format).null_count()
    )


def _dateless(distinct: pl.Series) -> Iterable[str]:
    """Texts that are too short for a date, or have no digit."""
    return distinct.filter(~distinct.str.contains(r"\d") | (distinct.str.len_chars() < 6))
