from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from ml_assets.evaluation.gate import GateEntry, Verdict, decide
from ml_assets.evaluation.significance import corrected_paired_t

if TYPE_CHECKING:
    from pathlib import Path

    from evaluation_worlds import World

FOLDS = 5


def entry(version: str, folds: object, splits: str = "s1", losses: object = (), first_row: int = 0) -> GateEntry:
    values = np.asarray(losses, dtype=float)
    rows = pd.Index([f"row{i}" for i in range(first_row, first_row + len(values))])
    return GateEntry(version, "xgboost", tuple(folds), splits, pd.Series(values, index=rows))


def correlated_folds(generator: np.random.Generator, mean: float, draws: int) -> np.ndarray:
    """Differences over folds with the correlation 1/k that Nadeau and Bengio's correction assumes."""
    shared = generator.normal(size=(draws, 1)) * math.sqrt(1 / FOLDS)
    own = generator.normal(size=(draws, FOLDS)) * math.sqrt(1 - 1 / FOLDS)
    return mean + shared + own


def promoted_share(differences: np.ndarray) -> float:
    return float(
        np.mean(
            [
                decide(dataset="d", challenger=entry("new", 10 - d), champion=entry("old", [10.0] * FOLDS)).promoted
                for d in differences
            ]
        )
    )


def test_the_first_champion_is_promoted() -> None:
    verdict = decide(dataset="iris", challenger=entry("version 1", [1, 2]), champion=None)
    assert verdict.promoted
    assert verdict.method == "first champion"
    assert verdict.reason == "version 1 (xgboost) is the first champion: there was none to compare it with."


def test_equal_models_are_promoted_in_five_per_cent_of_draws_and_by_point_estimate_in_half() -> None:
    differences = correlated_folds(np.random.default_rng(1), 0.0, 800)
    assert 0.03 < promoted_share(differences) <= 0.06
    assert 0.45 < np.mean(differences.mean(axis=1) > 0) < 0.55


def test_a_clearly_better_challenger_is_mostly_promoted() -> None:
    assert promoted_share(correlated_folds(np.random.default_rng(2), 2.5, 200)) > 0.9


def test_a_worse_challenger_is_never_promoted() -> None:
    assert promoted_share(correlated_folds(np.random.default_rng(3), -2.0, 200)) == 0.0


def test_folds_verdict_carries_the_numbers_of_the_corrected_test() -> None:
    old, new = [1.0, 1.1, 0.9, 1.05, 0.95], [0.8, 0.85, 0.75, 0.9, 0.7]
    verdict = decide(dataset="d", challenger=entry("v2", new), champion=entry("v1", old), alpha=0.01)
    test = corrected_paired_t(np.array(old) - np.array(new), test_fraction=0.2)
    assert verdict.promoted
    assert (verdict.p_value, verdict.standard_error) == (test.p_one_sided, test.standard_error)
    assert verdict.improvement == pytest.approx(0.2)
    assert (verdict.champion, verdict.challenger, verdict.n, verdict.alpha) == ("v1", "v2", 5, 0.01)
    assert verdict.reason == (
        "v2 (xgboost) replaces v1 (xgboost): its loss is 0.200 ± 0.034 lower over 5 folds (p = 0.002, limit 0.01)."
    )


def test_a_small_improvement_stays_within_the_noise() -> None:
    verdict = decide(
        dataset="d",
        challenger=entry("v2", [0.9, 1.2, 0.8, 1.1, 0.9]),
        champion=entry("v1", [1.0, 1.1, 0.9, 1.05, 0.95]),
    )
    assert not verdict.promoted
    assert "v1 (xgboost) stays: the loss of v2 (xgboost) is" in verdict.reason
    assert "no improvement beyond the noise" in verdict.reason


def test_identical_models_change_nothing() -> None:
    same = entry("v1", [1.0, 2.0, 3.0])
    verdict = decide(dataset="d", challenger=same, champion=same)
    assert not verdict.promoted
    assert "identical losses over 3 folds" in verdict.reason


def test_a_difference_without_spread_is_no_proof() -> None:
    verdict = decide(dataset="d", challenger=entry("v2", [0.5, 0.5]), champion=entry("v1", [1.0, 1.0]))
    assert not verdict.promoted
    assert "cannot be told from noise" in verdict.reason


@pytest.mark.parametrize("folds", [[], [1.0, math.nan, 0.1], [math.inf] * 3])
def test_a_challenger_without_finite_scores_is_not_even_the_first_champion(folds: list[float]) -> None:
    for champion in (None, entry("v1", [1.0, 2.0, 3.0])):
        verdict = decide(dataset="d", challenger=entry("v2", folds), champion=champion)
        assert not verdict.promoted
        assert "no finite score on some fold" in verdict.reason


def test_a_champion_without_finite_scores_stays_since_nothing_can_be_said() -> None:
    verdict = decide(dataset="d", challenger=entry("v2", [1.0, 1.0]), champion=entry("v1", [math.nan, 2.0]))
    assert not verdict.promoted
    assert "no finite spread" in verdict.reason


