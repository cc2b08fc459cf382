"""Made-up tables of any number of classes, for the tests of classification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from ml_assets.datasets.spec import DatasetSpec
from ml_assets.families import load_family
from ml_assets.features.plan import plan_for
from ml_assets.learning.decision import weighed
from ml_assets.learning.search_result import SearchResult, Trial
from ml_assets.learning.splitting import split
from ml_assets.learning.worker import TrainingRows, predict

if TYPE_CHECKING:
    from collections.abc import Sequence


def class_spec(**more: Any) -> DatasetSpec:
    """Contract of two numbers and a class."""
    return DatasetSpec.model_validate(
        {
            "name": "kinds",
            "title": "Kinds",
            "task": "classification",
            "target": "kind",
            "sources": [{"name": "kinds.csv", "path": "kinds.csv"}],
            "columns": {"a": {"dtype": "float"}, "b": {"dtype": "float"}, "kind": {"dtype": "category"}},
            **more,
        }
    )


def class_table(counts: Sequence[int], *, spread: float = 1.0, seed: int = 0) -> pd.DataFrame:
    """Clean table with `counts` rows of `k000`, `k001`, … around places on a circle; `spread` blurs them."""
    rng = np.random.default_rng(seed)
    code = np.repeat(np.arange(len(counts)), counts)
    angle = 2 * np.pi * code / len(counts)
    rows = len(code)
    table = pd.DataFrame(
        {
            "a": 3 * np.cos(angle) + spread * rng.normal(size=rows),
            "b": 3 * np.sin(angle) + spread * rng.normal(size=rows),
            "kind": np.array([f"k{c:03d}" for c in code], dtype=object),
        },
        index=pd.Index([f"{at:016x}" for at in range(rows)], name="row_id"),
    )
    return table.sample(frac=1.0, random_state=seed)


def class_rows(spec: DatasetSpec, table: pd.DataFrame) -> tuple[TrainingRows, pd.DataFrame]:
    """Training rows and splits."""
    splits = split(spec, table, seed=0)
    return TrainingRows.of(spec, table, splits, plan_for(spec), seed=0), splits


def found_by_defaults(rows: TrainingRows, family: str) -> SearchResult:
    """A search that tried the defaults only, with true out-of-fold predictions."""
    params = load_family(family).defaults(rows.shape)
    oof = np.zeros((len(rows.table), len(rows.classes)))
    X = rows.table[list(rows.spec.feature_columns)]
    for k in range(rows.spec.folds):
        inside = rows.fold != k
        plan = clone(rows.plan)
        features = plan.fit_transform(rows.table[inside], rows.target[inside], folds=rows.fold[inside])
        model = weighed(load_family(family).estimator(params, rows.shape, seed=0), rows.spec.decision)
        model.fit(features, rows.target[inside])
        oof[~inside] = predict(model, plan.transform(X[~inside]), rows.classes)
    trial = Trial(number=0, params=params, state="COMPLETE", score=1.0, seconds=1.0, fit_seconds=1.0)
    folds = (1.0,) * rows.spec.folds
    return SearchResult(family, params, folds, (trial,), 1.0, rows.classes, tuple(rows.table.index), oof)
