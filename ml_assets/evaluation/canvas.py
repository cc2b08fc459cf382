"""How every plot looks and becomes PNG bytes; what is drawn belongs in the modules named `…_plots`."""

from __future__ import annotations

import io
import warnings
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    from ml_assets.datasets.spec import DatasetSpec

P = ParamSpec("P")

WIDTH = 4.8
"""Inches: narrow, so that a phone shows the labels in a size that can be read."""
DOTS_PER_INCH = 146.25
BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9"
SERIES = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY, INK = "#8A8A8A", "#222222"

STYLE: dict[str, Any] = {
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.09,
    "figure.constrained_layout.w_pad": 0.09,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": False,
    "grid.color": "#E3E3E3",
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "text.parse_math": False,
}


def drawn(draw: Callable[P, Figure]) -> Callable[P, bytes]:
    """A function that returns the PNG bytes of the figure that `draw` makes, in the style of this module.

    Names from data may need glyphs that the font lacks; they show as boxes, without a warning.
    """

    @wraps(draw)
    def png(*args: P.args, **kwargs: P.kwargs) -> bytes:
        with mpl.rc_context(STYLE), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"Glyph .* missing from font", category=UserWarning)
            canvas = FigureCanvasAgg(draw(*args, **kwargs))
            canvas.figure.set_dpi(DOTS_PER_INCH)
            canvas.draw()
            return _fewer_colours(canvas)

    return png


def figure(height: float, *, rows: int = 1, columns: int = 1, **subplots: Any) -> tuple[Figure, Any]:
    """A figure `WIDTH` inches wide outside pyplot's state, and its axes: one, or an array (rows, columns)."""
    sheet = Figure(figsize=(WIDTH, height))
    axes = sheet.subplots(rows, columns, squeeze=False, **subplots)
    return sheet, axes if axes.size > 1 else axes[0, 0]


def note(text: str) -> Figure:
    """A figure that says in words why there is nothing to draw."""
    sheet, axes = figure(1.2)
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", color=INK, transform=axes.transAxes)
    return sheet


def plain_numbers(*axes: Any, most: int = 6, whole: bool = False) -> None:
    """Write ticks as 200,000 or 0.25, about `most` of them, only at whole numbers if asked."""
    for axis in axes:
        axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 2.5, 5, 10], integer=whole))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def short(text: str, most: int = 24) -> str:
    """`text` with its end cut off where it is longer than `most` characters; line breaks become spaces."""
    line = " ".join(str(text).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def words(name: str, most: int = 24) -> str:
    """A name of the program as words, cut to `most` characters."""
    return short(str(name).replace("_", " "), most)


def axis_label(spec: DatasetSpec, column: str) -> str:
    """A column's name and unit for an axis."""
    unit = spec.columns[column].unit
    return words(column, 40) + (f" ({short(unit, 20)})" if unit else "")


def metric_label(metric: str, unit: str = "") -> str:
    """A metric's name for an axis; RMSE and the like carry the target's unit."""
    names = {"rmse": "RMSE", "log_loss": "log loss (nats)"}
    return names.get(metric, metric.replace("_", " ")) + (f" ({short(unit, 20)})" if unit else "")


def series_of(names: list[str]) -> dict[str, tuple[str, str]]:
    """A colour and a marker for each name, so that colour is never the only difference."""
    return {
        name: (SERIES[i % len(SERIES)], MARKERS[(i + i // len(SERIES)) % len(MARKERS)])
        for i, name in enumerate(sorted(names))
    }


def _fewer_colours(canvas: FigureCanvasAgg) -> bytes:
    """The drawn picture as PNG with a palette of 256 colours: a third of the bytes, no difference to the eye."""
    picture = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba(), "raw", "RGBA", 0, 1)
    small = io.BytesIO()
    picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(small, "PNG")
    return small.getvalue()
