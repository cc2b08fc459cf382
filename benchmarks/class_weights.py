"""Whether class weights gain anything over costs alone, on made-up tables with rare classes; not in `make bench`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.base import clone

from ml_assets.datasets.spec import DatasetSpec
from ml_assets.evaluation.decisions import cost_matrix, mean_cost, said_classes
from ml_assets.evaluation.metrics import class_positions, fold_scores
from ml_assets.families import family_names, load_family
from ml_assets.features.plan import plan_for
from ml_assets.learning.decision import weighed
from ml_assets.learning.splitting import split
from ml_assets.learning.worker import TrainingRows, predict

if TYPE_CHECKING:
    from collections.abc import Sequence

TABLES = (((4000, 20), 1.6), ((2000, 100), 2.0), ((1500, 300, 60), 2.0))
"""Rows of each class, and how far they spread around their place on a circle of radius 3."""


def table_of(counts: Sequence[int], spread: float) -> pd.DataFrame:
    """Clean table of two numbers and a class."""
    rng = np.random.default_rng(0)
    code = np.repeat(np.arange(len(counts)), counts)
    angle = 2 * np.pi * code / len(counts)
    numbers = 3 * np.stack([np.cos(angle), np.sin(angle)], axis=1) + spread * rng.normal(size=(len(code), 2))
    table = pd.DataFrame(numbers, columns=["a", "b"]).assign(kind=np.array([f"k{c}" for c in code], dtype=object))
    return table.set_index(pd.Index([f"{at:016x}" for at in range(len(code))], name="row_id"))


def contract(counts: Sequence[int], class_weight: str) -> DatasetSpec:
    """Missing the second class costs as many times more as it is rarer than the first."""
    return DatasetSpec.model_validate(
        {
            "name": "kinds",
            "title": "Kinds",
            "task": "classification",
            "target": "kind",
            "sources": [{"name": "kinds.csv", "path": "kinds.csv"}],
            "columns": {"a": {"dtype": "float"}, "b": {"dtype": "float"}, "kind": {"dtype": "category"}},
            "decision": {"class_weight": class_weight, "costs": {"k1": {"k0": counts[0] / counts[1]}}},
        }
    )


def out_of_fold(rows: TrainingRows, family: str) -> np.ndarray:
    """Out-of-fold probabilities of a family's default setting."""
    oof = np.zeros((len(rows.table), len(rows.classes)))
    for k in range(rows.spec.folds):
        inside, plan = rows.fold != k, clone(rows.plan)
        features = plan.fit_transform(rows.table[inside], rows.target[inside], folds=rows.fold[inside])
        chosen = load_family(family)
        model = weighed(chosen.estimator(chosen.defaults(rows.shape), rows.shape, seed=0), rows.spec.decision)
        model.fit(features, rows.target[inside])
        oof[~inside] = predict(model, plan.transform(rows.table[~inside]), rows.classes)
    return oof


def main() -> None:
    """Prints, for each table and family, log loss and mean cost without and with class weights."""
    for counts, spread in TABLES:
        table = table_of(counts, spread)
        for family in family_names():
            losses, costs, plain = {}, {}, {}
            for weight in ("none", "balanced"):
                spec = contract(counts, weight)
                rows = TrainingRows.of(spec, table, split(spec, table, seed=0), plan_for(spec), seed=0)
                oof = out_of_fold(rows, family)
                losses[weight] = fold_scores(spec.task, rows.target, oof, rows.fold, rows.classes)
                matrix, truth = (
                    cost_matrix(rows.classes, spec.decision.costs),
                    class_positions(rows.target, rows.classes),
                )
                costs[weight] = mean_cost(truth, said_classes(oof, matrix), matrix)
                plain[weight] = mean_cost(truth, said_classes(oof), matrix)
            change = losses["balanced"] - losses["none"]
            error = change.std(ddof=1) / np.sqrt(len(change))
            print(f"{counts!s:16} {family:24} log loss {losses['none'].mean():.4f}", end=", ")
            print(f"weights change it by {change.mean():+.4f} ± {error:.4f}", end="; ")
            print(f"mean cost {costs['none']:.4f}, with weights {costs['balanced']:.4f}", end="; ")
            print(f"of the likeliest {plain['none']:.4f}, {plain['balanced']:.4f}", flush=True)


if __name__ == "__main__":
    main()
