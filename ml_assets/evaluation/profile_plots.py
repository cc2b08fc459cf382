"""Plots of a table's profile: target, distributions, gaps, correlations, drift. Its words are `profile_content`.

Drawn from the profile alone, without the table and without its libraries.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ml_assets.evaluation.canvas import (
    BLUE,
    GREY,
    SKY,
    VERMILION,
    axis_label,
    drawn,
    figure,
    note,
    plain_numbers,
    short,
    words,
)
from ml_assets.evaluation.wording import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from ml_assets.datasets.profiles.document import ColumnProfile, TableProfile

GRID_COLUMNS: Final = 3
MOST_COLUMNS: Final = 24
MOST_BARS: Final = 30
MOST_LABELS: Final = 8
ANNOTATED: Final = 14


@drawn
def target(profile: TableProfile) -> Figure:
    """Rows by value, or by label, of the target; the last version's as a line or as marks."""
    spec = profile.spec
    column = profile.column(spec.target)
    if column.histogram is not None:
        sheet, axes = figure(3.0)
        _histogram(axes, column, _rows_before(profile))
        at_cap = f"; {percent(column.capped_share)} of the rows at the cap" if column.capped else ""
        axes.set(xlabel=axis_label(spec, spec.target) + at_cap, ylabel="share of rows")
    else:
        sheet, axes = figure(max(1.8, 0.9 + 0.3 * len(column.labels)))
        _labels(axes, column, _rows_before(profile), most=len(column.labels))
        axes.set(xlabel="share of rows", ylabel=axis_label(spec, spec.target))
    return sheet


