from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.promotion import NOISE, WORLDS, World, simulate
from ml_assets.datasets.judging import Promotion, PromotionLimits
from ml_assets.datasets.spec import Limits, Task
from ml_assets.evaluation.gate import GateEntry, decide
from ml_assets.evaluation.gate_limits import Answers
from ml_assets.evaluation.gate_slices import SliceRows, slices_of
from ml_assets.evaluation.verdict import Verdict
from ml_assets.evaluation.verdict_words import verdict_section

if TYPE_CHECKING:
    from pathlib import Path

    from evaluation_worlds import World as RealWorld

ROWS = 300


def entry(version: str, losses: object, first_row: int = 0, **more: Any) -> GateEntry:
    values = np.asarray(losses, dtype=float)
    rows = pd.Index([f"row{i}" for i in range(first_row, first_row + len(values))])
    return GateEntry(version, "xgboost", pd.Series(values, index=rows), sha256=version, **more)


def pair(gain: float = 0.0, spread: float = 0.3, rows: int = ROWS, seed: int = 0) -> tuple[GateEntry, GateEntry]:
    """A champion and a challenger whose losses are lower by `gain` on average."""
    generator = np.random.default_rng(seed)
    old = generator.gamma(2.0, size=rows)
    return entry("v1", old), entry("v2", old - gain + generator.normal(0, spread, rows))


def verdict_of(gain: float = 0.0, *, changed: dict[str, Any] | None = None, **more: Any) -> Verdict:
    champion, challenger = pair(gain)
    return decide(dataset="d", challenger=replace(challenger, **(changed or {})), champion=champion, **more)


def part(verdict: Verdict, name: str) -> Any:
    return next(one for one in verdict.parts if one.name == name)


def rows_named(column: str, name: str, first: int, last: int, *, named: bool = False) -> SliceRows:
    return SliceRows(column, name, named, pd.Index([f"row{i}" for i in range(first, last)]))


def quick(world: World, *, rows: int, noise: float, draws: int, rules: Promotion | None = None) -> Any:
    return simulate(world, rows=rows, noise=noise, draws=draws, rules=rules or Promotion(), seed=11)


def test_equal_models_are_promoted_in_at_most_five_per_cent_of_1000_draws_and_by_point_estimate_in_half() -> None:
    found = quick(WORLDS[0], rows=150, noise=NOISE, draws=1000)
    assert 0.02 < found.promoted <= 0.05
    assert found.promoted_by_point == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("world", WORLDS[1:], ids=lambda world: world.name)
def test_equal_models_are_seldom_promoted_on_heavy_tails_and_log_losses(world: World) -> None:
    assert quick(world, rows=200, noise=NOISE, draws=300).promoted <= 0.07


@pytest.mark.parametrize(
    ("world", "share", "noise", "rows"),
    [(WORLDS[0], 0.09, 0.1811, 235), (WORLDS[1], 0.05, 0.252, 1034), (WORLDS[2], 0.1, 0.3618, 723)],
    ids=[world.name for world in WORLDS],
)
def test_a_challenger_better_by_the_stated_difference_is_promoted_in_four_of_five_draws(
    world: World, share: float, noise: float, rows: int
) -> None:
    """Noise and rows are what `World.better_noise` and `World.rows_for` give for the share."""
    found = quick(world, rows=rows, noise=noise, draws=100, rules=Promotion(smallest_difference=share))
    assert found.promoted >= 0.8


def test_a_worse_challenger_is_never_promoted() -> None:
    assert not any(
        decide(dataset="d", challenger=c, champion=o).promoted for o, c in (pair(-0.2, seed=i) for i in range(50))
    )


def test_the_first_champion_is_promoted() -> None:
    verdict = decide(dataset="iris", challenger=entry("version 1", [1, 2]), champion=None)
    assert verdict.promoted
    assert verdict.method == "first champion"
    assert verdict.reason == "version 1 (xgboost) is the first champion: there was none to compare it with."


