from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from ml_assets.datasets.spec import Task
from ml_assets.errors import TrainingError
from ml_assets.evaluation.metrics import (
    METRICS,
    calibration_error,
    fold_scores,
    primary_metric,
    primary_score,
    row_losses,
    score,
)

R, C = Task.REGRESSION, Task.CLASSIFICATION
CLASSES = ("a", "b", "c")


def classified(seed: int, n: int = 200, classes: tuple[str, ...] = CLASSES) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.choice(np.array(classes, dtype=object), n)
    return labels, generator.dirichlet(np.ones(len(classes)), n)


def test_primary_metrics_are_rmse_and_log_loss() -> None:
    assert (primary_metric(R), primary_metric(C)) == ("rmse", "log_loss")


@given(st.integers(0, 2**32 - 1), st.integers(2, 60))
def test_regression_scores_are_those_of_scikit_learn(seed: int, n: int) -> None:
    generator = np.random.default_rng(seed)
    y, p = generator.normal(size=n), generator.normal(size=n)
    scores = score(R, y, p)
    assert tuple(scores) == tuple(METRICS[R])
    assert scores["rmse"] == pytest.approx(reference.root_mean_squared_error(y, p))
    assert scores["mae"] == pytest.approx(reference.mean_absolute_error(y, p))
    assert scores["median_absolute_error"] == pytest.approx(reference.median_absolute_error(y, p))
    assert scores["r2"] == pytest.approx(reference.r2_score(y, p))
    assert primary_score(R, y, p) == pytest.approx(scores["rmse"])


@pytest.mark.parametrize("seed", range(5))
def test_classification_scores_are_those_of_scikit_learn(seed: int) -> None:
    y, p = classified(seed)
    named = np.array(CLASSES)[p.argmax(axis=1)]
    scores = score(C, y, p, CLASSES)
    assert list(scores) == list(METRICS[C])
    assert scores["log_loss"] == pytest.approx(reference.log_loss(y, p, labels=CLASSES))
    assert scores["accuracy"] == pytest.approx(reference.accuracy_score(y, named))
    assert scores["balanced_accuracy"] == pytest.approx(reference.balanced_accuracy_score(y, named))
    assert scores["macro_f1"] == pytest.approx(reference.f1_score(y, named, average="macro"))
    expected_brier = reference.brier_score_loss(y, p, labels=list(CLASSES), scale_by_half=False)
    assert scores["brier"] == pytest.approx(expected_brier)
    assert scores["roc_auc"] == pytest.approx(reference.roc_auc_score(y, p, multi_class="ovr", labels=CLASSES))
    assert primary_score(C, y, p, CLASSES) == pytest.approx(scores["log_loss"])


def test_auc_of_two_classes_with_tied_scores_is_that_of_scikit_learn() -> None:
    y, p = classified(3, classes=("no", "yes"))
    p = np.round(p, 1)
    expected = reference.roc_auc_score(y == "yes", p[:, 1])
    assert score(C, y, p, ("no", "yes"))["roc_auc"] == pytest.approx(expected)


def test_calibration_error_adds_the_gaps_of_the_bins() -> None:
    confidence = np.array([0.55, 0.6, 0.9, 0.95])
    correct = np.array([True, False, True, True])
    expected = 2 / 4 * abs(0.575 - 0.5) + 2 / 4 * abs(0.925 - 1.0)
    assert calibration_error(confidence, correct, bins=1) == pytest.approx(abs(0.75 - 0.75))
    assert calibration_error(confidence, correct, bins=2) == pytest.approx(expected)


def test_rows_of_one_confidence_share_a_bin_whatever_their_order() -> None:
    confidence = np.array([0.5] * 30 + [0.9] * 10)
    correct = np.array([True, False] * 15 + [True] * 9 + [False])
    assert calibration_error(confidence, correct) == pytest.approx(0.0)
    order = np.random.default_rng(0).permutation(40)
    assert calibration_error(confidence[order], correct[order]) == pytest.approx(0.0)


def test_the_gaps_of_sure_rows_do_not_cancel_in_one_bin() -> None:
    confidence = np.repeat([0.95, 0.99], 100)
    correct = np.repeat([True, True], 100)
    correct[100:106] = False
    gaps = (abs(1.0 - 0.95), abs(0.94 - 0.99))
    assert calibration_error(confidence, correct) == pytest.approx(sum(gaps) / 2)


def test_fold_scores_are_the_primary_metric_of_each_fold_and_skip_test_rows() -> None:
    y, p = classified(1)
    fold = np.arange(200) % 5 - 1
    expected = [primary_score(C, y[fold == k], p[fold == k], CLASSES) for k in range(4)]
    assert fold_scores(C, y, p, fold, CLASSES) == pytest.approx(expected)
    numbers = np.arange(200.0)
    expected = [primary_score(R, numbers[fold == k], 0 * numbers[fold == k]) for k in range(4)]
    assert fold_scores(R, numbers, 0 * numbers, fold) == pytest.approx(expected)


def test_a_class_missing_from_the_rows_needs_no_warning() -> None:
    y, p = classified(2)
    only = y != "c"
    scores = score(C, y[only], p[only], CLASSES)
    assert all(np.isfinite(value) for value in scores.values())
    alone = score(C, y[y == "a"], p[y == "a"], CLASSES)
    assert np.isnan(alone["roc_auc"])
    assert np.isfinite(alone["log_loss"])


def test_certainty_in_a_wrong_class_costs_much_but_not_infinity() -> None:
    loss = row_losses(C, np.array(["a"], dtype=object), np.array([[0.0, 1.0]]), ("a", "b"))
    assert loss[0] == pytest.approx(-np.log(np.finfo(float).eps))


def test_predictions_that_are_no_numbers_give_no_score() -> None:
    y, p = np.array([1.0, 2.0]), np.array([1.0, np.nan])
    assert np.isnan(primary_score(R, y, p))
    assert all(np.isnan(value) for value in score(R, y, p).values())
    labels, probabilities = classified(0)
    probabilities[7] = np.nan
    assert all(np.isnan(value) for value in score(C, labels, probabilities, CLASSES).values())


def test_no_rows_and_a_constant_target_give_nan_without_a_warning() -> None:
    assert np.isnan(score(R, np.array([]), np.array([]))["rmse"])
    assert np.isnan(score(R, np.ones(3), np.zeros(3))["r2"])


def test_an_unknown_label_is_named() -> None:
    with pytest.raises(TrainingError, match="labels z are not among the model's classes \\(a, b, c\\)"):
        row_losses(C, np.array(["a", "z"], dtype=object), np.full((2, 3), 1 / 3), CLASSES)


def test_a_wrong_shape_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"shape \(3, 1\) where \(3,\) is needed"):
        row_losses(R, np.zeros(3), np.zeros((3, 1)))
