"""Folds for cross-fitting that a class of one row does not break."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import StratifiedKFold

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
