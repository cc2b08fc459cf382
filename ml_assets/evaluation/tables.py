"""A table of words for a page. What tables say belongs in the modules named `…_content` and `card_…`."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table of a page; the first cell of a row is its heading."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def html(self) -> str:
        """The table as HTML that holds its words as text, whatever they are."""
        head = "".join(f'<th scope="col">{html.escape(name)}</th>' if name else "<td></td>" for name in self.header)
        body = "".join(f"<tr>{_cells(row)}</tr>\n" for row in self.rows)
        caption = html.escape(self.caption)
        return (
            f'<div class="scroll" tabindex="0" role="region" aria-label="{caption}">\n<table>\n'
            f"<caption>{caption}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n</div>"
        )


def _cells(row: tuple[str, ...]) -> str:
    first, *others = (html.escape(cell) for cell in row)
    return f'<th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in others)


def paragraphs(*sentences: str) -> str:
    """Each sentence as a paragraph of HTML."""
    return "".join(f"<p>{html.escape(sentence)}</p>\n" for sentence in sentences)


def bullets(sentences: Iterable[str]) -> str:
    """Sentences as a list of HTML."""
    return "<ul>\n" + "".join(f"<li>{html.escape(sentence)}</li>\n" for sentence in sentences) + "</ul>"
