"""Plots of a hyperparameter search: how its best score came down, and by what. Searching belongs in `learning`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ml_assets.evaluation.canvas import (
    GREY,
    MARKERS,
    SERIES,
    drawn,
    figure,
    metric_label,
    note,
    plain_numbers,
    series_of,
    words,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Trials = pd.DataFrame | Sequence[Mapping[str, Any]]


@drawn
def learning_curve(trials: Trials, *, family: str, metric: str, unit: str = "") -> Figure:
    """Score of each of one family's trials against the seconds at which it ended, and the best so far.

    Args:
        trials: keys `family`, `score`, `seconds` (since the start of the search) and `state`.
        family: whose trials are drawn.
        metric: name of the score, lower is better.
        unit: of the score.
    """
    table = _finite(trials)
    own = table[table["family"] == family]
    if own.empty:
        return note(f"no trial of {words(family)} ended with a score")
    sheet, axes = figure(3.2)
    colour, marker = SERIES[0], MARKERS[0]
    for state, filled in (("complete", colour), ("pruned", "none")):
        some = own[own["state"] == state]
        if len(some):
            axes.scatter(
                some["seconds"],
                some["score"],
                s=22,
                marker=marker,
                facecolors=filled,
                edgecolors=colour,
                label=f"{state} trial ({len(some)})",
            )
    _best_so_far(axes, own, colour, label="best so far", until=float(table["seconds"].max()))
    _finish(axes, own, metric_label(metric, unit))
    sheet.legend(loc="outside lower center", ncols=3)
    return sheet


@drawn
def search(trials: Trials, *, metric: str, unit: str = "") -> Figure:
    """Trials of all families as dots, and each family's best score so far as a line; arguments as above."""
    table = _finite(trials)
    if table.empty:
        return note("no trial ended with a score")
    sheet, axes = figure(3.9)
    until = float(table["seconds"].max())
    for family, (colour, marker) in series_of(list(table["family"].unique())).items():
        own = table[table["family"] == family]
        axes.scatter(own["seconds"], own["score"], s=14, marker=marker, color=colour, alpha=0.45)
        label = f"{words(family)} ({len(own)})"
        _best_so_far(axes, own, colour, label=label, until=until, marker=marker)
    _finish(axes, table, metric_label(metric, unit))
    sheet.legend(loc="outside lower center", ncols=3, title="best so far of each family (number of trials)")
    return sheet


@drawn
def parameters(shares: Mapping[str, float], *, family: str) -> Figure:
    """What each parameter of a family counts in the difference between good trials and all, largest on top.

    Args:
        shares: by parameter, adding up to 1, as `learning.parameter_importance` gives them.
        family: whose parameters they are.
    """
    names = list(shares)[::-1]
    sheet, axes = figure(1.0 + 0.32 * len(names))
    axes.barh([words(name) for name in names], [100 * shares[name] for name in names], color=SERIES[0], height=0.6)
    axes.set(xlabel=f"share in what made trials of {words(family)} good, %", xlim=(0, 100))
    axes.grid(axis="y", visible=False)
    return sheet


def _finite(trials: Trials) -> pd.DataFrame:
    """Trials with a finite score, in order of time; states in lower case."""
    table = pd.DataFrame(trials)
    if table.empty:
        return pd.DataFrame(columns=["family", "score", "seconds", "state"])
    table = table.assign(
        score=pd.to_numeric(table["score"], errors="coerce"), state=table["state"].astype(str).str.lower()
    )
    keep = np.isfinite(table["score"].astype(float)) & table["state"].isin(["complete", "pruned"])
    return table[keep].sort_values("seconds", kind="stable")


def _best_so_far(
    axes: Any, trials: pd.DataFrame, colour: str, *, label: str, until: float, marker: str | None = None
) -> None:
    done = trials[trials["state"] == "complete"]
    if done.empty:
        axes.plot([], [], color=colour, marker=marker, label=label)
        return
    best = done["score"].cummin()
    seconds = [*done["seconds"], until]
    axes.plot(
        seconds,
        [*best, best.iloc[-1]],
        drawstyle="steps-post",
        color=colour,
        linewidth=1.6,
        marker=marker,
        markersize=5,
        markevery=[0],
        label=label,
    )


def _finish(axes: Any, trials: pd.DataFrame, label: str) -> None:
    """Frame the good scores; the worst tenth may fall outside, and then the plot says how many."""
    scores = trials["score"].to_numpy(dtype=np.float64)
    low, high = float(scores.min()), float(np.quantile(scores, 0.9))
    margin = 0.08 * (high - low) or 0.05 * abs(low) or 1.0
    axes.set_ylim(low - margin, high + margin)
    axes.set_xlim(left=0)
    axes.set(xlabel="seconds since the search began", ylabel=label)
    plain_numbers(axes.xaxis, axes.yaxis)
    above = int((scores > high + margin).sum())
    if above:
        title = f"{above} worse trial{'s lie' if above > 1 else ' lies'} above the frame"
        axes.set_title(title, color=GREY, fontsize=9)
