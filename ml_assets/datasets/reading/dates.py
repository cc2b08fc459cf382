"""Texts and other columns to naive dates in UTC. Other types of cells belong in `cells`."""

from __future__ import annotations

import re
import warnings
from typing import Final

import polars as pl

DATES: Final = (pl.Date, pl.Datetime)
KIND: Final = pl.Datetime("us")
YEARS: Final = (1, 9999)
SHORTEST_YEAR: Final = 1000
"""A year of a format with `%Y` has four digits: 24 is a slip for 2024."""

_ISO: Final = (
    r"^(?:[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ][0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?"
    r"(?: ?(?:Z|z|UTC|[+-][0-9]{2}(?::?[0-9]{2})?))?)?|[0-9]{8})$"
)
_ISO_FORMATS: Final = (
    "%Y-%m-%d",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%dT%H:%M%#z",
    "%Y%m%d",
)
_FRACTION: Final = re.compile(r"\.?%f")


def parsed_dates(cells: pl.Series, date_format: str | None) -> pl.Series:
    """Dates of texts without blanks around them; null where a text is none.

    Args:
        cells: String; null where a date is missing.
        date_format: how they are written, for strptime. Without one, ISO 8601: a day, or a day and a time, with an
            offset from UTC or without one. ISO dates are read beside another format too, unless that begins with the
            year, when the two could be mistaken for each other.
    """
    if date_format is None:
        return _iso(cells)
    values = _by_format(cells, _FRACTION.sub(lambda m: "%.f" if m[0].startswith(".") else "%6f", date_format))
    if "%Y" in date_format:
        values = values.set((values.dt.year() < SHORTEST_YEAR).fill_null(False), None)
    if values.null_count() == cells.null_count() or date_format.startswith(("%Y", "%G")):
        return values
    return values.zip_with(values.is_not_null(), _iso(cells.set(values.is_not_null(), None)))


def plain_dates(found: pl.Series) -> pl.Series:
    """Dates and moments as naive moments in UTC; null where a year is not 1 … 9999."""
    zone = getattr(found.dtype, "time_zone", None)
    if zone is not None:
        found = found.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    years = found.dt.year()
    if found.is_empty() or years.null_count() == len(years):
        return found.cast(KIND)
    first, last = years.min(), years.max()
    if not (YEARS[0] <= first and last <= YEARS[1]):  # type: ignore[operator]
        found = found.set(~years.is_between(*YEARS), None)
    return found.cast(KIND)


def _iso(cells: pl.Series) -> pl.Series:
    cells = cells.set(~cells.str.contains(_ISO).fill_null(True), None)
    if (cells.str.len_bytes().max() or 0) > len("2024-01-31"):  # type: ignore[operator]
        cells = cells.str.to_uppercase().str.replace(r"^(.{8,10}) ", "${1}T").str.replace(" ?(?:UTC|Z)$", "Z")
        cells = cells.str.replace(" ([+-])", "${1}").str.replace(",", ".", literal=True)
    values = _by_format(cells, _ISO_FORMATS[0])
    for date_format in _ISO_FORMATS[1:]:
        if values.null_count() == cells.null_count():
            break
        values = values.zip_with(values.is_not_null(), _by_format(cells.set(values.is_not_null(), None), date_format))
    return values


def _by_format(cells: pl.Series, date_format: str) -> pl.Series:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            values = cells.str.to_datetime(date_format, time_unit="us", strict=False, ambiguous="null")
        except pl.exceptions.PolarsError:
            return pl.Series(cells.name, [None] * len(cells), dtype=KIND)
    return plain_dates(values)
