from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ml_assets.datasets.judging import Comparison
from ml_assets.datasets.spec import Limits
from ml_assets.errors import TrainingError
from ml_assets.evaluation.comparison import Leaderboard, compare
from ml_assets.evaluation.multiplicity import holm
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
    assert forest.single_p_value == pytest.approx(expected.p_two_sided)
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


def test_p_values_are_corrected_for_the_number_of_families(iris: World, changed: Callable[..., Evaluation]) -> None:
    _, *others = iris.board.rows
    assert [row.p_value for row in others] == pytest.approx(holm([row.single_p_value for row in others]))
    assert others[0].p_value >= others[0].single_p_value
    linear = iris.evaluations["linear"]
    worse = {name: shifted(linear, name, at) for at, name in enumerate(f"copy_{i}" for i in range(8))}
    alone = compare({"linear": linear, "copy_0": worse["copy_0"]})
    many = compare({"linear": linear, **worse})
    assert alone.indistinguishable == ()
    assert set(many.indistinguishable) == set(worse), "what one comparison shows is within the noise of eight"


def shifted(evaluation: Evaluation, family: str, at: int) -> Evaluation:
    """A family whose folds are worse with p about 0.02, each time by other amounts."""
    steps = np.array([2.5, 4.5, 2.0, 5.0, 3.0]) + 0.01 * at
    scores = np.array(evaluation.fold_scores) + steps * 1e-3
    return replace(evaluation, family=family, fold_scores=tuple(scores), cv_score=float(scores.mean()))


def test_a_difference_has_an_interval_over_folds_and_one_over_rows(california: World) -> None:
    leader, other = california.board.rows
    assert 0 < other.low < other.difference < other.high
    assert other.share == pytest.approx(other.difference / leader.cv_score)
    pooled = (
        california.evaluations[other.family].oof_metrics["rmse"]
        - california.evaluations[leader.family].oof_metrics["rmse"]
    )
    assert other.rows_low < pooled < other.rows_high
    assert math.isnan(leader.low)


def test_families_within_the_margin_are_practically_the_same(iris: World, changed: Callable[..., Evaluation]) -> None:
    linear = iris.evaluations["linear"]
    by_a_hair = np.array(linear.fold_scores) * (1 + np.array([1, 2, 1, 3, 2]) * 1e-4)
    near = changed(linear, family="near", fold_scores=tuple(by_a_hair), cv_score=float(by_a_hair.mean()))
    families = {"linear": linear, "near": near, "constant": iris.evaluations["constant"]}
    board = compare(families)
    assert board.equivalent == ("near",)
    assert board.rows[1].share == pytest.approx(1.8e-4, rel=0.5)
    assert compare(families, rules=Comparison(equivalence_margin=1e-5)).equivalent == ()


def test_the_cheapest_of_those_as_good_wins_where_the_contract_prefers_it(
    iris: World, changed: Callable[..., Evaluation]
) -> None:
    timed = {
        "linear": changed(iris.evaluations["linear"], predict_ms_per_1000_rows=8.0),
        "random_forest": changed(iris.evaluations["random_forest"], predict_ms_per_1000_rows=2.0),
        "constant": changed(iris.evaluations["constant"], predict_ms_per_1000_rows=0.1),
    }
    assert compare(timed).winner == "linear"
    board = compare(timed, rules=Comparison(choose="cheapest"))
    assert (board.leader, board.winner, board.winning_row.family) == ("linear", "random_forest", "random_forest")
    smaller = {**timed, "linear": changed(timed["linear"], predict_ms_per_1000_rows=2.001, model_bytes=5)}
    assert compare(smaller, rules=Comparison(choose="cheapest")).winner == "linear", "of equal speed the smaller"


def test_a_board_with_a_cheaper_winner_comes_back_as_it_was_saved(iris: World, tmp_path: Path) -> None:
    board = compare(iris.evaluations, rules=Comparison(choose="cheapest"))
    board.save(tmp_path)
    assert Leaderboard.load(tmp_path).winner == board.winner


def test_a_board_of_before_loads_without_what_it_did_not_have(iris: World, tmp_path: Path) -> None:
    iris.board.save(tmp_path)
    content = json.loads((tmp_path / "leaderboard.json").read_text())
    for name in ("chosen", "equivalence_margin"):
        del content[name]
    for row in content["rows"]:
        for name in ("single_p_value", "low", "high", "share", "rows_low", "rows_high", "equivalent"):
            del row[name]
    (tmp_path / "leaderboard.json").write_text(json.dumps(content))
    assert Leaderboard.load(tmp_path).winner == "linear"
