"""A page as one self-contained HTML file. What it says is in the page, its looks in `page.html.j2`."""

from __future__ import annotations

import base64
import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup, escape

if TYPE_CHECKING:
    from ml_assets.evaluation.card_document import Page, Picture
    from ml_assets.evaluation.tables import Table

_CODE = re.compile(r"`([^`]+)`")


def html_page(page: Page) -> str:
    """The page as HTML; whatever its words are, they stay text."""
    return _template().render(page=page)


def _said(sentence: str) -> Markup:
    """A sentence as HTML, with what is between backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(sentence))))


def _address(picture: Picture) -> str:
    return "data:image/png;base64," + base64.b64encode(picture.png).decode("ascii")


def _table(table: Table) -> Markup:
    return Markup(table.html())


@cache
def _template() -> Template:
    source = resources.files("ml_assets.evaluation").joinpath("page.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"said": _said, "address": _address, "table": _table}
    return environment.from_string(source)
