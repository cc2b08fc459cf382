from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from ml_assets.errors import TrainingError
from ml_assets.evaluation import pair_plots
from ml_assets.evaluation.pairs import apart_words, gaps, paired_differences, rows_apart

if TYPE_CHECKING:
    from collections.abc import Callable

    from evaluation_worlds import World

    from ml_assets.evaluation.record import Evaluation


def test_differences_have_the_corrected_interval_of_the_formula(iris: World) -> None:
    paired = paired_differences(iris.evaluations, "linear")
    assert list(paired.index) == ["random_forest", "constant"]
    row = paired.loc["constant"]
    folds = np.array(row["folds"])
    error = math.sqrt(folds.var(ddof=1) * (1 / 5 + 1 / 4))
    half = stats.t.ppf(0.975, 4) * error
    assert (row["low"], row["high"]) == pytest.approx((folds.mean() - half, folds.mean() + half))
    assert row["p_value"] == pytest.approx(2 * stats.t.sf(abs(folds.mean()) / error, 4))
    assert list(paired["indistinguishable"]) == [True, False]


def test_models_of_the_same_scores_are_not_told_apart_and_have_no_interval(
    iris: World, changed: Callable[..., Evaluation]
) -> None:
    twins = {"linear": iris.evaluations["linear"], "twin": changed(iris.evaluations["linear"], family="twin")}
    row = paired_differences(twins, "linear").loc["twin"]
    assert row["indistinguishable"]
    assert math.isnan(row["low"])


def test_other_folds_are_refused(iris: World, changed: Callable[..., Evaluation]) -> None:
    other = changed(iris.evaluations["constant"], splits_hash="6" * 64)
    with pytest.raises(TrainingError, match="constant and linear were evaluated on other folds"):
        paired_differences({"linear": iris.evaluations["linear"], "constant": other}, "linear")


def test_rows_say_who_is_closer_and_whether_both_fail_alike(california: World) -> None:
    best, linear = california.evaluations["hist_gradient_boosting"], california.evaluations["linear"]
    found = rows_apart(best, linear)
    assert found.rows == 1600
    assert 0.5 < found.first_better < 0.8
    assert rows_apart(linear, best).first_better == pytest.approx(1 - found.first_better)
    assert "fail on partly different rows" in apart_words(found, "hist_gradient_boosting", "linear")
    same = rows_apart(linear, linear)
    assert (same.first_better, round(same.correlation, 6)) == (0.5, 1.0)
    assert "they fail on the same rows" in apart_words(same, "linear", "linear")


def test_rows_without_a_prediction_do_not_count(california: World, changed: Callable[..., Evaluation]) -> None:
    linear = california.evaluations["linear"]
    holes = linear.oof.copy()
    holes.iloc[:100, holes.columns.get_loc("prediction")] = np.nan
    assert rows_apart(changed(linear, oof=holes), linear).rows == 1500
    with pytest.raises(TrainingError, match="no row in common"):
        rows_apart(changed(linear, oof=linear.oof.assign(prediction=np.nan)), linear)


def test_plots_are_pictures_that_differ_and_one_family_alone_is_told(iris: World) -> None:
    paired = paired_differences(iris.evaluations, "linear")
    pictures = [
        pair_plots.differences(paired, winner="linear", metric="log_loss"),
        pair_plots.differences(paired.iloc[:0], winner="linear", metric="log_loss"),
        pair_plots.optimism(gaps(iris.evaluations), metric="log_loss"),
        pair_plots.cost_against_score(iris.board),
    ]
    assert len(set(pictures)) == 4
    assert all(Image.open(io.BytesIO(png)).size[0] > 600 for png in pictures)