@drawn
def distributions(profile: TableProfile) -> Figure:
    """A small plot for each of the first columns but the target: shares of rows by value or label."""
    columns = [column for column in profile.columns if column.role != "target"]
    shown = columns[:MOST_COLUMNS]
    rows = -(-len(shown) // GRID_COLUMNS)
    sheet, axes = figure(0.5 + 1.85 * rows, rows=rows, columns=GRID_COLUMNS)
    cells = np.ravel(axes)
    for place, column in zip(cells, shown, strict=False):
        _small(place, profile, column)
    for empty in cells[len(shown) :]:
        empty.set_axis_off()
    parts = ["share of rows by value"]
    if profile.changes is not None:
        parts.append("orange: the last version")
    if len(shown) < len(columns):
        parts.append(f"{len(columns) - len(shown)} more columns not shown")
    sheet.suptitle("; ".join(parts), fontsize=9.5)
    return sheet


@drawn
def missing(profile: TableProfile) -> Figure:
    """Share of rows without a value, of the columns that have such rows."""
    lacking = sorted((c for c in profile.columns if c.missing), key=lambda c: (-c.missing, c.name))[:MOST_BARS]
    if not lacking:
        return note("no value is missing")
    sheet, axes = figure(0.9 + 0.28 * len(lacking))
    _horizontal(axes, [column.name for column in lacking], [column.missing_share for column in lacking])
    axes.set(xlabel="share of rows without a value")
    _percentages(axes.xaxis)
    return sheet


@drawn
def correlation(profile: TableProfile) -> Figure:
    """Spearman's rank correlations as a coloured square."""
    found = profile.correlations
    if len(found.columns) < 2:
        return note("fewer than two columns of numbers: no correlation to show")
    matrix = np.array([[np.nan if r is None else r for r in row] for row in found.matrix])
    names = [words(name) for name in found.columns]
    sheet, axes = figure(2.2 + 0.34 * len(names))
    image = axes.imshow(matrix, vmin=-1, vmax=1, cmap="RdBu_r")
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.grid(visible=False)
    sheet.colorbar(image, ax=axes, shrink=0.8, label="Spearman rank correlation")
    if len(names) <= ANNOTATED:
        for (row, column), value in np.ndenumerate(matrix):
            if not np.isnan(value):
                ink = "white" if abs(value) > 0.6 else "black"
                axes.text(
                    column, row, f"{value:.1f}".replace("-0.0", "0.0"), ha="center", va="center", color=ink, fontsize=8
                )
    return sheet


@drawn
def drift(profile: TableProfile) -> Figure:
    """Stability index of each column against the last version, and the contract's tolerance."""
    shown = profile.drift[:MOST_BARS]
    if not shown:
        return note("no earlier version to compare with")
    sheet, axes = figure(1.0 + 0.28 * len(shown))
    _horizontal(axes, [found.column for found in shown], [found.psi for found in shown])
    limit = profile.spec.tolerances.drift
    axes.axvline(limit, color=VERMILION, linestyle="--", label=f"tolerance {limit:g}")
    axes.legend(loc="lower right")
    axes.set(xlabel="population stability index against the last version", xlim=(0, None))
    return sheet


def profile_plots(profile: TableProfile) -> dict[str, bytes]:
    """Every plot that has something to show, by name."""
    plots = {"target": target(profile), "distributions": distributions(profile)}
    if any(column.missing for column in profile.columns):
        plots["missing"] = missing(profile)
    plots["correlation"] = correlation(profile)
    return plots | ({"drift": drift(profile)} if profile.drift else {})


def _small(axes: Any, profile: TableProfile, column: ColumnProfile) -> None:
    unit = profile.spec.columns[column.name].unit
    notes = [short("characters" if column.dtype == "text" else unit, 18)]
    if column.capped:
        notes.append(f"{percent(column.capped_share)} at cap")
    if column.histogram is not None:
        _histogram(axes, column, _rows_before(profile), ticks=2)
    elif column.labels:
        _labels(axes, column, _rows_before(profile), most=MOST_LABELS)
    else:
        axes.set_axis_off()
        notes.append("no value")
    axes.set_xlabel("; ".join(filter(None, notes)), fontsize=8)
    axes.set_title(words(column.name, 22), fontsize=8.5)
    axes.tick_params(labelsize=8)


def _histogram(axes: Any, column: ColumnProfile, rows_before: int, *, ticks: int = 5) -> None:
    found = column.histogram
    if found is None:
        return
    edges = np.array(found.edges)
    if len(edges) == 2 and edges[0] == edges[1]:
        edges = edges + np.array([-0.5, 0.5])
    axes.stairs(np.array(found.counts) / column.rows, edges, fill=True, color=BLUE)
    if found.earlier and rows_before:
        axes.stairs(np.array(found.earlier) / rows_before, edges, color=VERMILION, linewidth=1.2)
    if column.cap is not None and column.capped:
        axes.axvline(column.cap, color=GREY, linestyle=":", linewidth=1)
    plain_numbers(axes.xaxis, most=ticks)
    if column.dtype == "date":
        axes.xaxis.set_major_formatter(lambda value, _: datetime.fromtimestamp(value, UTC).strftime("%Y-%m"))
    _percentages(axes.yaxis, most=4)
    axes.grid(visible=False, axis="x")


def _labels(axes: Any, column: ColumnProfile, rows_before: int, *, most: int) -> None:
    kept = list(column.labels.items())[:most]
    rest = sum(column.labels.values()) + column.other - sum(count for _, count in kept)
    names, shares = [name for name, _ in kept], [count / column.rows for _, count in kept]
    _horizontal(axes, [*names, *(["others"] if rest else [])], [*shares, *([rest / column.rows] if rest else [])])
    if column.labels_earlier and rows_before:
        earlier = [column.labels_earlier.get(name, 0) / rows_before for name in names]
        axes.plot(earlier, range(len(names)), "D", color=VERMILION, markersize=4)
    _percentages(axes.xaxis, most=3)


def _horizontal(axes: Any, names: Sequence[str], values: Sequence[float]) -> None:
    places = range(len(names))
    axes.barh(places, values, color=SKY, edgecolor=BLUE)
    axes.set_yticks(places, [words(name, 24) for name in names])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")


def _percentages(axis: Any, most: int = 5) -> None:
    plain_numbers(axis, most=most)
    axis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")


def _rows_before(profile: TableProfile) -> int:
    return profile.changes.rows_before if profile.changes else 0
