"""Every family on the features of a table with every dtype, gaps everywhere and names that libraries stumble over."""

from collections.abc import Iterator

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from ml_assets.datasets.spec import Task
from ml_assets.families import family_names, load_family
from ml_assets.families.base import ProblemShape
from ml_assets.features.plan import plan_for
from ml_assets_tests.mixed_world import TARGET, mixed_spec, mixed_table

TRAINING = 320


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with threadpool_limits(1):
        yield


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("classes", [0, 2, 5], ids=["regression", "binary", "five classes"])
@pytest.mark.parametrize("name", family_names())
def test_a_family_learns_from_a_table_with_every_dtype(name: str, classes: int) -> None:
    task = Task.CLASSIFICATION if classes else Task.REGRESSION
    spec = mixed_spec(task)
    table = mixed_table(spec, 480, classes=classes)
    training, later = table.iloc[:TRAINING], table.iloc[TRAINING:]
    target = training[TARGET].to_numpy()
    plan, family = plan_for(spec), load_family(name)
    features = plan.fit_transform(training, target, folds=np.arange(TRAINING) % 5)
    shape = ProblemShape(task, TRAINING, plan.width(training, target), classes)
    estimator = family.estimator(family.defaults(shape), shape, seed=0).fit(features, target)
    held_out = plan.transform(later)
    if classes:
        assert (estimator.predict(held_out) == later[TARGET]).mean() > 1.25 / classes
        probabilities = estimator.predict_proba(held_out)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
        np.testing.assert_allclose(estimator.predict_proba(held_out.iloc[[0]]), probabilities[:1], rtol=1e-6)
    else:
        error = estimator.predict(held_out) - later[TARGET]
        assert (error**2).mean() < 0.75 * later[TARGET].var()
        np.testing.assert_allclose(estimator.predict(held_out.iloc[[0]]), estimator.predict(held_out)[:1], rtol=1e-6)
