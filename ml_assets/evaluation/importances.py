"""Permutation importance, measured on rows the model was not trained on. SHAP values are in `attributions`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from ml_assets.evaluation.metrics import FloatArray, Labels, primary_score

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ml_assets.datasets.spec import Task


MOST_COLUMNS: Final = 200
"""Columns that are shuffled at most; thousands would take minutes, and nobody reads so many."""


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
    columns: int = MOST_COLUMNS,
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
        columns: at most so many are shuffled: those that go most with the predictions.

    Returns:
        Columns `feature`, `mean` and `std` (over the repeats, ddof 1), in units of the primary metric.
    """
    generator = np.random.default_rng(seed)
    chosen = np.sort(generator.permutation(len(X))[:rows])
    X, y_true = X.iloc[chosen], y_true[chosen]
    answers = predict(X)
    base = primary_score(task, y_true, answers, classes)
    names = list(X.columns) if X.shape[1] <= columns else _most_telling(X, answers, columns)
    copies = X.iloc[np.tile(np.arange(len(X)), repeats)].reset_index(drop=True)
    losses = np.full((len(names), repeats), np.nan)
    for position, column in enumerate(names):
        order = np.concatenate([generator.permutation(len(X)) for _ in range(repeats)])
        shuffled = copies.copy()
        shuffled[column] = X[column].array.take(order)
        found = np.split(predict(shuffled), repeats)  # one call: many models take longer to begin than to answer
        losses[position] = [primary_score(task, y_true, part, classes) for part in found]
    added = losses - base
    spread = added.std(axis=1, ddof=1) if repeats > 1 else np.zeros(len(added))
    table = pd.DataFrame({"feature": names, "mean": added.mean(axis=1), "std": spread})
    return table.sort_values("mean", ascending=False, kind="stable", ignore_index=True)


def affordable_rows(ms_per_1000: float, shuffles: int, seconds: float, most: int) -> int:
    """Largest of `most`, most/2, most/4 … (not below 100) that can be answered `shuffles` times in `seconds`."""
    rows = most
    while rows > 200 and shuffles * ms_per_1000 * rows / 1e6 > seconds:
        rows //= 2
    return rows


def _most_telling(X: pd.DataFrame, answers: FloatArray, most: int) -> list[str]:
    """The `most` columns whose ranks go most with those of any answer, in the order of the table."""
    ranks = X.apply(lambda values: pd.Series(pd.factorize(values, sort=True)[0], index=X.index).rank())
    wanted = pd.DataFrame(answers.reshape(len(X), -1), index=X.index).rank()
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.corrcoef(ranks.to_numpy(), wanted.to_numpy(), rowvar=False)
    telling = np.nan_to_num(np.abs(found[: X.shape[1], X.shape[1] :])).max(axis=1)
    chosen = np.sort(np.argsort(-telling, kind="stable")[:most])
    return [str(X.columns[at]) for at in chosen]
