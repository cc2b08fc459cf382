"""A part of a page about a model, whatever the page is written in. What it says belongs beside what it tells of."""

from __future__ import annotations

from dataclasses import dataclass

from ml_assets.evaluation.tables import Table


@dataclass(frozen=True)
class Section:
    """Words, tables and pictures under one heading, in the order they are read.

    Attributes:
        key: short name, the anchor in a page and the key in JSON; the same for every dataset and version.
        title: the heading.
        paragraphs: plain sentences, the most important first; what is between backticks is a command or a name.
        points: sentences of equal weight after them, read as a list.
        tables: none of them without rows.
        pictures: names of plots that belong here.
    """

    key: str
    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
