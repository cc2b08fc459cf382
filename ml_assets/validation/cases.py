"""Failures of one check, the first of them and how many there are. Finding them belongs in `subject`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from ml_assets.validation import schemas

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class Cases:
    """Failures of one check.

    Attributes:
        frame: the first ones, as `schemas.failures` gives them.
        totals: how many there are, by column.
    """

    frame: pd.DataFrame = field(default_factory=schemas.no_failures)
    totals: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many there are in all columns."""
        return sum(self.totals.values())

    @classmethod
    def joined(cls, parts: Iterable[Cases]) -> Cases:
        """Those of several columns."""
        found = [part for part in parts if len(part.frame)]
        if not found:
            return cls()
        totals: Counter[str] = Counter()
        for part in found:
            totals.update(part.totals)
        return cls(pd.concat([part.frame for part in found], ignore_index=True), totals)
