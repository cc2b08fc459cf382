"""How well each feature alone predicts the target on rows it was not fitted to. What is too well: `leakage`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ml_assets.datasets.spec import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ml_assets.datasets.spec import DatasetSpec

LARGEST_SAMPLE: Final = 5000
LEAVES: Final = 32

Predict = Callable[["NDArray[Any]", "NDArray[Any]", "NDArray[Any]"], "NDArray[Any]"]
"""From values and targets of known rows, and values of others, to the others' targets."""


def proxy_scores(spec: DatasetSpec, table: pd.DataFrame, splits: pd.DataFrame, *, seed: int) -> dict[str, float]:
    """Score of each feature alone, fold by fold on a sample of the training rows; 1 gives the target away.

    For numbers it is R², of the target or of its ranks (which finds a copy of a skewed one), whichever is larger; for
    classes (accuracy - s) / (1 - s), where s is the share of the largest class. Numbers and dates predict by a tree of
    few leaves, numbers also by the nearest rows on either side; labels and texts by the mean target, or most frequent
    class, of rows with the same one.

    Args:
        spec: the contract.
        table: clean rows.
        splits: their parts and folds.
        seed: of the sample and the trees.
    """
    training = splits[splits["part"] == "train"]
    if len(training) > LARGEST_SAMPLE:
        training = training.sample(LARGEST_SAMPLE, random_state=seed)
    rows, fold = table.loc[training.index], training["fold"].to_numpy()
    if len(np.unique(fold)) < 2:
        return {}
    score, target = _number_score, rows[spec.target].to_numpy()
    if spec.task is Task.CLASSIFICATION:
        score, target = _class_score, pd.factorize(target, sort=True)[0]
    return {name: score(rows[name], target, fold, seed) for name in spec.feature_columns}


def _number_score(values: pd.Series[Any], target: NDArray[Any], fold: NDArray[np.int64], seed: int) -> float:
    ways: list[Predict] = [_by_label_mean]
    if values.dtype != object:
        tree = DecisionTreeRegressor(max_leaf_nodes=LEAVES, random_state=seed)
        ways = [partial(_by_tree, tree), _between_neighbours]
    numbers = target.astype(np.float64)
    sides = (numbers / (np.abs(numbers).max() or 1.0), rankdata(numbers))
    return max(_r2(side, _out_of_fold(way, values, side, fold)) for side in sides for way in ways)


def _r2(target: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    spread = float(((target - target.mean()) ** 2).sum())
    return 1 - float(((target - predicted) ** 2).sum()) / spread if spread else 0.0


def _class_score(values: pd.Series[Any], target: NDArray[Any], fold: NDArray[np.int64], seed: int) -> float:
    counts = np.bincount(target)
    largest = float(counts.max() / len(target))
    way: Predict = _by_label_class
    if values.dtype != object:
        leaves = max(LEAVES, 2 * len(counts))
        way = partial(_by_tree, DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=seed))
    right = float((_out_of_fold(way, values, target, fold) == target).mean())
    return (right - largest) / (1 - largest) if largest < 1 else 0.0


def _out_of_fold(
    predict: Predict, values: pd.Series[Any], target: NDArray[Any], fold: NDArray[np.int64]
) -> NDArray[Any]:
    """Prediction for each row by the rows of other folds, from the ranks of values or the numbers of labels."""
    codes, _ = pd.factorize(values, sort=values.dtype != object)
    made = np.empty_like(target)
    for k in np.unique(fold):
        held_out = fold == k
        made[held_out] = predict(codes[~held_out], target[~held_out], codes[held_out])
    return made


def _by_tree(tree: Any, known: NDArray[np.int64], target: NDArray[Any], asked: NDArray[np.int64]) -> NDArray[Any]:
    """By a tree over ranks, missing values (-1) lying below all others."""
    made: NDArray[Any] = tree.fit(known[:, None], target).predict(asked[:, None])
    return made


def _between_neighbours(
    known: NDArray[np.int64], target: NDArray[np.float64], asked: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Between the mean targets of the next smaller and the next larger rank, missing values being of their own."""
    ranks, at = np.unique(known, return_inverse=True)
    means = np.bincount(at, weights=target) / np.bincount(at)
    made = np.interp(asked, ranks[ranks >= 0], means[ranks >= 0]) if ranks[-1] >= 0 else np.full(len(asked), np.nan)
    of_missing = float(means[0] if ranks[0] < 0 else target.mean())
    return np.asarray(np.where((asked < 0) | np.isnan(made), of_missing, made), dtype=np.float64)


def _by_label_mean(
    known: NDArray[np.int64], target: NDArray[np.float64], asked: NDArray[np.int64]
) -> NDArray[np.float64]:
    means = pd.Series(target).groupby(known).mean()
    return np.asarray(means.reindex(asked).fillna(target.mean()), dtype=np.float64)


def _by_label_class(known: NDArray[np.int64], target: NDArray[np.int64], asked: NDArray[np.int64]) -> NDArray[np.int64]:
    counts = pd.DataFrame({"label": known, "class": target}).value_counts(sort=False).reset_index()
    first = counts.sort_values(["count", "class"], ascending=[False, True]).drop_duplicates("label")
    found = first.set_index("label")["class"].reindex(asked)
    return np.asarray(found.fillna(np.bincount(target).argmax()), dtype=np.int64)
