"""What predictions depend on, measured on rows the model was not trained on; drawing belongs in `plots`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ml_assets.evaluation.metrics import FloatArray, Labels, primary_score

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ml_assets.datasets.spec import Task


def permutation_importance(
    predict: Callable[[pd.DataFrame], FloatArray],
    X: pd.DataFrame,
    y_true: Labels,
    *,
    task: Task,
    classes: Sequence[str] = (),
    rows: int,
    repeats: int,
    seed: int,
) -> pd.DataFrame:
    """How much worse the primary metric gets when one raw column is shuffled, largest first.

    Breiman, "Random Forests", Machine Learning 45 (2001). Columns that carry the same information share their
    importance and may each look unimportant.

    Args:
        predict: raw rows in, predictions out.
        X: raw rows, one column each feature.
        y_true: their true values.
        task: whose primary metric is meant.
        classes: order of the probabilities.
        rows: at most so many rows, drawn by `seed`.
        repeats: shuffles of each column.
        seed: of the draw and the shuffles.

    Returns:
        Columns `feature`, `mean` and `std` (over the repeats, ddof 1), in units of the primary metric.
    """
    generator = np.random.default_rng(seed)
    chosen = np.sort(generator.permutation(len(X))[:rows])
    X, y_true = X.iloc[chosen], y_true[chosen]
    base = primary_score(task, y_true, predict(X), classes)
    losses = np.full((X.shape[1], repeats), np.nan)
    for position, column in enumerate(X.columns):
        for repeat in range(repeats):
            shuffled = X.copy()
            shuffled[column] = X[column].to_numpy()[generator.permutation(len(X))]
            losses[position, repeat] = primary_score(task, y_true, predict(shuffled), classes)
    added = losses - base
    spread = added.std(axis=1, ddof=1) if repeats > 1 else np.zeros(len(added))
    table = pd.DataFrame({"feature": list(X.columns), "mean": added.mean(axis=1), "std": spread})
    return table.sort_values("mean", ascending=False, kind="stable", ignore_index=True)
