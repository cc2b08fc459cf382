"""P-values of several tests at once, corrected for how many they are. The tests themselves are in `significance`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P-values corrected by Holm's step-down method, in the order given; a NaN stays one and does not count.

    Rejecting what is below α holds the chance of any false rejection at α, whatever depends on what (Holm 1979, "A
    simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6).

    Args:
        p_values: of each test.
    """
    known = [(p, at) for at, p in enumerate(p_values) if not math.isnan(p)]
    corrected = [math.nan] * len(p_values)
    largest = 0.0
    for rank, (p, at) in enumerate(sorted(known)):
        largest = max(largest, min(1.0, p * (len(known) - rank)))
        corrected[at] = largest
    return tuple(corrected)


def false_alarm_chance(alpha: float, looks: int) -> float:
    """Chance that at least one of so many independent tests of a true null is below `alpha`: 1 - (1 - α)^looks."""
    return float(-np.expm1(looks * np.log1p(-alpha)))
