import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import TargetEncoder

from ml_assets.features.labels import MOST_CLASSES, PRIOR_ROWS, LabelColumns, TargetMeans, as_targets

LABELS = st.lists(st.sampled_from(["a", "b", "c", "d", "é", None]), min_size=8, max_size=40)


def _targets(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(10.0, 3.0, count)


@settings(deadline=None, max_examples=60)
@given(labels=LABELS)
def test_later_rows_get_the_means_that_scikit_learns_encoder_gives(labels: list[str | None]) -> None:
    column, target = pd.Series(labels * 2, dtype=object), _targets(2 * len(labels))
    made = TargetMeans().fit(column, as_targets(target, len(target))).transform(column)
    encoder = TargetEncoder(smooth=PRIOR_ROWS, target_type="continuous").fit(column.to_frame(), target)
    np.testing.assert_allclose(made[:, 0], encoder.transform(column.to_frame())[:, 0])
    np.testing.assert_allclose(made[:, 1], [labels.count(label) / len(labels) for label in column])


@settings(deadline=None, max_examples=60)
@given(labels=LABELS, seed=st.integers(0, 9))
def test_targets_of_its_own_fold_change_nothing_for_a_training_row(labels: list[str | None], seed: int) -> None:
    column, target = pd.Series(labels, dtype=object), _targets(len(labels))
    folds = np.arange(len(labels)) % 4
    inside = np.flatnonzero(folds == 1)
    other = target.copy()
    other[inside] = np.random.default_rng(seed).permutation(target[inside])
    before, after = (TargetMeans().fit_transform(column, as_targets(y, len(y)), folds) for y in (target, other))
    np.testing.assert_allclose(before[inside], after[inside], rtol=1e-12)


def test_a_label_of_one_row_tells_training_nothing_and_later_rows_nothing() -> None:
    column, target = pd.Series([f"id {i}" for i in range(50)], dtype=object), _targets(50)
    means = TargetMeans()
    training = means.fit_transform(column, as_targets(target, 50), np.arange(50) % 5)
    later = means.transform(pd.Series(["id 3", "id 999", None], dtype=object))
    assert means.labels_ == ()
    for made in (training, later):
        np.testing.assert_allclose(made, np.tile([target.mean(), 0.0], (len(made), 1)))


def test_two_classes_make_one_column_and_more_one_each_up_to_a_bound() -> None:
    binary = as_targets(np.array(["no", "yes", "yes"], dtype=object), 3)
    assert binary.names == ("share of yes",)
    assert binary.columns.tolist() == [[0.0], [1.0], [1.0]]
    three = as_targets(np.array(["b", "a", "c"], dtype=object), 3)
    assert three.names == ("share of a", "share of b", "share of c")
    many = np.array([f"{i:02}" for i in range(30) for _ in range(30 - i)], dtype=object)
    assert as_targets(many, len(many)).names == tuple(f"share of {i:02}" for i in range(MOST_CLASSES))


def test_a_class_that_the_other_folds_lack_has_no_share_there() -> None:
    column = pd.Series(["x", "x", "x", "x"], dtype=object)
    targets = as_targets(np.array(["a", "b", "c", "c"], dtype=object), 4)
    made = TargetMeans().fit_transform(column, targets, np.array([0, 0, 1, 1]))
    shares = (np.array([0, 0, 2.0]) - 2 * targets.columns.mean(axis=0)) / (2 + PRIOR_ROWS)
    np.testing.assert_allclose(made[0, :3], targets.columns.mean(axis=0) + shares)


def test_many_rows_of_a_label_outweigh_the_mean_of_all() -> None:
    column = pd.Series(["often"] * 1000 + ["twice"] * 2, dtype=object)
    target = np.array([5.0] * 1000 + [100.0] * 2)
    made = TargetMeans().fit(column, as_targets(target, 1002)).transform(pd.Series(["often", "twice"], dtype=object))
    assert made[0, 0] == pytest.approx(5, abs=0.1)
    assert 15 < made[1, 0] < 25


@given(labels=st.lists(st.one_of(st.none(), st.text(max_size=4), st.integers(-3, 3)), min_size=1, max_size=30))
def test_each_label_of_training_has_a_column_that_says_which_rows_have_it(labels: list[object]) -> None:
    column = pd.Series(labels, dtype=object)
    fitted = LabelColumns().fit(column)
    made = fitted.transform(column)
    assert made.shape == (len(labels), len(fitted.names_))
    for row, label in zip(made, labels, strict=True):
        assert [text for text, on in zip(fitted.labels_, row, strict=True) if on] == (
            [] if label is None else [str(label)]
        )
    assert not fitted.transform(pd.Series(["never seen", None], dtype=object)).any()
