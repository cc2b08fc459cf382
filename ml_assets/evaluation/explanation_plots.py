"""Plots of what a model's answers depend on. Computing it belongs in `explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.collections import LineCollection

from ml_assets.datasets.spec import Task
from ml_assets.evaluation.canvas import (
    BLUE,
    GREY,
    SERIES,
    VERMILION,
    axis_label,
    drawn,
    figure,
    note,
    plain_numbers,
    short,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.evaluation.explain import Explanations

MOST_COLUMNS = 12
MOST_CLASSES = 4
MOST_LINES = 30


def explanation_plot_set(spec: DatasetSpec, found: Explanations) -> dict[str, bytes]:
    """`shap` and `partial_dependence` of a model."""
    return {"shap": shap_bars(spec, found), "partial_dependence": partial_dependence(spec, found)}


@drawn
def shap_bars(spec: DatasetSpec, found: Explanations) -> Figure:
    """Mean absolute SHAP value of each column, largest on top, coloured by whether more of it raises the answer."""
    top = found.shap.head(MOST_COLUMNS)[::-1]
    if top.empty or not np.isfinite(top["mean_absolute"]).all():
        return note("there is nothing to explain")
    sheet, axes = figure(1.2 + 0.3 * len(top))
    colours = [GREY if not abs(d) >= 0.3 else BLUE if d > 0 else VERMILION for d in top["direction"]]
    axes.barh([short(name, 26) for name in top["column"]], top["mean_absolute"], color=colours, height=0.65)
    unit = spec.columns[spec.target].unit if found.task is Task.REGRESSION else "probability"
    axes.set(xlabel=f"mean absolute SHAP value{f', {unit}' if unit else ''}")
    axes.set_title("blue: more raises the answer; red: lowers it", color=GREY, fontsize=9)
    axes.grid(axis="y", visible=False)
    plain_numbers(axes.xaxis)
    return sheet


@drawn
def partial_dependence(spec: DatasetSpec, found: Explanations) -> Figure:
    """Answers along the most important columns: rows thin, their mean thick; of classes, the means alone."""
    if not found.dependence:
        return note("no column has two values to compare")
    shown = found.dependence
    columns = 1 if len(shown) == 1 else 2
    sheet, axes = figure(2.4 * ((len(shown) + 1) // columns), rows=-(-len(shown) // columns), columns=columns)
    cells = list(np.asarray(axes).reshape(-1))
    for cell, one in zip(cells, shown, strict=False):
        places = one.points if one.points is not None else np.arange(len(one.labels), dtype=np.float64)
        outputs = (
            [one.rows.shape[2] - 1] if one.rows.shape[2] <= 2 else list(range(min(one.rows.shape[2], MOST_CLASSES)))
        )
        if len(outputs) == 1:
            lines = [np.column_stack([places, row]) for row in one.rows[:MOST_LINES, :, outputs[0]]]
            cell.add_collection(LineCollection(lines, colors=GREY, linewidths=0.5, alpha=0.5))
        for at, output in enumerate(outputs):
            label = short(found.classes[output], 18) if found.classes else "mean"
            cell.plot(places, one.mean[:, output], color=SERIES[at], linewidth=2, marker="o", markersize=3, label=label)
        if one.points is None:
            cell.set_xticks(places, [short(label, 10) for label in one.labels], rotation=40, ha="right")
        cell.set_xlabel(short(axis_label(spec, one.column), 30), fontsize=8)
        plain_numbers(cell.yaxis, most=4)
    for cell in cells[len(shown) :]:
        cell.set_visible(False)
    if found.classes:
        handles, labels = cells[0].get_legend_handles_labels()
        sheet.legend(handles, labels, loc="outside lower center", ncols=2)
    return sheet
