"""What each column adds to single answers: SHAP values, through the shap library. Effects of a column: `dependence`."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from sklearn.pipeline import Pipeline

    Predict = Callable[[pd.DataFrame], NDArray[np.float64]]

OTHERS: Final = "all other columns"
TREES: Final = frozenset(
    {"XGBRegressor", "RandomForestRegressor", "ExtraTreesRegressor", "HistGradientBoostingRegressor"}
)
"""Regressors whose trees shap walks through itself."""
ASKED_AT_ONCE: Final = 20_000
"""Rows that a model is asked for in one call, about."""


@dataclass(frozen=True, eq=False)
class Attributions:
    """SHAP values: `base` plus a row's values is what the model answers for it.

    Attributes:
        columns: whose values these are; the last may be `OTHERS`, several columns taken together.
        base: the answer where no column is known, (k,): one output for a number, one for each class.
        values: (n, columns, k).
        outputs: what the model answers, (n, k).
        by_trees: whether trees were walked through, which is exact; else columns were swapped for those of other rows.
    """

    columns: tuple[str, ...]
    base: NDArray[np.float64]
    values: NDArray[np.float64]
    outputs: NDArray[np.float64]
    by_trees: bool

    def importance(self) -> NDArray[np.float64]:
        """Mean absolute value of each column over rows and outputs, (columns,)."""
        return np.asarray(np.abs(self.values).mean(axis=(0, 2)))


def tree_attributions(pipeline: Pipeline, rows: pd.DataFrame) -> Attributions | None:
    """Exact values of a regression of trees, None for any other model.

    Lundberg et al. 2020, "From local explanations to global understanding with explainable AI for trees". What is not
    known is averaged over the trees' own training rows. A feature that is made of several columns shares its value
    equally among them.
    """
    steps = [step for _, step in getattr(pipeline, "steps", ())]
    if len(steps) != 2 or type(steps[1]).__name__ not in TREES or not hasattr(steps[0], "lineage_"):
        return None
    shap = _shap()
    plan, trees = pipeline[:-1], pipeline.steps[-1][1]
    features = plan.transform(rows)
    explainer = shap.TreeExplainer(trees)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = np.asarray(explainer.shap_values(features, check_additivity=False), dtype=np.float64)
    lineage: dict[str, Sequence[str]] = plan.steps[-1][1].lineage_
    columns = tuple(rows.columns)
    share = np.zeros((features.shape[1], len(columns)))
    for at, sources in enumerate(lineage.values()):
        for source in sources:
            share[at, columns.index(source)] = 1 / len(sources)
    outputs = np.asarray(pipeline.predict(rows), dtype=np.float64)
    values = found @ share
    base = np.atleast_1d(np.mean(outputs - values.sum(axis=1)))
    return Attributions(columns, base, values[:, :, None], outputs[:, None], True)


def agnostic_attributions(
    predict: Predict,
    rows: pd.DataFrame,
    background: pd.DataFrame,
    *,
    order: Sequence[str],
    most: int = 30,
    seed: int = 0,
) -> Attributions:
    """Values of any model, by giving columns their own values one after another, and the others those of other rows.

    One random order and its reverse for each row (Štrumbelj & Kononenko 2014, "Explaining prediction models and
    individual predictions with feature contributions"; Mitchell et al. 2022 for the reverse), as shap's permutation
    explainer does it, which compiles itself for three seconds in every process. Additive by construction. Asks for 2 m
    answers for each background row and each of `rows`, m columns.

    Args:
        predict: raw rows in, (n,) numbers or (n, k) probabilities out.
        rows: raw rows to explain.
        background: raw rows that stand for "not known".
        order: columns, the most important first.
        most: columns that have values of their own; the others are taken together.
        seed: of the orders.
    """
    own = list(order[:most]) if len(order) > most else list(order)
    rest = [name for name in rows.columns if name not in own]
    groups: list[list[str]] = [[name] for name in own] + ([rest] if rest else [])
    names = (*own, *((OTHERS,) if rest else ()))
    pool = pd.concat([background, rows], ignore_index=True)[list(rows.columns)]
    known = {name: pool[name].array for name in pool.columns}
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(groups)) for _ in range(len(rows))]
    together = max(ASKED_AT_ONCE // (2 * len(groups) * len(background)), 1)

    def answers(batch: range) -> NDArray[np.float64]:
        """Mean over the background for each of `batch` and each mask, (batch, masks, k)."""
        masks = np.stack([_masks(orders[at]) for at in batch])
        own_places = len(background) + np.array(batch)
        places = np.where(
            masks[:, :, None, :], own_places[:, None, None, None], np.arange(len(background))[None, None, :, None]
        )
        flat = places.reshape(-1, len(groups))
        parts = {name: known[name].take(flat[:, g]) for g, group in enumerate(groups) for name in group}
        found = predict(pd.DataFrame(parts)[list(rows.columns)])
        return np.asarray(found.reshape(*masks.shape[:2], len(background), -1).mean(axis=2))

    batches = (range(at, min(at + together, len(rows))) for at in range(0, len(rows), together))
    found = np.concatenate([answers(batch) for batch in batches])
    values = np.stack([_differences(order, one) for order, one in zip(orders, found, strict=True)])
    outputs = predict(rows).reshape(len(rows), -1)
    return Attributions(tuple(names), found[-1, 0], values, outputs, False)


def _masks(order: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which columns are known along an order from none to all, and then along its reverse, (2 m, m)."""
    return np.concatenate([_revealed(order), _revealed(order[::-1])[1:-1]])


def _differences(order: NDArray[np.intp], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each column adds (m, k), the mean over an order and its reverse, from the answers for its masks (2 m, k)."""
    groups = len(order)
    ahead = found[: groups + 1]
    behind = np.concatenate([found[:1], found[groups + 1 :], found[groups : groups + 1]])
    value = np.empty((groups, found.shape[1]))
    value[order] = np.diff(ahead, axis=0) / 2
    value[order[::-1]] += np.diff(behind, axis=0) / 2
    return value


def _revealed(order: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which columns are known after none, one, … all of the order, (m + 1, m)."""
    known = np.zeros((len(order) + 1, len(order)), dtype=bool)
    for step, column in enumerate(order, start=1):
        known[step:, column] = True
    return known


def _shap() -> Any:
    """The library, which sets up its own plots when it is loaded, and warns of how it does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import shap
    return shap
