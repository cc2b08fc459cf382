"""Ranks, win rates and their test, from errors alone; where the errors come from and how they are shown is elsewhere.

An infinite error stands for a failure: it is behind every answer, and level with another failure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata, wilcoxon

SMALLEST = 1e-15
LEVEL = 1e-9
"""Relative difference below which two errors are level."""


@dataclass(frozen=True)
class Duel:
    """Two systems over the pairs that both were measured on, and how likely such a difference is by chance."""

    wins: int
    ties: int
    losses: int
    p_value: float

    @property
    def rate(self) -> float:
        """Share of pairs won, a tie counting as half."""
        pairs = self.wins + self.ties + self.losses
        return (self.wins + self.ties / 2) / pairs if pairs else math.nan


def ranks(errors: Mapping[str, float]) -> dict[str, float]:
    """Rank of each, 1 the least error; what is level shares the mean of its ranks."""
    return dict(zip(errors, (float(rank) for rank in rankdata(list(errors.values()))), strict=True))


def duel(ours: Sequence[float], theirs: Sequence[float]) -> Duel:
    """Wins of the first over the second, and the two-sided Wilcoxon signed-rank test (Wilcoxon 1945).

    The test ranks the logarithms of the ratios of errors, so that tables with other units weigh the same; level pairs
    are left out, and a failure is a difference beyond every other.
    """
    differences = [_difference(a, b) for a, b in zip(ours, theirs, strict=True)]
    wins, losses = sum(d < 0 for d in differences), sum(d > 0 for d in differences)
    finite = [abs(d) for d in differences if math.isfinite(d)]
    beyond = max(finite, default=0.0) + 1.0
    unlike = np.array([d if math.isfinite(d) else math.copysign(beyond, d) for d in differences if d != 0])
    p_value = float(wilcoxon(unlike).pvalue) if len(unlike) else 1.0
    return Duel(wins, len(differences) - wins - losses, losses, p_value)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number (Holm 1979), in the order given."""
    order = sorted(range(len(p_values)), key=lambda position: p_values[position])
    corrected, largest = [0.0] * len(p_values), 0.0
    for step, position in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - step) * p_values[position]))
        corrected[position] = largest
    return corrected


def _difference(a: float, b: float) -> float:
    if a == b or math.isclose(a, b, rel_tol=LEVEL):
        return 0.0
    return math.log(max(a, SMALLEST) / max(b, SMALLEST)) if math.isfinite(a) and math.isfinite(b) else a - b
