"""Plots of models against each other: differences over folds, gaps, cost. What is drawn comes from `pairs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ml_assets.evaluation.canvas import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    VERMILION,
    drawn,
    figure,
    metric_label,
    note,
    plain_numbers,
    words,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from ml_assets.evaluation.comparison import Leaderboard


@drawn
def differences(paired: pd.DataFrame, *, winner: str, metric: str, unit: str = "") -> Figure:
    """Each family's score minus the winner's with its interval, a small dot a fold; right of the line is worse."""
    if paired.empty:
        return note(f"only {words(winner)} was compared")
    sheet, axes = figure(1.4 + 0.34 * len(paired))
    for place, row in enumerate(paired.to_dict(orient="records")):
        colour = ORANGE if row["indistinguishable"] else BLUE
        axes.plot(row["folds"], np.full(len(row["folds"]), place), ".", color=INK, markersize=5, zorder=3)
        if np.isfinite([row["low"], row["high"]]).all():
            axes.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=2)
        axes.plot(row["difference"], place, "o", color=colour, markersize=7)
    axes.axvline(0, color=VERMILION, linewidth=1.2)
    axes.set_yticks(np.arange(len(paired)), [words(str(name)) for name in paired.index])
    axes.set_ylim(len(paired) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(f"added {metric_label(metric, unit)} against {words(winner)}")
    axes.plot([], [], "o-", color=BLUE, label="worse")
    axes.plot([], [], "o-", color=ORANGE, label="not told apart")
    axes.plot([], [], ".", color=INK, label="one fold")
    sheet.legend(loc="outside lower center", ncols=3)
    plain_numbers(axes.xaxis, most=5)
    return sheet


@drawn
def optimism(gaps: pd.DataFrame, *, metric: str, unit: str = "") -> Figure:
    """Out-of-fold minus test score of each family with 1.96 standard errors; left of the line the folds flatter."""
    sheet, axes = figure(1.1 + 0.32 * len(gaps))
    for place, row in enumerate(gaps.to_dict(orient="records")):
        error = 1.96 * row["standard_error"] if np.isfinite(row["standard_error"]) else 0.0
        colour = VERMILION if row["beyond_noise"] else BLUE
        axes.errorbar(row["gap"], place, xerr=error, fmt="o", color=colour, capsize=4)
    axes.axvline(0, color=GREY, linewidth=1.2)
    axes.set_yticks(np.arange(len(gaps)), [words(str(name)) for name in gaps.index])
    axes.set_ylim(len(gaps) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(f"{metric_label(metric, unit)}, out of fold minus test")
    plain_numbers(axes.xaxis, most=5)
    return sheet


@drawn
def cost_against_score(board: Leaderboard, *, unit: str = "") -> Figure:
    """Milliseconds for a thousand rows against the cross-validated score; dots are larger for larger models."""
    sheet, axes = figure(3.6)
    largest = max(row.model_bytes for row in board.rows) or 1
    for row in board.rows:
        colour = VERMILION if row.family == board.winner else ORANGE if row.indistinguishable else BLUE
        size = 25 + 250 * row.model_bytes / largest
        axes.scatter(row.predict_ms_per_1000_rows, row.cv_score, s=size, color=colour, alpha=0.75, edgecolors=INK)
        place = (row.predict_ms_per_1000_rows, row.cv_score)
        axes.annotate(words(row.family), place, xytext=(6, 5), textcoords="offset points", fontsize=8)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5), numticks=6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.3, y=0.15)
    axes.set(xlabel="milliseconds for 1000 rows", ylabel=f"{metric_label(board.metric, unit)}, lower is better")
    plain_numbers(axes.yaxis, most=5)
    return sheet
