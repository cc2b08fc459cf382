"""Plots of a clean table: target, features, correlation. Plots of models belong in `model_plots`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter

from ml_assets.evaluation.canvas import BLUE, SKY, axis_label, drawn, figure, note, plain_numbers, short, words
from ml_assets.features.dates import dates_of, days_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from ml_assets.datasets.spec import Column, DatasetSpec

GRID_COLUMNS = 3
MOST_LEVELS = 8
TWO_DECIMALS = 7
ANNOTATED = 14
LARGEST = 1e30
"""Numbers beyond it are drawn there: axes cannot be drawn to the end of floating point."""


@drawn
def target_distribution(spec: DatasetSpec, table: pd.DataFrame) -> Figure:
    """Histogram of a number, or rows of each class."""
    target = table[spec.target].dropna()
    if spec.columns[spec.target].is_number:
        sheet, axes = figure(3.0)
        _histogram(axes, _as_numbers(spec.columns[spec.target], target), bins=50)
        axes.set(xlabel=axis_label(spec, spec.target), ylabel="rows")
    else:
        counts = _level_counts(target, most=20)
        sheet, axes = figure(max(1.8, 0.8 + 0.3 * len(counts)))
        _bars(axes, counts)
        axes.set(xlabel="rows", ylabel=axis_label(spec, spec.target))
    return sheet


@drawn
def feature_distributions(spec: DatasetSpec, table: pd.DataFrame, most: int = 15) -> Figure:
    """A small picture for each of the first `most` features; long tails are cut to the central 99 %.

    Numbers, dates and lengths of texts are histograms; labels, and yes and no, are bars.
    """
    names = spec.feature_columns[:most]
    rows = -(-len(names) // GRID_COLUMNS)
    sheet, axes = figure(0.4 + 1.85 * rows, rows=rows, columns=GRID_COLUMNS)
    cells = np.ravel(axes)
    for cell, name in zip(cells, names, strict=False):
        _feature(cell, spec, name, table[name].dropna())
    for empty in cells[len(names) :]:
        empty.set_axis_off()
    left = len(spec.feature_columns) - len(names)
    sheet.suptitle(
        "rows by value, central 99 % of the values" + (f"; {left} more features not shown" if left else ""),
        fontsize=9.5,
    )
    return sheet


@drawn
def correlation(spec: DatasetSpec, table: pd.DataFrame, most: int = 24) -> Figure:
    """Spearman's rank correlation between the numeric features and a numeric target."""
    import seaborn as sns

    names = [*spec.numeric_features[:most]]
    left = len(spec.numeric_features) - len(names)
    if spec.columns[spec.target].is_number:
        names.append(spec.target)
    if len(names) < 2:
        return note("fewer than two numeric columns: no correlation to show")
    decimals = 2 if len(names) <= TWO_DECIMALS else 1
    matrix = table[names].corr(method="spearman").round(decimals).add(0.0).rename(index=words, columns=words)
    sheet, axes = figure(2.2 + 0.34 * len(names))
    sns.heatmap(
        matrix,
        ax=axes,
        vmin=-1,
        vmax=1,
        cmap="vlag",
        annot=len(names) <= ANNOTATED,
        fmt=f".{decimals}f",
        annot_kws={"size": 8},
        linewidths=0.5,
        cbar_kws={"label": "Spearman rank correlation", "shrink": 0.8},
    )
    axes.set(xlabel="", ylabel="")
    if left:
        axes.set_title(f"{left} more features of numbers not shown", fontsize=9.5)
    axes.tick_params(axis="x", rotation=45)
    for label in axes.get_xticklabels():
        label.set(ha="right", rotation_mode="anchor")
    return sheet


def _feature(axes: Any, spec: DatasetSpec, name: str, values: pd.Series[Any]) -> None:
    column = spec.columns[name]
    if column.dtype in ("category", "boolean"):
        levels = values.map({1.0: "yes", 0.0: "no"}) if column.dtype == "boolean" else values
        _bars(axes, _level_counts(levels, most=MOST_LEVELS))
    else:
        numbers = _as_numbers(column, values)
        if len(numbers):
            low, high = np.quantile(numbers, [0.005, 0.995])
            numbers = numbers[(numbers >= low) & (numbers <= high)]
        _histogram(axes, numbers, bins=25)
        axes.set_xlabel("characters" if column.dtype == "text" else short(column.unit, 24), fontsize=8)
        plain_numbers(axes.xaxis, most=2)
        if column.dtype == "date":
            axes.xaxis.set_major_formatter(FuncFormatter(lambda day, _: str(np.datetime64(round(day), "D"))))
    axes.set_title(words(name, 22), fontsize=8.5)
    axes.tick_params(labelsize=8)


def _as_numbers(column: Column, values: pd.Series[Any]) -> NDArray[np.float64]:
    """Finite numbers of the values that are present: themselves, days since 1970, or characters."""
    if column.dtype == "date":
        return days_of(dates_of(values))
    if column.dtype == "text":
        return np.array([len(str(text)) for text in values], dtype=np.float64)
    numbers = np.asarray(values, dtype=np.float64)
    return numbers[np.isfinite(numbers)]


def _histogram(axes: Any, values: NDArray[np.float64], *, bins: int) -> None:
    values = np.clip(values, -LARGEST, LARGEST)
    distinct = np.unique(values)
    if 1 < len(distinct) <= bins and (distinct == np.round(distinct)).all() and np.ptp(distinct) < 2 * bins:
        axes.hist(values, bins=np.arange(distinct[0], distinct[-1] + 2) - 0.5, color=BLUE, rwidth=0.9)
    elif len(distinct):
        axes.stairs(*np.histogram(values, _edges(distinct[0], distinct[-1], bins)), fill=True, color=BLUE)
    plain_numbers(axes.xaxis, most=5)
    plain_numbers(axes.yaxis, most=5, whole=True)
    axes.grid(visible=False, axis="x")


def _edges(low: float, high: float, bins: int) -> NDArray[np.float64]:
    """Edges of bins over the whole range; one bin around values that floating point cannot tell apart in bins."""
    edges = np.linspace(low, high, bins + 1)
    if (np.diff(edges) > 0).all():
        return edges
    around = max(0.5, abs(low) / 1000)
    return np.array([low - around, high + around])


def _level_counts(values: pd.Series[Any], *, most: int) -> pd.Series[int]:
    counts = values.astype(str).value_counts()
    if len(counts) <= most:
        return counts
    rest = pd.Series({f"{len(counts) - most + 1} others": int(counts.iloc[most - 1 :].sum())})
    return pd.concat([counts.iloc[: most - 1], rest])


def _bars(axes: Any, counts: pd.Series[int]) -> None:
    places = np.arange(len(counts))
    axes.barh(places, counts.to_numpy(), color=SKY, edgecolor=BLUE)
    axes.set_yticks(places, [short(level, 16) for level in counts.index])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    plain_numbers(axes.xaxis, most=4, whole=True)
