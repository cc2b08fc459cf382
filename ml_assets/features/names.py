"""Names of feature columns: readable, unique, and taken by every library. What the columns hold is `plan`."""

from __future__ import annotations

from typing import Final

LONGEST: Final = 100
_REFUSED: Final = str.maketrans({"[": "(", "]": ")", "<": "‹"})
"""XGBoost takes no name with one of these."""


class Names:
    """Gives out names, each once."""

    def __init__(self) -> None:
        self._given: dict[str, int] = {}

    def give(self, wanted: str) -> str:
        """`wanted` in one line of printable characters, at most `LONGEST` of them, numbered where it is taken."""
        base = name = _printable(wanted) or "column"
        while name in self._given:
            self._given[base] += 1
            name = f"{base} ({self._given[base]})"
        self._given[name] = 1
        return name


def _printable(text: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text.translate(_REFUSED)).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
