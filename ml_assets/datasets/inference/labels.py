"""Whether texts are labels or prose, and whether the labels seen are all there are.

Texts that are numbers, dates or yes and no belong in `inference_columns`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal, Self

import polars as pl

from ml_assets.datasets.inference.markers import stands_for_missing
from ml_assets.datasets.reading.cells import MAX_CELL_BYTES
from ml_assets.datasets.reading.wording import shortened

MOST_ALLOWED: Final = 30
ROWS_A_LABEL: Final = 5
FEWEST_PROSE: Final = 20
PROSE_WORDS: Final = 4.0
PROSE_CHARACTERS: Final = 50.0
PROSE_SHARE: Final = 0.5
SAMPLE: Final = 2000
FEW: Final = 3
LABELS_SHOWN: Final = 8

_UNSPACED: Final = r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]"
"""Letters of Thai, Japanese and Chinese, which put no blanks between words; two of them count as a word."""


@dataclass(frozen=True)
class Tally:
    """The different texts of a column, without blanks around them.

    Attributes:
        texts: each once; neither null nor empty.
        counts: rows of each.
    """

    texts: pl.Series
    counts: pl.Series

    @classmethod
    def of(cls, cells: pl.Series) -> Self:
        """Of a column of texts."""
        bare = cells.alias("text").str.strip_chars().drop_nulls()
        texts = bare.filter(bare != "").value_counts()
        return cls(texts["text"], texts["count"])

    def by_frequency(self) -> Self:
        """The same, most frequent first; those that are equally so by the alphabet."""
        order = pl.DataFrame([self.texts.alias("text"), self.counts.alias("count")])
        ranked = order.sort(["count", "text"], descending=[True, False])
        return replace(self, texts=ranked["text"], counts=ranked["count"])

    @property
    def rows(self) -> int:
        """Rows with a text."""
        return int(self.counts.sum())

    @property
    def singles(self) -> int:
        """Texts that are in one row only."""
        return int((self.counts == 1).sum())


@dataclass(frozen=True)
class LabelGuess:
    """What a column of texts may be promised to hold.

    Attributes:
        dtype: labels, or prose.
        allowed: all labels there are, where nothing speaks against it.
        comments: sentences: what was seen, why this guess, how to change it.
    """

    dtype: Literal["category", "text"]
    allowed: tuple[str, ...] | None
    comments: tuple[str, ...]


def guess_labels(tally: Tally) -> LabelGuess:
    """Labels or prose, by how many different texts there are, how often each is there and how long they are."""
    tally, distinct = tally.by_frequency(), len(tally.texts)
    reason = _prose_reason(tally)
    if reason is not None:
        seen = f"{distinct} different texts in {tally.rows} rows, {reason}: free text."
        return LabelGuess("text", None, (seen, "If these are labels: dtype: category."))
    if distinct > MOST_ALLOWED:
        seen = f"{distinct} different labels, such as {labels_text(tally, FEW)}: any label may come."
        return LabelGuess("category", None, (seen, *_gap_labels(tally)))
    if tally.singles or tally.rows < ROWS_A_LABEL * distinct:
        few = f"{tally.singles} of them in one row only" if tally.singles else f"in {counted(tally.rows, 'row')}"
        seen = f"{counted(distinct, 'label')}, {few}, so others may well come: {labels_text(tally)}."
        return LabelGuess("category", None, (seen, "To refuse unknown ones: allowed: [ … ].", *_gap_labels(tally)))
    allowed = tuple(sorted(tally.texts))
    seen = f"{counted(distinct, 'label')}, each in {int(tally.counts.min() or 0)} rows at least."  # type: ignore[arg-type]
    loosen = "Another one is refused: add it to `allowed` when it comes, or take `allowed` out to let any label in."
    return LabelGuess("category", allowed, (seen, loosen, *_gap_labels(tally)))


def counted(number: int, what: str) -> str:
    """`1 row`, `2 rows`, `3 classes`."""
    ending = "" if number == 1 else "es" if what.endswith("s") else "s"
    return f"{number} {what}{ending}"


def labels_text(tally: Tally, most: int = LABELS_SHOWN) -> str:
    """`'red' (1599), 'white' (4898)`, cut to the most frequent."""
    shown = zip(tally.texts.head(most), tally.counts.head(most), strict=True)
    more = " …" if len(tally.texts) > most else ""
    return ", ".join(f"{shortened(text, 30)} ({count})" for text, count in shown) + more


def _prose_reason(tally: Tally) -> str | None:
    """Why texts are prose and no labels; None if they are labels."""
    distinct, texts = len(tally.texts), tally.texts.head(SAMPLE)
    if tally.texts.str.contains(r"[\r\n]").any():
        return "some of more than one line"
    if int(tally.texts.str.len_bytes().max() or 0) > MAX_CELL_BYTES:  # type: ignore[arg-type]
        return "some longer than a label may be"
    if distinct < FEWEST_PROSE or distinct < 0.2 * tally.rows:
        return None
    words = float((texts.str.count_matches(r"\S+") + texts.str.count_matches(_UNSPACED) / 2).mean() or 0)  # type: ignore[arg-type]
    characters = float(texts.str.len_chars().mean() or 0)  # type: ignore[arg-type]
    long = characters >= PROSE_CHARACTERS and words >= PROSE_WORDS / 2
    if long or (words >= PROSE_WORDS and distinct >= PROSE_SHARE * tally.rows):
        return f"{words:.0f} words each on average"
    return None


def _gap_labels(tally: Tally) -> tuple[str, ...]:
    """A sentence on labels that look like gaps."""
    if len(tally.texts) > 50 * MOST_ALLOWED:
        return ()
    counts = zip(tally.texts, tally.counts, strict=True)
    found = {text: count for text, count in counts if stands_for_missing(text)}
    if not found:
        return ()
    told = ", ".join(f"{shortened(text)} ({counted(count, 'row')})" for text, count in found.items())
    listed = ", ".join(f'"{text}"' for text in found)
    many = len(found) > 1
    return (
        f"{told} {'are labels' if many else 'is a label'} like any other; if {'they stand' if many else 'it stands'} "
        f"for a missing value: missing_texts: [{listed}], and a missing_share.",
    )
