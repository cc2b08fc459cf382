"""Texts that people write where a value is missing. What a column holds beside them is guessed in `inference_kinds`."""

from __future__ import annotations

import re
from typing import Final

from ml_assets.datasets.reading.dialect import MISSING

_WORDS: Final = (
    "na|n/a|n.a.|n.a|nan|none|null|nil|nul|missing|unknown|unk|undefined|unspecified|void|blank|empty|absent|tbd|tba|nd"
    "|n.d.|nr|#n/a|#na|#null!|#num!|#value!|#div/0!|#ref!|#name?|inf|+inf|-inf|infinity|+infinity|-infinity|<na>|<null>"
    "|(null)|(none)|[null]|not available|not applicable|not known|not recorded|no data|no answer|no value|k.a.|k. a."
    "|keine angabe|sin dato|sin datos|non disponible|не указано|нет данных"
)
_MARKERS: Final = frozenset(_WORDS.split("|"))
_MARKS: Final = re.compile(r"[-–—_.?*~#×/\\…]{1,6}")


def stands_for_missing(text: str) -> bool:
    """Whether `text` stands for a missing value in somebody's files, as `NA`, `-`, `?` and `unknown` do."""
    return text in MISSING or text.casefold() in _MARKERS or _MARKS.fullmatch(text) is not None
