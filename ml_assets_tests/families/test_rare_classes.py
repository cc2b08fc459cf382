"""Classes of few rows: folds for cross-fitting that one row does not break, and probabilities that are never zero."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import StratifiedKFold

from ml_assets.datasets.spec import Task
from ml_assets.families import load_family
from ml_assets.families.base import ProblemShape
from ml_assets.families.labels import FoldsOfRareClasses


def test_without_a_rare_class_the_folds_are_those_of_scikit_learn() -> None:
    y = np.array(list("aabbabbabab") * 5, dtype=object)
    ours, theirs = FoldsOfRareClasses(3).split(y, y), StratifiedKFold(3).split(y, y)
    for (train, held_out), (their_train, their_held_out) in zip(ours, theirs, strict=True):
        assert train.tolist() == their_train.tolist()
        assert held_out.tolist() == their_held_out.tolist()


def test_a_rare_class_trains_in_every_fold_and_every_row_is_held_out_once() -> None:
    y = np.array(["a"] * 20 + ["b"] * 10 + ["c"] * 2 + ["d"], dtype=object)
    held = []
    for train, held_out in FoldsOfRareClasses(3).split(y, y):
        assert set(y[train]) == set("abcd")
        assert not set(train[np.isin(y[train], ["a", "b"])]) & set(held_out)
        held += held_out.tolist()
    assert sorted(held) == list(range(len(y)))


@pytest.mark.parametrize("name", ["knn", "random_forest", "extra_trees"])
def test_what_was_never_met_near_a_row_is_rare_and_not_impossible(name: str) -> None:
    """Two groups far apart, and rows near the one that are of the other's class all the same."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": np.r_[rng.normal(size=50), 100 + rng.normal(size=50)], "b": rng.normal(size=100)})
    y = np.array(["left"] * 50 + ["right"] * 50, dtype=object)
    shape = ProblemShape(Task.CLASSIFICATION, 100, 2, 2)
    family = load_family(name)
    shares = family.estimator(family.defaults(shape), shape, seed=0).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert shares.min() == pytest.approx(0.5 / 101, rel=0.05)
    assert (shares.argmax(axis=1) == (y == "right")).all()
