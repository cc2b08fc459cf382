"""Of which type a column is: the narrowest that reads every cell, gaps aside.

Limits and shares of a column whose type is known belong in `inference_columns`, labels and prose in `inference_labels`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import polars as pl

from ml_assets.datasets.inference.dates import DateReading, read_dates
from ml_assets.datasets.inference.labels import Tally, counted, guess_labels
from ml_assets.datasets.inference.markers import stands_for_missing
from ml_assets.datasets.reading.cells import FALSE, LARGEST_INTEGER, TRUE, as_text, typed_column
from ml_assets.datasets.reading.dates import DATES
from ml_assets.datasets.reading.dialect import MISSING
from ml_assets.datasets.reading.formulas import formula_mask
from ml_assets.datasets.reading.wording import shortened
from ml_assets.datasets.spec import Column
from ml_assets.errors import SourceError

MOST_MARKERS: Final = 8
FEWEST_NUMBERS: Final = 10
NEARLY_ALL: Final = 0.8
FEWEST_DAYS: Final = 3
EXAMPLES: Final = 3

_DAY: Final = r"^(?:19|20)\d{6}$"
_CODE: Final = r"^[+-]?0\d+$"
_WHOLE: Final = r"^[+-]?\d+$"
_DECORATED: Final = r"^[€$£¥]?\s?[+-]?(?:\d{1,3}(?:[.,' \u00a0]\d{3})+|\d+)(?:[.,]\d+)?\s?[€$£¥%]?$"
"""A number with marks between its thousands, a currency or a percent sign."""
_TRUE_WORDS: Final = frozenset(word for word in TRUE if not re.search(r"\d", word))
_FALSE_WORDS: Final = frozenset(word for word in FALSE if not re.search(r"\d", word))


@dataclass(frozen=True)
class Kind:
    """A type that fits all cells of a column, why, and what a person should look at."""

    column: Column
    comments: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def kind_of(cells: pl.Series, *, decimal: str, origin: str) -> Kind:
    """The type of a column that is not empty.

    Raises:
        SourceError: a number is infinite; names the row.
    """
    if cells.dtype == pl.String:
        return _of_texts(cells, decimal)
    if cells.dtype == pl.Boolean:
        return Kind(Column(dtype="boolean"), ("True and false.",))
    if cells.dtype in DATES:
        return Kind(Column(dtype="date"), ("Dates.",))
    if cells.dtype.is_float():
        _refuse_infinite(cells, origin)
        return Kind(Column(dtype="float"), ("Numbers.",))
    if cells.dtype.is_integer():
        return _of_integers(cells)
    return _of_texts(as_text(cells), ".")


def _of_texts(cells: pl.Series, decimal: str) -> Kind:
    tally = Tally.of(cells)
    parsed, bad = typed_column(Column(dtype="float"), tally.texts, decimal=decimal)
    numbers = _Numbers(tally, parsed.is_not_null() & parsed.is_finite(), parsed.is_infinite().fill_null(False))
    found = _boolean(tally) or _days(tally) or _number(numbers, decimal) or _dates(tally, cells)
    if found is not None:
        return found
    labels = guess_labels(tally)
    why_not = numbers.why_not if bad or numbers.codes else ()
    formulas = int(formula_mask(tally.texts).sum())
    runs = (
        (f"{formulas} of its texts begin like formulas; in files in data/incoming such are refused",)
        if formulas
        else ()
    )
    column = Column(dtype=labels.dtype, allowed=labels.allowed)
    return Kind(column, (*labels.comments, *why_not), (*why_not, *runs))


def _of_integers(cells: pl.Series) -> Kind:
    present = cells.drop_nulls()
    as_days = _days(Tally.of(as_text(present)))
    if as_days is not None:
        return as_days
    if max(abs(int(present.min())), abs(int(present.max()))) > LARGEST_INTEGER:  # type: ignore[arg-type]
        return Kind(Column(dtype="category"), ("Numbers too large to be kept exactly, so they are taken as labels.",))
    return Kind(Column(dtype="integer"), (_whole_numbers(present),))


@dataclass(frozen=True)
class _Numbers:
    """Which of the different texts of a column are numbers.

    Attributes:
        tally: the texts.
        finite: whether a text is a finite number.
        infinite: whether it is an infinite one, which no model takes.
    """

    tally: Tally
    finite: pl.Series
    infinite: pl.Series

    @property
    def others(self) -> pl.Series:
        """Texts that are neither numbers nor read as a gap anyway, by the alphabet."""
        return self.tally.texts.filter(~self.finite & ~self.tally.texts.is_in(list(MISSING))).sort()

    @property
    def codes(self) -> bool:
        """Whether zeros in front say that whole numbers are codes."""
        return bool(self.tally.texts.str.contains(_CODE).any())

    @property
    def nearly_all(self) -> bool:
        """Whether most rows with a text have a number."""
        return self._rows(self.finite) >= NEARLY_ALL * self.tally.rows

    def _rows(self, where: pl.Series) -> int:
        return int(self.tally.counts.filter(where).sum())

    @property
    def why_not(self) -> tuple[str, ...]:
        """A sentence on a column that is almost of numbers."""
        if self.codes and not len(self.others):
            return ("Zeros in front, such as those of postcodes, would be lost in numbers, so these are labels.",)
        decorated = self.tally.texts.str.contains(_DECORATED)
        if self._rows(decorated | self.finite) < NEARLY_ALL * self.tally.rows:
            return ()
        shown = ", ".join(shortened(text, 20) for text in self.others.head(EXAMPLES))
        return (
            f"{counted(self._rows(self.finite), 'row')} have plain numbers, {self._rows(~self.finite)} have texts such "
            f"as {shown}, so all are labels: write plain numbers there, or set dtype: float and list the texts under "
            "missing_texts.",
        )


def _number(numbers: _Numbers, decimal: str) -> Kind | None:
    texts, others = numbers.tally.texts.filter(numbers.finite), numbers.others
    if not len(texts) or numbers.codes or len(others) > MOST_MARKERS:
        return None
    strange = [t for t, infinite in _pairs(numbers, others) if not infinite and not stands_for_missing(t)]
    if len(strange) > 1 or any(re.search(r"\d", text) for text in strange):
        return None
    if strange and (len(texts) < FEWEST_NUMBERS or not numbers.nearly_all):
        return None
    whole = bool(texts.str.contains(_WHOLE).all())
    if whole and typed_column(Column(dtype="integer"), texts)[1]:
        return Kind(Column(dtype="category"), ("Numbers too large to be kept exactly, so they are taken as labels.",))
    column = Column(dtype="integer" if whole else "float", missing_texts=tuple(sorted(others)))
    seen = _whole_numbers(texts) if whole else "Numbers."
    comma = ("Decimal comma.",) if decimal == "," and texts.str.contains(",", literal=True).any() else ()
    return Kind(column, (seen, *comma, *_gaps(numbers.tally, others)), _gap_notes(numbers.tally, others))


def _pairs(numbers: _Numbers, others: pl.Series) -> list[tuple[str, bool]]:
    infinite = set(numbers.tally.texts.filter(numbers.infinite))
    return [(text, text in infinite) for text in others]


def _boolean(tally: Tally) -> Kind | None:
    if len(tally.texts) > 2 * (len(_TRUE_WORDS) + len(_FALSE_WORDS)) + MOST_MARKERS:
        return None
    words = [text for text in tally.texts if not stands_for_missing(text)]
    lower = {word.lower() for word in words}
    if not (lower & _TRUE_WORDS and lower & _FALSE_WORDS) or not lower <= _TRUE_WORDS | _FALSE_WORDS:
        return None
    others = tally.texts.filter(~tally.texts.is_in(words))
    declared = others.filter(~others.is_in(list(MISSING)))
    comment = f"{' and '.join(map(shortened, sorted(words)))} only: yes or no."
    column = Column(dtype="boolean", missing_texts=tuple(sorted(declared)))
    return Kind(column, (comment, *_gaps(tally, declared)), _gap_notes(tally, declared))


def _days(tally: Tally) -> Kind | None:
    """Whole numbers such as 20240131: among other numbers too few are days of the calendar by chance."""
    first = tally.texts[0] if len(tally.texts) >= FEWEST_DAYS else ""
    if not re.match(_DAY, first) or not tally.texts.str.contains(_DAY).all():
        return None
    column = Column(dtype="date")
    if typed_column(column, tally.texts)[1]:
        return None
    return Kind(column, ("Whole numbers such as 20240131, all of them days of the calendar: dates.",))


def _dates(tally: Tally, cells: pl.Series) -> Kind | None:
    reading = read_dates(tally.texts, cells)
    if reading is None:
        return None
    markers = tally.texts.filter(tally.texts.is_in([m for m in reading.markers if m not in MISSING]))
    column = Column(dtype="date", date_format=reading.date_format, missing_texts=tuple(sorted(markers)))
    said, notes = _order_of_day_and_month(reading)
    return Kind(column, (*said, *_gaps(tally, markers)), (*notes, *_gap_notes(tally, markers)))


def _order_of_day_and_month(reading: DateReading) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if reading.date_format is None:
        return ("Dates by ISO 8601.",), ()
    seen = f"Dates written as {reading.date_format}"
    first = "day" if reading.date_format.startswith("%d") else "month"
    if reading.settled_by is not None:
        return (f"{seen}: the {first} comes first, as {shortened(reading.settled_by)} shows.",), ()
    if reading.other is None:
        return (f"{seen}.",), ()
    doubt = (
        f"nothing tells whether day or month comes first, as in {shortened(reading.example)}; the {first} is taken to, "
        f'and if it does not: date_format: "{reading.other}"'
    )
    return (f"{seen}; {doubt}.",), (doubt,)


def _whole_numbers(values: pl.Series) -> str:
    if set(map(str, values.unique().head(3))) <= {"0", "1"}:
        return "0 and 1 only; dtype: boolean would do as well."
    return "Whole numbers all of them; if fractions may come: dtype: float."


def _gaps(tally: Tally, declared: pl.Series) -> tuple[str, ...]:
    return (f"{_counted(tally, declared)} taken as missing, as all else fits.",) if len(declared) else ()


def _gap_notes(tally: Tally, declared: pl.Series) -> tuple[str, ...]:
    return (f"{_counted(tally, declared)} taken as missing",) if len(declared) else ()


def _counted(tally: Tally, declared: pl.Series) -> str:
    counts = dict(zip(tally.texts, tally.counts, strict=True)) if len(declared) else {}
    told = ", ".join(f"{shortened(text)} ({counted(counts[text], 'row')})" for text in declared.sort())
    return f"{told} {'are' if len(declared) > 1 else 'is'}"


def _refuse_infinite(cells: pl.Series, origin: str) -> None:
    infinite = cells.is_infinite().fill_null(False)
    if infinite.any():
        rows = infinite.arg_true()
        more = f", and in {len(rows) - 1} more rows" if len(rows) > 1 else ""
        raise SourceError(
            f"{origin}, row {int(rows[0]) + 1}{more}: column {shortened(cells.name)} is infinite, which no model "
            "takes: put a number there, or leave the cell empty"
        )
