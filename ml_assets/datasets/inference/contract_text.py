"""A contract as YAML with comments, which reads back as the same contract. Reading belongs in `contracts`.

What is written is what was set: a key left at its default without being named is left out. A comment for a key that is
left out stands where the key would.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Final

from pydantic import BaseModel

from ml_assets.datasets.contracts import SCHEMA_FILE
from ml_assets.datasets.spec import DatasetSpec

Place = tuple[str | int, ...]
Comments = Mapping[Place, Sequence[str]]

MODELINE: Final = f"# yaml-language-server: $schema={SCHEMA_FILE}"
WIDTH: Final = 118
INDENT: Final = "  "
LARGEST_WHOLE: Final = 1e16

_PLAIN: Final = re.compile(r"[^\W\d_](?:[\w ./()²³°%+-]*[\w.)²³%])?")
_NO_TEXTS: Final = frozenset({"y", "n", "yes", "no", "true", "false", "on", "off", "null"})
_UNSAFE: Final = re.compile("[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]")
_BARE_EXPONENT: Final = re.compile(r"^(-?\d+)(?=e)")
_SPREAD: Final[frozenset[Place]] = frozenset({("columns",), ("sources",)})
"""Places that are never put on one line."""


def contract_text(spec: DatasetSpec, comments: Comments | None = None, *, heading: Sequence[str] = ()) -> str:
    """The YAML of a contract.

    Args:
        spec: the contract.
        comments: sentences by the place they are about: the keys and list positions that lead there. They are put on
            lines of their own above it and wrapped; one that begins with a blank is kept as it is.
        heading: sentences at the top of the file.
    """
    writer, plain = _Writer(comments or {}), _plain(spec)
    lines = [MODELINE, *_comment(heading, "")]
    for name in DatasetSpec.model_fields:
        lines += writer.entry((name,), plain.get(name), "")
    return "\n".join(lines) + "\n"


class _Writer:
    """Writes keys and values below their comments."""

    def __init__(self, comments: Comments) -> None:
        self._comments = comments
        self._spread = {place[:length] for place in comments for length in range(1, len(place))} | _SPREAD

    def entry(self, place: Place, value: Any, indent: str) -> list[str]:
        """Lines of one key of a mapping, which `place` ends with; only its comment where there is no value."""
        comment = _comment(self._comments.get(place, ()), indent)
        if value is None:
            return [*comment, ""] if comment else []
        key = f"{indent}{_scalar(place[-1])}:"
        return [*comment, *self._value(place, value, f"{key} ", [key], indent)]

    def _item(self, place: Place, value: Any, indent: str) -> list[str]:
        comment = _comment(self._comments.get(place, ()), indent)
        lines = self._value(place, value, f"{indent}- ", [], indent)
        if not lines[0].startswith(f"{indent}- "):
            lines[0] = f"{indent}- {lines[0].strip()}"
        return [*comment, *lines]

    def _value(self, place: Place, value: Any, before: str, above: list[str], indent: str) -> list[str]:
        """The value behind `before` on one line, or on lines of its own below `above`."""
        line = f"{before}{_flow(value)}"
        if not isinstance(value, dict | list) or (place not in self._spread and len(line) <= WIDTH):
            return [line]
        deeper = indent + INDENT
        if isinstance(value, dict):
            return [*above, *(one for key, v in value.items() for one in self.entry((*place, key), v, deeper))]
        return [*above, *(one for at, v in enumerate(value) for one in self._item((*place, at), v, deeper))]


def _plain(value: Any) -> Any:
    """A model as mappings and lists of what was set and is not empty."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        given = {name: _plain(getattr(value, name)) for name in fields if name in value.model_fields_set}
        return {name: inner for name, inner in given.items() if inner or not _is_default(inner, fields[name].default)}
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    return value.value if isinstance(value, Enum) else value


def _is_default(value: Any, default: Any) -> bool:
    """Whether an empty value is what a contract has anyway."""
    return value is None or (value in ([], {}) and default is not None)


def _flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ").removesuffix(" 00:00:00")
    if not isinstance(value, str):
        return str(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _NO_TEXTS:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def _float(value: float) -> str:
    """A number that YAML 1.1 takes for one: with a point before an exponent."""
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    if value.is_integer() and abs(value) < LARGEST_WHOLE:
        return str(int(value))
    return _BARE_EXPONENT.sub(r"\1.0", repr(value))


def _comment(sentences: Sequence[str], indent: str) -> list[str]:
    """Lines of a comment: sentences in a row as one paragraph, those that begin with a blank on lines of their own."""
    lines: list[str] = []
    running: list[str] = []
    for sentence in (*map(_on_one_line, sentences), ""):
        if sentence and not sentence.startswith(" "):
            running.append(sentence)
            continue
        lines += _wrapped(" ".join(running), indent)
        lines += _wrapped(sentence, indent, hanging=" " * (len(sentence) - len(sentence.lstrip()) + 2))
        running = []
    return [f"{indent}# {line}" for line in lines]


def _wrapped(text: str, indent: str, hanging: str = "") -> list[str]:
    return textwrap.wrap(
        text, WIDTH - len(indent) - 2, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False
    )


def _on_one_line(sentence: str) -> str:
    """A sentence in which nothing ends the comment."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in sentence)
