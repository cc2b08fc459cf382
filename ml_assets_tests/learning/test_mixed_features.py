"""What workers make of a table with every dtype; that the target stays out of a row's own features."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.families import load_family
from ml_assets.features.plan import plan_for
from ml_assets.learning.final_fit import fit_models
from ml_assets.learning.pool import worker_pool
from ml_assets.learning.search_result import SearchResult, Trial
from ml_assets.learning.splitting import split
from ml_assets.learning.worker import TrainingRows, fit_fold
from ml_assets_tests.mixed_world import TARGET, mixed_spec, mixed_table


def _rows(spec: DatasetSpec, table: pd.DataFrame) -> TrainingRows:
    splits = split(spec, table, seed=0)
    return TrainingRows.of(spec, table, splits, plan_for(spec), seed=0)


def _out_of_fold(rows: TrainingRows, family: str) -> Any:
    """Predictions of every training row by a model that did not see its fold."""
    params = load_family(family).defaults(rows.shape)
    made = np.empty((len(rows.table), *([len(rows.classes)] if rows.classes else [])))
    with worker_pool(rows, workers=2) as pool:
        tasks = {fold: pool.schedule(fit_fold, args=(family, params, fold)) for fold in set(rows.fold.tolist())}
        for fold, task in tasks.items():
            made[rows.fold == fold] = task.result().prediction
    return made


@pytest.mark.parametrize("task", list(Task))
def test_folds_of_a_mixed_table_are_predicted_better_than_by_guessing(task: Task) -> None:
    spec = mixed_spec(task)
    rows = _rows(spec, mixed_table(spec, 300, classes=3))
    made = _out_of_fold(rows, "hist_gradient_boosting")
    if task is Task.REGRESSION:
        assert np.mean((made - rows.target) ** 2) < 0.8 * rows.target.var()
    else:
        assert (np.array(rows.classes)[made.argmax(axis=1)] == rows.target).mean() > 0.45


@pytest.mark.parametrize("family", ["hist_gradient_boosting", "linear"])
def test_a_permuted_target_is_predicted_no_better_than_by_guessing(family: str) -> None:
    spec = mixed_spec()
    table = mixed_table(spec, 400)
    table[TARGET] = np.random.default_rng(1).permutation(table[TARGET])
    rows = _rows(spec, table)
    made = _out_of_fold(rows, family)
    assert np.mean((made - rows.target) ** 2) > 0.95 * rows.target.var()
    leaking = clone(rows.plan).fit(rows.table, rows.target).transform(rows.table)["street name (target mean)"]
    fitted = clone(rows.plan).fit_transform(rows.table, rows.target, folds=rows.fold)["street name (target mean)"]
    assert np.corrcoef(leaking, rows.target)[0, 1] > 0.3, "a row that sees its own target knows it"
    assert np.corrcoef(fitted, rows.target)[0, 1] < 0.15


def test_the_final_pipeline_was_fitted_to_cross_fitted_features() -> None:
    spec = mixed_spec()
    rows = _rows(spec, mixed_table(spec))
    params = load_family("linear").defaults(rows.shape)
    trial = Trial(number=0, params=params, state="COMPLETE", score=1.0, seconds=1.0, fit_seconds=1.0)
    ids = tuple(rows.table.index)
    found = SearchResult("linear", params, (1.0,) * 5, (trial,), 1.0, (), ids, np.zeros(len(ids)))
    model = fit_models(rows, {"linear": found}, data_hash="d", splits_hash="s", workers=1)["linear"]
    plan = clone(rows.plan)
    features = plan.fit_transform(rows.table, rows.target, folds=rows.fold)
    estimator = load_family("linear").estimator(params, rows.shape, seed=0).fit(features, rows.target)
    raw = rows.table[list(spec.feature_columns)]
    np.testing.assert_allclose(model.pipeline.predict(raw), estimator.predict(plan.transform(raw)))
