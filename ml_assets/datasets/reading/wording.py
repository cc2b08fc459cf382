"""Texts of strangers as messages show them: short, on one line, in quotes. Messages belong where they arise."""

from __future__ import annotations

import re


def shortened(value: object, limit: int = 40) -> str:
    """`value` in quotes, cut to `limit` characters."""
    text = str(value)
    return f"'{plain(text[:limit])}…'" if len(text) > limit else f"'{plain(text)}'"


def plain(text: str) -> str:
    """`text` on one line, with what cannot be printed escaped."""
    line = re.sub(r"\s+", " ", text)
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in line)
