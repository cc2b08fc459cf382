"""Plots of a model's predictions and of the leaderboard. Numbers belong in `metrics` and `comparison`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ml_assets.evaluation.canvas import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    SKY,
    VERMILION,
    drawn,
    figure,
    metric_label,
    note,
    plain_numbers,
    short,
    words,
)
from ml_assets.evaluation.decisions import Costs, said_classes
from ml_assets.evaluation.metrics import (
    FloatArray,
    Labels,
    calibration_error,
    class_positions,
    confusion_counts,
)
from ml_assets.evaluation.wording import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from ml_assets.evaluation.baseline import Baseline
    from ml_assets.evaluation.comparison import Leaderboard, LeaderboardRow

MANY_ROWS = 1500
ANNOTATED_CLASSES = 12


@drawn
def residuals(y_true: Labels, prediction: FloatArray, *, label: str) -> Figure:
    """Actual against predicted values, and the histogram of their differences; `label` names the target."""
    actual = np.asarray(y_true, dtype=np.float64)
    seen = np.isfinite(actual) & np.isfinite(prediction)
    if not seen.any():
        return note("no finite prediction to compare with the actual values")
    actual, predicted = actual[seen], prediction[seen]
    sheet, axes = figure(3.1, columns=2)
    left, right = axes[0]
    span = [float(min(actual.min(), predicted.min())), float(max(actual.max(), predicted.max()))]
    _cloud(left, predicted, actual)
    left.plot(span, span, color=VERMILION, linewidth=1.4)
    left.set(xlabel="predicted (line: as actual)", ylabel="actual")
    left.set_title(short(label, 34), fontsize=9)
    right.stairs(*np.histogram(actual - predicted, 40), fill=True, color=BLUE)
    right.axvline(0, color=VERMILION, linewidth=1.4)
    right.set(xlabel="actual - predicted", ylabel="rows")
    right.set_title(f"residuals of {len(actual):,} rows", fontsize=9)
    plain_numbers(left.xaxis, right.xaxis, most=3)
    plain_numbers(left.yaxis, most=4)
    plain_numbers(right.yaxis, most=4, whole=True)
    return sheet


@drawn
def confusion_matrix(y_true: Labels, probabilities: FloatArray, classes: Sequence[str], costs: Costs = ()) -> Figure:
    """Rows by actual class and the one the model says: colour is the share of the actual class, the number counts rows.

    It says the likeliest class, or with `costs` that of least expected cost.
    """
    import seaborn as sns

    counts = confusion_counts(class_positions(y_true, classes), said_classes(probabilities, costs), len(classes))
    totals = counts.sum(axis=1, keepdims=True)
    names = [short(label, 18) for label in classes]
    few = len(classes) <= ANNOTATED_CLASSES
    sheet, axes = figure(min(6.5, 2.0 + 0.42 * len(classes)))
    sns.heatmap(
        counts / np.maximum(totals, 1),
        ax=axes,
        vmin=0,
        vmax=1,
        cmap="Blues",
        annot=counts if few else False,
        fmt=",d",
        linewidths=0.5,
        xticklabels=names,
        yticklabels=names,
        cbar_kws={"label": "share of the actual class"},
    )
    axes.set(xlabel="predicted class", ylabel="actual class")
    size = 9 if few else 6
    axes.tick_params(axis="y", rotation=0, labelsize=size)
    axes.tick_params(axis="x", rotation=0 if sum(map(len, names)) <= 40 else 90, labelsize=size)
    return sheet


@drawn
def reliability(y_true: Labels, probabilities: FloatArray, classes: Sequence[str], bins: int = 10) -> Figure:
    """Share of right answers against the probability the model gave them, with how often it gave which.

    Standard errors are of the share with one right and one wrong answer added, so that a bin of few rows that
    are all right or all wrong does not look certain (after Agresti and Coull 1998).
    """
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == class_positions(y_true, classes)
    sheet, axes = figure(3.8, rows=2, sharex=True, height_ratios=(3, 1))
    top, bottom = axes[:, 0]
    bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    groups = pd.DataFrame({"said": confidence, "right": correct}).groupby(bin_of)
    said, share, n = groups["said"].mean(), groups["right"].mean(), groups.size()
    careful = (share * n + 1) / (n + 2)
    top.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1.2, label="perfectly calibrated")
    top.errorbar(
        said,
        share,
        yerr=np.sqrt(careful * (1 - careful) / (n + 2)),
        fmt="o",
        color=BLUE,
        capsize=3,
        label="share correct ± standard error",
    )
    gap = calibration_error(confidence, correct)
    top.set(ylabel="share correct", ylim=(-0.03, 1.05), title=f"expected calibration error {gap:.3f}")
    sheet.legend(loc="outside lower center", ncols=2)
    bottom.hist(confidence, bins=np.linspace(0, 1, bins * 2 + 1), color=SKY, edgecolor=BLUE)
    bottom.set(xlabel="probability the model gives its answer", ylabel="rows", xlim=(0, 1.02))
    plain_numbers(bottom.yaxis, most=3, whole=True)
    return sheet


@drawn
def binned_calibration(y_true: Labels, prediction: FloatArray, *, label: str, bins: int = 10) -> Figure:
    """Mean actual against mean predicted value, over groups of equal size by prediction."""
    table = pd.DataFrame({"actual": np.asarray(y_true, dtype=np.float64), "predicted": prediction}).dropna()
    if table["predicted"].nunique() < 2:
        return note("all predictions are the same: nothing to group by")
    groups = table.groupby(pd.qcut(table["predicted"], bins, duplicates="drop"), observed=True)
    means, error = groups.mean(), groups["actual"].sem().fillna(0.0)
    sheet, axes = figure(3.6)
    span = [float(means.to_numpy().min()), float(means.to_numpy().max())]
    axes.plot(span, span, color=GREY, linestyle="--", linewidth=1.2, label="predicted = actual")
    axes.errorbar(
        means["predicted"],
        means["actual"],
        yerr=error,
        fmt="o",
        color=BLUE,
        capsize=3,
        label="mean of a group ± standard error",
    )
    axes.set(xlabel=f"mean predicted {label}", ylabel="mean actual")
    axes.set_title(f"{len(table):,} rows in {len(means)} groups by prediction")
    axes.legend(loc="upper left")
    plain_numbers(axes.xaxis, axes.yaxis)
    return sheet


@drawn
def leaderboard(board: Leaderboard, *, baseline: Baseline | None = None, unit: str = "") -> Figure:
    """Cross-validated score of each family with its standard error, its test score, and the baseline."""
    sheet, axes = figure(1.7 + 0.34 * len(board.rows))
    for place, row in enumerate(board.rows):
        colour = VERMILION if row.family == board.winner else ORANGE if _as_good(board, row) else BLUE
        error = row.cv_standard_error if np.isfinite(row.cv_standard_error) else 0.0
        axes.errorbar(row.cv_score, place, xerr=error, fmt="o", color=colour, capsize=4, markersize=7)
        axes.plot(row.test_score, place, marker="D", color=INK, markerfacecolor="white", markersize=5)
    names = [f"{words(row.family)}{_mark(board, row.family)}" for row in board.rows]
    axes.set_yticks(np.arange(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    if baseline is not None:
        _baseline_line(axes, board, baseline)
    axes.errorbar([], [], xerr=[], fmt="o", color=GREY, capsize=4, label="cross-validated ± standard error")
    axes.plot([], [], "D", color=INK, markerfacecolor="white", markersize=5, label="test rows")
    axes.set_xlabel(f"{metric_label(board.metric, unit)}, lower is better")
    axes.grid(visible=False, axis="y")
    plain_numbers(axes.xaxis)
    sheet.legend(loc="outside lower center", ncols=2)
    return sheet


def _as_good(board: Leaderboard, row: LeaderboardRow) -> bool:
    return row.indistinguishable or row.equivalent or row.family == board.leader


def _mark(board: Leaderboard, family: str) -> str:
    if family == board.winner:
        return "\nwinner"
    if family == board.leader:
        return "\nthe best score"
    if family in board.indistinguishable:
        return "\nas good within the noise"
    return "\npractically as good" if family in board.equivalent else ""


def _baseline_line(axes: Any, board: Leaderboard, baseline: Baseline) -> None:
    """The baseline, unless it is so far off that it would squeeze the families together."""
    worst, best = max(r.cv_score for r in board.rows), board.rows[0].cv_score
    if np.isfinite(baseline.cv_score) and baseline.cv_score <= worst + (worst - best):
        axes.axvline(baseline.cv_score, color=GREY, linestyle="--", label=f"always {baseline.guess}")
    else:
        text = f"off the scale: always {baseline.guess}, {number(baseline.cv_score)}"
        axes.figure.suptitle(text, color=GREY, fontsize=9)


def _cloud(axes: Any, x: FloatArray, y: FloatArray) -> None:
    """Dots, or a density of hexagons where dots would hide each other."""
    if len(x) <= MANY_ROWS:
        axes.scatter(x, y, s=12, color=BLUE, alpha=0.5, edgecolors="none")
    else:
        axes.hexbin(x, y, gridsize=40, bins="log", cmap="Blues", mincnt=1, linewidths=0.2)
