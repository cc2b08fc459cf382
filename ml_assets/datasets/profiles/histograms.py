"""Histograms of ascending numbers: where bins lie that a person can read. What is counted belongs in `profiling`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from ml_assets.datasets.profiles.document import Histogram

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MOST_BINS: Final = 40
FEWEST_BINS: Final = 8
TAIL: Final = 0.005
LOOKED_AT: Final = 2000
LARGEST_STEPPED: Final = 1e9
"""Numbers up to this have room for steps of a thousandth beside the rounding of their last digits."""


def histogram(numbers: NDArray[np.float64], earlier: NDArray[np.float64] | None = None) -> Histogram:
    """Rows by value over bins of equal width, and by the last version's values in the same bins.

    There are about twice the cube root of the rows (Lane's Rice rule), at most `MOST_BINS`. They cover both versions;
    the central 99 % of the values where the tails beyond are longer than half of that. Where values are whole, or
    written with up to three decimals, every bin holds equally many of those.

    Args:
        numbers: ascending, at least one.
        earlier: ascending; the last version's.
    """
    spans = [values for values in (numbers, earlier) if values is not None and len(values)]
    most = min(MOST_BINS, max(FEWEST_BINS, math.ceil(2 * len(numbers) ** (1 / 3))))
    edges = _edges(*_covered(spans), step=_step(spans), most=most)
    return Histogram(
        edges=tuple(edges.tolist()),
        counts=_binned(numbers, edges),
        below=int(np.searchsorted(numbers, edges[0], "left")),
        above=len(numbers) - int(np.searchsorted(numbers, edges[-1], "right")),
        earlier=_binned(earlier, edges) if earlier is not None else (),
    )


def _covered(spans: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """Smallest and largest value that the bins cover."""
    low, high = float(min(values[0] for values in spans)), float(max(values[-1] for values in spans))
    inner_low, inner_high = min(quantile(v, TAIL) for v in spans), max(quantile(v, 1 - TAIL) for v in spans)
    long_tails = inner_high > inner_low and high - low > 1.5 * (inner_high - inner_low)
    return (inner_low, inner_high) if long_tails else (low, high)


def _step(spans: Sequence[NDArray[np.float64]]) -> float | None:
    """1, 0.1, 0.01 or 0.001, of which all values are multiples as far as a look at some of them tells; else None."""
    seen = np.concatenate([values[np.linspace(0, len(values) - 1, LOOKED_AT).astype(np.intp)] for values in spans])
    if np.abs(seen).max() > LARGEST_STEPPED:
        return None
    scales = (10.0**decimals for decimals in range(4))
    return next((1 / s for s in scales if np.allclose(seen * s, np.round(seen * s), rtol=0, atol=1e-6)), None)


def _edges(low: float, high: float, *, step: float | None, most: int) -> NDArray[np.float64]:
    if step is not None:
        first, last = math.floor(low / step + 1e-6), math.ceil(high / step - 1e-6)
        width = math.ceil((last - first + 1) / most)
        return np.asarray((np.arange(first, last + width + 1, width) - 0.5) * step, dtype=np.float64)
    if high == low or not np.isfinite(high - low):
        return np.array([low, high])
    return np.unique(np.linspace(low, high, most + 1))


def quantile(ascending: NDArray[np.float64], share: float) -> float:
    """Quantile by linear interpolation between the two nearest of at least one value (R's type 7)."""
    place = share * (len(ascending) - 1)
    below = int(place)
    part = place - below
    return float(ascending[below] * (1 - part) + ascending[min(below + 1, len(ascending) - 1)] * part)


def _binned(ascending: NDArray[np.float64], edges: NDArray[np.float64]) -> tuple[int, ...]:
    places = np.searchsorted(ascending, edges, "left")
    places[-1] = np.searchsorted(ascending, edges[-1], "right")
    return tuple(np.diff(places).tolist())