def test_the_verdict_carries_the_numbers_of_the_paired_test() -> None:
    champion, challenger = pair(0.1)
    verdict = decide(dataset="d", challenger=challenger, champion=champion, alpha=0.01)
    expected = stats.ttest_rel(champion.row_losses, challenger.row_losses, alternative="greater")
    assert verdict.promoted
    assert verdict.p_t == pytest.approx(expected.pvalue)
    assert verdict.p_value == max(verdict.p_t, verdict.p_bootstrap)
    assert verdict.improvement == pytest.approx(champion.row_losses.mean() - challenger.row_losses.mean())
    assert verdict.champion_score == pytest.approx(math.sqrt(champion.row_losses.mean()))
    assert verdict.share == pytest.approx(1 - verdict.challenger_score / verdict.champion_score)
    assert verdict.score_low < verdict.score_change < verdict.score_high
    assert (verdict.champion, verdict.challenger, verdict.n, verdict.alpha) == ("v1", "v2", ROWS, 0.01)
    assert verdict.reason.startswith("v2 (xgboost) replaces v1 (xgboost): its RMSE is 1.3")
    assert "on 300 rows unseen by both (p < 0.001, limit 0.01)" in verdict.reason


def test_a_small_improvement_stays_within_the_noise_and_the_verdict_says_what_it_could_have_seen() -> None:
    verdict = verdict_of(0.01)
    assert not verdict.promoted
    assert "v1 (xgboost) stays" in verdict.reason
    assert "no improvement beyond the noise" in verdict.reason
    assert 0.01 < verdict.detectable_share < 0.05
    assert part(verdict, "enough rows").words.startswith(
        "the smallest improvement that 300 rows show with power 0.8 is"
    )


def test_rows_pair_by_id_and_not_by_position() -> None:
    champion, challenger = pair(0.1)
    shuffled = replace(challenger, row_losses=challenger.row_losses.sort_values())
    first, again = (decide(dataset="d", challenger=one, champion=champion) for one in (challenger, shuffled))
    assert first.to_dict() == again.to_dict()


def test_one_version_is_champion_already_and_nothing_is_compared() -> None:
    champion, _ = pair()
    verdict = decide(dataset="d", challenger=champion, champion=champion)
    assert (verdict.promoted, verdict.method, verdict.is_same_model) == (False, "same model", True)
    assert "is the champion already" in verdict.reason


def test_identical_models_of_two_versions_cannot_be_told_apart() -> None:
    champion, _ = pair()
    verdict = decide(dataset="d", challenger=replace(champion, version="v2"), champion=champion)
    assert not verdict.promoted
    assert part(verdict, "better overall").state == "cannot be said"
    assert "its losses and the champion's are identical on all 300 rows" in verdict.reason


def test_a_difference_without_spread_is_no_proof() -> None:
    champion, _ = pair()
    verdict = decide(
        dataset="d", challenger=replace(champion, version="v2", row_losses=champion.row_losses - 0.5), champion=champion
    )
    assert not verdict.promoted
    assert "no spread, so it cannot be told from noise" in verdict.reason


@pytest.mark.parametrize("side", ["champion", "challenger"])
def test_predictions_that_are_not_finite_keep_the_champion_and_are_counted(side: str) -> None:
    sides = dict(zip(("champion", "challenger"), pair(0.2), strict=True))
    losses = sides[side].row_losses.copy()
    losses.iloc[:3] = math.nan
    sides[side] = replace(sides[side], row_losses=losses)
    verdict = decide(dataset="d", challenger=sides["challenger"], champion=sides["champion"])
    assert not verdict.promoted
    assert "has no finite prediction for 3 of 300 unseen rows" in verdict.reason


def test_a_challenger_without_finite_predictions_is_not_even_the_first_champion() -> None:
    verdict = decide(dataset="d", challenger=entry("v1", [1.0, math.nan]), champion=None)
    assert not verdict.promoted
    assert verdict.reason == "nothing is promoted: v1 (xgboost) has no finite prediction for 1 of 2 unseen rows."


def test_constant_predictions_never_replace_a_champion() -> None:
    verdict = verdict_of(0.5, changed={"is_constant": True})
    assert not verdict.promoted
    assert "says the same of all 300 rows" in verdict.reason
    first = decide(dataset="d", challenger=entry("v1", [1.0, 2.0], is_constant=True), champion=None)
    assert first.promoted
    assert first.notes == ("v1 (xgboost) says the same of every row: nothing was learned",)


