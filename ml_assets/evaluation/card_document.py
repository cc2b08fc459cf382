"""A page about a model before it is written in anything: words, sections, pictures, figures.

Writing it belongs in `card_html` and `card_markdown`; what a card says in `card_sections` and its neighbours.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ml_assets.evaluation.documents import plain
from ml_assets.evaluation.section import Section

FORMAT = 1
"""Number of the JSON document's form; raised when a key changes its meaning."""


@dataclass(frozen=True)
class PlotWords:
    """What is said with a plot.

    Attributes:
        title: its heading.
        caption: how to read it.
        says: what it shows, with figures, for who cannot see it.
    """

    title: str
    caption: str = ""
    says: str = ""


@dataclass(frozen=True)
class Picture:
    """A plot with the words around it."""

    name: str
    words: PlotWords
    png: bytes = field(repr=False)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as the PNG's header has them."""
        width, height = struct.unpack(">II", self.png[16:24])
        return width, height

    @property
    def alt(self) -> str:
        """The alternative text: what the plot is, and what it shows."""
        return ". ".join(text.rstrip(".") for text in (self.words.title, self.words.says or self.words.caption) if text)


@dataclass(frozen=True)
class Fact:
    """One line of the overview at the top of a page."""

    key: str
    label: str
    value: str


@dataclass(frozen=True)
class Identity:
    """Which model a card is about and what it came from; what is not known is empty.

    Attributes:
        version: number in the registry.
        run: id of the Dagster run that made the card.
        table_version: what a person calls the version of the raw table.
        data_version: id of that version.
        libraries: version by name of what computed the fit.
        lock_sha256: of the lock file that the installed libraries come from.
    """

    dataset: str
    family: str
    version: str = ""
    run: str = ""
    model_sha256: str = ""
    data_hash: str = ""
    splits_hash: str = ""
    table_version: str = ""
    data_version: str = ""
    code_version: str = ""
    seed: int | None = None
    made_at: str = ""
    lock_sha256: str = ""
    libraries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """What can be written as HTML or Markdown.

    Attributes:
        kind: what the page is, after the title.
        purpose: one sentence on what it is about.
        headline: the result in words that everybody understands.
        sections: in the order they are read.
        pictures: by name; those that no section names are not shown.
        folded: keys of sections that begin closed, for who wants to know.
        closing: last line.
    """

    title: str
    kind: str
    purpose: str
    headline: str
    facts: tuple[Fact, ...]
    sections: tuple[Section, ...]
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    folded: frozenset[str] = frozenset()
    closing: str = ""

    def pictures_of(self, section: Section) -> list[Picture]:
        """The pictures that a section names and that are there."""
        return [self.pictures[name] for name in section.pictures if name in self.pictures]


@dataclass(frozen=True)
class CardDocument(Page):
    """A model card: a page, whose it is, and its figures as numbers.

    Attributes:
        identity: which model, from what.
        figures: numbers by name, as `card_figures` makes them; what a program reads and two versions are compared by.
    """

    identity: Identity = field(default_factory=lambda: Identity("", ""))
    figures: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The document in JSON's own types; NaN is None, and pictures are told in words."""
        content: dict[str, Any] = plain(
            {
                "format": FORMAT,
                "title": self.title,
                "purpose": self.purpose,
                "headline": self.headline,
                "identity": asdict(self.identity),
                "facts": [asdict(fact) for fact in self.facts],
                "figures": self.figures,
                "sections": [asdict(section) for section in self.sections],
                "pictures": [_told(picture) for picture in self.pictures.values()],
            }
        )
        return content


def placed(
    own: Sequence[Section], given: Sequence[Section], *, order: Sequence[str], before: str
) -> tuple[Section, ...]:
    """Sections in reading order; one that is `given` takes the place of our own of the same key.

    Args:
        own: what is said where nobody says it better.
        given: from those who made the results.
        order: keys in the order they are read.
        before: sections of unknown keys go before this one, in the order they were given.
    """
    found = {section.key: section for section in (*own, *given)}
    unknown = [key for key in found if key not in order]
    at = order.index(before)
    keys = [*order[:at], *unknown, *order[at:]]
    return tuple(found[key] for key in keys if key in found)


def _told(picture: Picture) -> dict[str, Any]:
    width, height = picture.size
    return {"name": picture.name, **asdict(picture.words), "alt": picture.alt, "width": width, "height": height}
