"""The plot of the worst slices. Finding them belongs in `slice_search`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ml_assets.evaluation.canvas import BLUE, GREY, VERMILION, drawn, figure, metric_label, note, plain_numbers, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from ml_assets.evaluation.slice_search import FoundSlice


@drawn
def slices(found: Sequence[FoundSlice], *, metric: str, unit: str = "") -> Figure:
    """Each slice's metric with its 95 % interval, and that of the rows outside it, in their order."""
    if not found:
        return note("no slice was found")
    shown = list(found)[::-1]
    sheet, axes = figure(1.3 + 0.55 * len(shown))
    places = np.arange(len(shown))
    for at, one in zip(places, shown, strict=True):
        colour = VERMILION if one.beyond_noise else BLUE
        axes.plot([one.low, one.high], [at, at], color=colour, linewidth=2)
        axes.plot([one.score], [at], marker="o", markersize=6, color=colour, linestyle="none")
    axes.plot([one.others for one in shown], places, marker="|", markersize=14, color=GREY, linestyle="none")
    axes.set_yticks(places, ["\nand ".join(short(words, 30) for words in one.conditions) for one in shown])
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.set(xlabel=f"{metric_label(metric, unit)}; grey: the other rows")
    axes.grid(axis="y", visible=False)
    plain_numbers(axes.xaxis)
    return sheet