def test_a_champion_that_cannot_be_asked_stays_and_the_reason_names_the_column() -> None:
    champion, challenger = pair(0.5)
    old = replace(champion, unscorable="it takes column 'rooms', which today's table does not have")
    verdict = decide(dataset="d", challenger=challenger, champion=old)
    assert not verdict.promoted
    assert "v1 (xgboost) cannot be asked about today's rows: it takes column 'rooms'" in verdict.reason


def test_too_few_shared_rows_keep_the_champion_and_say_how_many_are_needed() -> None:
    verdict = decide(dataset="d", challenger=entry("v2", np.zeros(50), first_row=31), champion=entry("v1", np.ones(50)))
    assert not verdict.promoted
    assert "only 19 rows are unseen by both models, and 20 are needed" in verdict.reason


def test_rows_left_out_of_the_comparison_are_told() -> None:
    champion, challenger = pair(0.2)
    verdict = decide(
        dataset="d", challenger=challenger, champion=replace(champion, row_losses=champion.row_losses[40:])
    )
    assert verdict.n == ROWS - 40
    assert verdict.notes[0].startswith("40 test rows were left out")


def test_a_test_set_too_small_for_the_asked_power_refuses_even_a_significant_improvement() -> None:
    assert verdict_of(0.1).promoted
    verdict = verdict_of(0.1, rules=Promotion(smallest_difference=0.001))
    assert not verdict.promoted
    assert part(verdict, "better overall").state == "passed"
    assert part(verdict, "enough rows").state == "cannot be said"
    assert "the contract asks to see 0.1 %: there are too few test rows" in verdict.reason
    assert verdict_of(0.1, rules=Promotion(smallest_difference=0.1)).promoted
    assert not verdict_of(0.1, rules=Promotion(smallest_absolute_difference=0.001)).promoted


