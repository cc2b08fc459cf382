from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ml_assets.datasets.spec import Limits
from ml_assets.errors import TrainingError
from ml_assets.evaluation.comparison import Leaderboard, compare
from ml_assets.evaluation.significance import corrected_paired_t

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from evaluation_worlds import World

    from ml_assets.evaluation.record import Evaluation


def test_the_winner_has_the_best_cross_validated_score_whatever_the_test_rows_say(
    iris: World, changed: Callable[..., Evaluation]
) -> None:
    tempting = changed(iris.evaluations["constant"], test_metrics={"log_loss": 0.0})
    board = compare({**iris.evaluations, "constant": tempting})
    assert board.winner == "linear"
    scores = [row.cv_score for row in board.rows]
    assert scores == sorted(scores)


def test_families_within_the_noise_of_the_folds_are_marked(iris: World) -> None:
    assert iris.board.indistinguishable == ("random_forest",)
    leader, forest, constant = iris.board.rows
    scores = [np.array(iris.evaluations[family].fold_scores) for family in ("linear", "random_forest")]
    differences = scores[1] - scores[0]
    expected = corrected_paired_t(differences, test_fraction=0.2)
    assert forest.p_value == pytest.approx(expected.p_two_sided)
    assert forest.difference == pytest.approx(expected.mean)
    assert constant.p_value < 0.001
    assert math.isnan(leader.p_value)
    assert not leader.indistinguishable


def test_a_copy_of_the_leader_cannot_be_told_from_it(iris: World, changed: Callable[..., Evaluation]) -> None:
    copy = changed(iris.evaluations["linear"], family="mirror")
    board = compare({"mirror": copy, "linear": iris.evaluations["linear"]})
    assert [row.family for row in board.rows] == ["linear", "mirror"]
    assert board.indistinguishable == ("mirror",)


def test_stale_and_broken_families_are_left_out_with_the_reason(
    iris: World, changed: Callable[..., Evaluation]
) -> None:
    linear = iris.evaluations["linear"]
    families = {
        **iris.evaluations,
        "old_data": changed(linear, family="old_data", data_hash="e" * 64),
        "old_splits": changed(linear, family="old_splits", splits_hash="6" * 64),
        "broken": changed(linear, family="broken", fold_scores=(0.1, math.nan)),
    }
    board = compare(families)
    assert {row.family for row in board.rows} == set(iris.evaluations)
    assert board.left_out == {
        "old_data": "stale: evaluated on data eeeeeeeeeeee, the others on dddddddddddd",
        "old_splits": "stale: evaluated on splits 666666666666, the others on 555555555555",
        "broken": "its cross-validated score is not a finite number",
    }


def test_the_hashes_asked_for_decide_which_family_is_stale(iris: World, changed: Callable[..., Evaluation]) -> None:
    families = {
        "linear": iris.evaluations["linear"],
        "fresh": changed(iris.evaluations["constant"], family="fresh", data_hash="e" * 64),
    }
    assert compare(families, data_hash="e" * 64).winner == "fresh"
    with pytest.raises(TrainingError, match="as many on one as on the other \\(linear, fresh\\)"):
        compare(families)
    with pytest.raises(TrainingError, match="iris: no family can be ranked; linear: stale"):
        compare(families, data_hash="f" * 64)


def test_nothing_to_compare_is_said(iris: World, changed: Callable[..., Evaluation]) -> None:
    with pytest.raises(TrainingError, match="none was evaluated"):
        compare({})
    broken = changed(iris.evaluations["linear"], cv_score=math.nan)
    with pytest.raises(TrainingError, match="linear: its cross-validated score is not a finite number"):
        compare({"linear": broken})


def test_a_leaderboard_comes_back_as_it_was_saved(iris: World, tmp_path: Path) -> None:
    iris.board.save(tmp_path)
    again = Leaderboard.load(tmp_path)
    assert again.rows[1:] == iris.board.rows[1:]
    assert again.to_frame().equals(iris.board.to_frame())
    assert (again.winner, again.metric, again.left_out) == ("linear", "log_loss", {})


def test_the_frame_is_ranked_from_one(iris: World) -> None:
    frame = iris.board.to_frame()
    assert frame.index.tolist() == [1, 2, 3]
    assert frame["family"].tolist() == ["linear", "random_forest", "constant"]


def test_a_model_over_a_limit_of_the_contract_cannot_win(iris: World, changed: Callable[..., Evaluation]) -> None:
    linear = iris.evaluations["linear"]
    heavy = changed(
        linear, family="heavy", model_bytes=12_000_000, fold_scores=tuple(s / 2 for s in linear.fold_scores)
    )
    slow = changed(linear, family="slow", predict_ms_per_1000_rows=90.0)
    families = {"linear": changed(linear, predict_ms_per_1000_rows=1.0), "heavy": heavy, "slow": slow}
    board = compare(families, limits=Limits(megabytes=10, ms_per_1000_rows=50))
    assert board.winner == "linear"
    assert board.left_out == {
        "heavy": "its model has 12 MB, and the contract's limit is 10",
        "slow": "it takes 90 ms to predict 1000 rows, and the contract's limit is 50",
    }
    with pytest.raises(TrainingError, match="no family can be ranked; heavy: its model has 12 MB"):
        compare({"heavy": heavy}, limits=Limits(megabytes=10))


def test_families_without_scores_stay_on_the_board_with_their_reason(iris: World) -> None:
    board = compare(iris.evaluations, left_out={"svm": "no time was left for it"})
    assert board.left_out == {"svm": "no time was left for it"}
