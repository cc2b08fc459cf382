"""How often a model's intervals or sets hold the truth on test rows, and how wide they are. Making them: `learning`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ml_assets.evaluation.metrics import FloatArray, Labels, class_positions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from ml_assets.datasets.spec import DatasetSpec

LEVELS: Final = (0.8, 0.9, 0.95)
"""Coverages that are looked at beside the contract's own."""


def coverage_levels(spec: DatasetSpec) -> tuple[float, ...]:
    """Coverages that a model's intervals are judged at, in order."""
    return tuple(sorted({*LEVELS, spec.intervals.coverage}))


def percent_of(coverage: float) -> str:
    """A coverage as names of metrics have it: 0.9 is `90`, 0.975 is `97.5`."""
    return f"{100 * coverage:.4g}"


def coverage_scores(
    spec: DatasetSpec,
    pipeline: Any,
    rows: pd.DataFrame,
    y_true: Labels,
    prediction: FloatArray,
    classes: Sequence[str] = (),
) -> dict[str, float]:
    """For each level the share of `rows` whose interval or set holds the truth, and the mean width or set size.

    Names are `coverage_90` and `width_90`, or `set_size_90`; `plain_width_90` is that of intervals of one width for all
    rows (split conformal prediction with the same errors). Empty where the model has no intervals or no number was
    predicted; a level that the model cannot promise is left out.

    Args:
        spec: the contract.
        pipeline: the fitted model.
        rows: raw rows that it had not seen, with the feature columns.
        y_true: their true values (n,).
        prediction: what the model says of them, (n,) or (n, k) in the order of `classes`.
        classes: labels; none for a regression.
    """
    from ml_assets.learning.conformal import Intervals, largest_coverage, threshold
    from ml_assets.learning.intervals import intervals_of

    made = intervals_of(pipeline)
    if made is None or len(rows) == 0 or not np.isfinite(prediction).all():
        return {}
    found: dict[str, float] = {}
    for level in coverage_levels(spec):
        name = percent_of(level)
        if isinstance(made, Intervals):
            if level > largest_coverage(len(made.errors)):
                continue
            low, high = made.around(prediction, rows, level).T
            truth = np.asarray(y_true, dtype=np.float64)
            found[f"coverage_{name}"] = float(np.mean((low <= truth) & (truth <= high)))
            found[f"width_{name}"] = float(np.mean(high - low))
            found[f"plain_width_{name}"] = 2 * threshold(made.errors, level)
        elif level <= largest_coverage(len(made.scores)):
            inside = made.around(prediction, rows, level)
            found[f"coverage_{name}"] = float(np.mean(inside[np.arange(len(rows)), class_positions(y_true, classes)]))
            found[f"set_size_{name}"] = float(inside.sum(axis=1).mean())
    return found


def without_promise(pipeline: Any) -> tuple[str, ...]:
    """Classes that no row has which a model's sets were calibrated on; none of a regression, or without sets."""
    from ml_assets.learning.conformal import Sets
    from ml_assets.learning.intervals import intervals_of

    made = intervals_of(pipeline)
    return made.unseen if isinstance(made, Sets) else ()