def test_rows_of_one_group_are_no_independent_evidence() -> None:
    generator = np.random.default_rng(3)
    names = [f"group{i // 10}" for i in range(ROWS)]
    old = generator.gamma(2.0, size=ROWS)
    shift = np.repeat(generator.normal(0.15, 0.5, ROWS // 10), 10)
    champion, challenger = entry("v1", old), entry("v2", old - shift)
    clusters = pd.Series(names, index=champion.row_losses.index)
    alone = decide(dataset="d", challenger=challenger, champion=champion)
    together = decide(dataset="d", challenger=challenger, champion=champion, clusters=clusters)
    assert (alone.clusters, together.clusters, together.n) == (ROWS, 30, ROWS)
    assert together.standard_error > 2 * alone.standard_error
    few = pd.Series([f"group{i % 7}" for i in range(ROWS)], index=clusters.index)
    assert "only 7 groups of rows" in decide(dataset="d", challenger=challenger, champion=champion, clusters=few).reason


def test_a_better_model_that_is_worse_on_a_slice_is_refused_and_the_slice_is_named() -> None:
    champion, challenger = pair(0.4)
    losses = challenger.row_losses.copy()
    losses.iloc[:40] += 1.5
    slices = [rows_named("coast", "north", 0, 40), rows_named("coast", "south", 40, ROWS)]
    worse = replace(challenger, row_losses=losses)
    assert decide(dataset="d", challenger=worse, champion=champion).promoted
    verdict = decide(dataset="d", challenger=worse, champion=champion, slices=slices)
    assert not verdict.promoted
    assert [one.state for one in verdict.slices] == ["worse", "no worse"]
    assert "worse by more than 5.0 %, beyond the noise, on coast north" in verdict.reason


def test_the_noise_of_many_small_slices_keeps_no_better_model_out() -> None:
    slices = [rows_named("label", str(i), 12 * i, 12 * i + 12) for i in range(ROWS // 12)]
    promoted = [
        decide(dataset="d", challenger=new, champion=old, slices=slices).promoted
        for old, new in (pair(0.25, spread=1.0, seed=i) for i in range(60))
    ]
    assert np.mean(promoted) > 0.9


def test_of_a_slice_with_three_rows_nothing_is_said_and_a_named_one_refuses() -> None:
    tiny = rows_named("coast", "island", 0, 3, named=True)
    verdict = verdict_of(0.2, slices=[tiny])
    assert not verdict.promoted
    assert verdict.slices[0].state == "too few rows"
    assert "whether it is worse cannot be said of coast island (3 rows): too few rows" in verdict.reason
    assert verdict_of(0.2, slices=[replace(tiny, named=False)]).promoted
    assert verdict_of(0.2, slices=[tiny], rules=Promotion(unclear_slices="report")).promoted
    strict = Promotion(unclear_slices="refuse")
    assert not verdict_of(0.2, slices=[replace(tiny, named=False)], rules=strict).promoted


def test_a_slice_in_which_even_an_equal_model_would_be_shown_no_worse_has_to_be_shown_so() -> None:
    champion, challenger = pair(0.0, spread=0.01)
    losses = challenger.row_losses.copy()
    losses.iloc[:100] *= 1.0 + 0.1025 * 1.004
    slices = [rows_named("coast", "north", 0, 100)]
    verdict = decide(dataset="d", challenger=replace(challenger, row_losses=losses), champion=champion, slices=slices)
    assert verdict.slices[0].state == "not shown"
    assert part(verdict, "no slice worse").state == "failed"


def test_limits_keep_out_what_breaks_them_and_what_was_not_measured() -> None:
    rules, limits = Promotion(limits=PromotionLimits(largest_ece=0.1, smallest_coverage=0.85)), Limits(megabytes=10)
    good = {"megabytes": 3.0, "ece": 0.05, "coverage": 0.9}
    assert verdict_of(0.2, rules=rules, limits=limits, changed={"measured": good}).promoted
    broken = verdict_of(0.2, rules=rules, limits=limits, changed={"measured": {**good, "ece": 0.2}})
    assert not broken.promoted
    assert "expected calibration error: 0.200, and the limit is at most 0.1" in broken.reason
    unsaid = verdict_of(0.2, rules=rules, limits=limits, changed={"measured": {**good, "coverage": math.nan}})
    assert not unsaid.promoted
    assert "coverage of 90 % intervals: not measured, and the limit is 0.85" in unsaid.reason
    first = decide(
        dataset="d", challenger=entry("v1", [1.0, 2.0], measured={"megabytes": 30.0}), champion=None, limits=limits
    )
    assert not first.promoted
    assert first.reason.startswith(
        "nothing is promoted: v1 (xgboost) is the first, but megabytes of the stored model: 30"
    )


def test_a_champion_over_a_limit_gives_way_to_a_challenger_that_is_no_worse() -> None:
    limits = Limits(megabytes=10)
    champion, challenger = pair(0.0, seed=4)
    champion, challenger = (
        replace(champion, measured={"megabytes": 30.0}),
        replace(challenger, measured={"megabytes": 3.0}),
    )
    verdict = decide(dataset="d", challenger=challenger, champion=champion, limits=limits)
    assert verdict.promoted
    assert "v1 (xgboost) breaks a limit of the contract" in verdict.reason
    heavy = decide(
        dataset="d", challenger=replace(challenger, measured={"megabytes": 40.0}), champion=champion, limits=limits
    )
    assert not heavy.promoted
    assert heavy.breaches == ("megabytes of the stored model: 30.0, and the limit is at most 10",)


def test_looks_are_told_and_share_the_significance_where_the_contract_says_so() -> None:
    many = verdict_of(0.05, looks=20)
    assert "20 challengers were judged on these test rows" in many.notes[0]
    assert "64.2 %" in many.notes[0]
    shared = verdict_of(0.05, looks=20, rules=Promotion(looks="correct"))
    assert (many.alpha, shared.alpha) == (0.05, 0.0025)
    assert shared.detectable > many.detectable


def ruled(gain: float, *, rule: str = "") -> Verdict:
    champion, challenger = pair(gain, spread=0.05)
    return decide(
        dataset="d", challenger=replace(challenger, rule='{"a": {"b": 5.0}}'), champion=replace(champion, rule=rule)
    )


def test_new_costs_of_the_contract_reach_the_champion_unless_the_model_is_worse() -> None:
    verdict = ruled(0.0)
    assert verdict.promoted
    assert "v2 (xgboost) replaces v1 (xgboost): it answers by the contract's new costs" in verdict.reason
    assert not ruled(0.0, rule='{"a": {"b": 5.0}}').promoted, "with the costs of before losses decide"
    worse = ruled(-0.1)
    assert not worse.promoted
    assert "though it answers by the contract's new costs" in worse.reason
    assert "beyond the noise" in worse.reason


def test_identical_losses_with_new_costs_are_no_worse() -> None:
    champion, _ = pair()
    challenger = replace(champion, version="v2", rule='{"a": {"b": 5.0}}')
    assert decide(dataset="d", challenger=challenger, champion=champion).promoted


@pytest.mark.parametrize("first", [True, False])
def test_a_verdict_comes_back_as_it_was_saved(tmp_path: Path, first: bool) -> None:
    champion, challenger = pair(0.1)
    verdict = decide(
        dataset="d",
        challenger=replace(challenger, measured={"megabytes": 1.0}),
        champion=None if first else champion,
        slices=[rows_named("coast", "north", 0, 40)],
        limits=Limits(megabytes=10),
        inputs={"data": "d" * 64},
    )
    verdict.save(tmp_path)
    again = Verdict.load(tmp_path)
    assert again.to_dict() == verdict.to_dict()
    json.dumps(again.to_dict(), allow_nan=False)
    assert math.isnan(again.p_value) == first


def test_a_verdict_of_before_is_read_without_what_it_did_not_have() -> None:
    old = {
        "dataset": "iris",
        "promoted": False,
        "method": "corrected paired t over folds",
        "reason": "version 1 stays",
        "challenger": "version 2",
        "champion": "version 1",
        "improvement": 0.1,
        "standard_error": None,
        "p_value": None,
        "alpha": 0.05,
        "n": 5,
    }
    verdict = Verdict.of(old)
    assert math.isnan(verdict.detectable)
    assert verdict_section(verdict).paragraphs == ("Version 1 stays.",)


def test_the_verdict_is_told_in_words_and_tables() -> None:
    verdict = verdict_of(0.1, slices=[rows_named("coast", "north", 0, 100)], inputs={"data": "d" * 64})
    section = verdict_section(verdict)
    assert section.key == "verdict"
    assert section.paragraphs[0].startswith("V2 (xgboost) replaces v1 (xgboost)")
    assert "With 300 rows the gate promotes a challenger that is truly" in section.paragraphs[-1]
    captions = [table.caption.split(",")[0] for table in section.tables]
    assert captions[0] == "What the gate asked of the challenger"
    assert all(table.rows for table in section.tables)
    assert len({len(row) for row in section.tables[2].rows} | {len(section.tables[2].header)}) == 1


def test_real_models_are_compared_on_their_test_rows(iris: RealWorld) -> None:
    linear, constant = (Answers.of(iris.evaluations[name]) for name in ("linear", "constant"))
    new = GateEntry.of(linear, version="version 2", family="linear", sha256="2")
    old = GateEntry.of(constant, version="version 1", family="constant", sha256="1")
    assert list(new.row_losses.index) == list(iris.splits.index[iris.splits["part"] == "test"])
    assert new.row_losses.mean() == pytest.approx(iris.evaluations["linear"].test_score)
    assert old.is_constant
    slices = slices_of(iris.spec, iris.table.loc[new.row_losses.index])
    assert sorted(one.name for one in slices) == sorted(iris.table["species"].unique())
    told: dict[str, Any] = {"dataset": "iris", "task": Task.CLASSIFICATION, "slices": slices}
    assert decide(challenger=new, champion=old, **told).promoted
    assert not decide(challenger=old, champion=new, **told).promoted


def test_slices_are_those_of_sensitive_columns_where_there_are_any(california: RealWorld) -> None:
    found = slices_of(california.spec, california.table)
    assert {(one.column, one.named) for one in found} == {("coast", True)}
    named = california.spec.model_copy(update={"promotion": Promotion(slices=("households",))})
    assert {one.column for one in slices_of(named, california.table)} == {"coast", "households"}