def test_folds_of_another_number_are_not_paired() -> None:
    verdict = decide(dataset="d", challenger=entry("v2", [1.0]), champion=entry("v1", [1.0, 2.0]))
    assert not verdict.promoted
    assert "1 of the challenger, 2 of the champion" in verdict.reason


def test_other_splits_are_decided_on_the_rows_unseen_by_both() -> None:
    generator = np.random.default_rng(4)
    losses = generator.gamma(2.0, size=300)
    champion = entry("v1", [1.0, 2.0], "s1", losses)
    better = entry("v2", [9.0, 9.0], "s2", losses[100:] - 0.5 + generator.normal(0, 0.3, 200), first_row=100)
    verdict = decide(dataset="d", challenger=better, champion=champion)
    assert verdict.promoted
    assert (verdict.method, verdict.n) == ("paired t over holdout rows", 200)
    assert verdict.improvement == pytest.approx(0.5, abs=0.1)
    assert "per row over 200 rows" in verdict.reason


def test_rows_pair_by_id_and_not_by_position() -> None:
    losses = np.random.default_rng(5).gamma(2.0, size=100)
    champion, challenger = entry("v1", [1.0], "s1", losses), entry("v2", [1.0], "s2", losses)
    challenger.row_losses.sort_values(inplace=True)
    verdict = decide(dataset="d", challenger=challenger, champion=champion)
    assert "identical losses" in verdict.reason


def test_too_few_shared_rows_keep_the_champion_and_say_how_many_are_needed() -> None:
    champion = entry("v1", [1.0, 2.0], "s1", np.ones(50))
    challenger = entry("v2", [0.1, 0.2], "s2", np.zeros(50), first_row=31)
    verdict = decide(dataset="d", challenger=challenger, champion=champion)
    assert not verdict.promoted
    assert "only 19 rows are unseen by both models; 20 are needed" in verdict.reason


def test_equal_models_on_rows_are_promoted_in_five_per_cent_of_draws() -> None:
    generator = np.random.default_rng(6)
    champion = entry("v1", [1.0], "s1", np.zeros(60))
    promoted = [
        decide(dataset="d", challenger=entry("v2", [1.0], "s2", generator.normal(size=60)), champion=champion).promoted
        for _ in range(400)
    ]
    assert 0.02 < np.mean(promoted) <= 0.08


@pytest.mark.parametrize("champion", [None, entry("v1", [1.0, 1.2, 1.1])])
def test_a_verdict_comes_back_as_it_was_saved(tmp_path: Path, champion: GateEntry | None) -> None:
    verdict = decide(dataset="d", challenger=entry("v2", [0.5, 0.8, 0.7]), champion=champion)
    verdict.save(tmp_path)
    again = Verdict.load(tmp_path)
    assert again.to_dict() == verdict.to_dict()
    json.dumps(again.to_dict(), allow_nan=False)
    assert math.isnan(again.p_value) == (champion is None)


def test_an_evaluation_brings_its_test_rows_to_the_gate(iris: World) -> None:
    linear, constant = iris.evaluations["linear"], iris.evaluations["constant"]
    new, old = GateEntry.of(linear, version="version 2"), GateEntry.of(constant, version="version 1")
    assert list(new.row_losses.index) == list(iris.splits.index[iris.splits["part"] == "test"])
    assert new.row_losses.mean() == pytest.approx(linear.test_score)
    assert decide(dataset="iris", challenger=new, champion=old).promoted
    assert not decide(dataset="iris", challenger=old, champion=new).promoted


def ruled(new: object, old: object, **more: object) -> Verdict:
    """The verdict on a challenger with other costs than the champion's."""
    from dataclasses import replace

    challenger = replace(entry("v2", new), rule='{"a": {"b": 5.0}}')
    return decide(dataset="d", challenger=challenger, champion=replace(entry("v1", old), **more))


def test_new_costs_of_the_contract_reach_the_champion_though_losses_are_the_same() -> None:
    same = [1.0, 1.1, 0.9, 1.05, 0.95]
    verdict = ruled(same, same)
    assert verdict.promoted
    assert "v2 (xgboost) replaces v1 (xgboost): it answers by the contract's new costs" in verdict.reason
    assert not ruled(same, same, rule='{"a": {"b": 5.0}}').promoted, "with the costs of before losses decide"
    assert ruled([1.01, 1.09, 0.92, 1.04, 0.96], same).promoted, "a difference within the noise is no reason to wait"


def test_new_costs_do_not_excuse_a_worse_model() -> None:
    same = [1.0, 1.1, 0.9, 1.05, 0.95]
    verdict = ruled([1.5, 1.6, 1.45, 1.55, 1.4], same)
    assert not verdict.promoted
    assert verdict.reason.startswith("v1 (xgboost) stays: the contract's costs changed, but the loss of v2 (xgboost)")
    assert "0.500 ± 0.024 higher over 5 folds, beyond the noise" in verdict.reason
    assert not ruled([1.5] * 5, [1.0] * 5).promoted, "worse everywhere, without a spread to test"
