"""A page as Markdown that reads well as plain text; plots are told in words. What it says is in the page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ml_assets.evaluation.card_document import Page
    from ml_assets.evaluation.section import Section
    from ml_assets.evaluation.tables import Table

_CODE = re.compile(r"(`[^`]+`)")
_MARKS = re.compile(r"([\\`*_\[\]>|#&~$])")


def markdown_page(page: Page) -> str:
    """The page as GitHub's Markdown; whatever its words are, they stay text."""
    lines = [f"# {_text(page.title)}: {_text(page.kind)}", _text(page.purpose), f"**{_text(page.headline)}**"]
    if page.facts:
        lines.append("\n".join(f"- {_text(fact.label)}: **{_text(fact.value)}**" for fact in page.facts))
    for section in page.sections:
        lines += _section(page, section)
    lines.append(_text(page.closing))
    return "\n\n".join(line for line in lines if line) + "\n"


def _section(page: Page, section: Section) -> Iterator[str]:
    yield f"## {_text(section.title)}"
    yield from map(_said, section.paragraphs)
    if section.points:
        yield "\n".join(f"- {_said(point)}" for point in section.points)
    yield from map(_table, section.tables)
    for picture in page.pictures_of(section):
        says = picture.words.says or picture.words.caption
        yield f"> Plot, {_text(picture.words.title)}: {_text(says)}"


def _table(table: Table) -> str:
    rows = [table.header, tuple("---" for _ in table.header), *table.rows]
    escaped = [rows[1] if row is rows[1] else tuple(map(_text, row)) for row in rows]
    return f"*{_text(table.caption)}*\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in escaped)


def _said(sentence: str) -> str:
    """A sentence with what is between backticks left as code."""
    return "".join(part if part.startswith("`") and len(part) > 2 else _text(part) for part in _CODE.split(sentence))


def _text(words: str) -> str:
    """Words with what Markdown would take for marks escaped, on one line."""
    return _MARKS.sub(r"\\\1", " ".join(words.split())).replace("<", "&lt;")
