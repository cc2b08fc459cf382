import pickle
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from search_worlds import training_rows
from sklearn.ensemble import ExtraTreesRegressor

from ml_assets.learning.family_search import FamilySearch
from ml_assets.learning.journal import BestTrial, SearchJournal, TrialRecord
from ml_assets.learning.race import Budget, Race
from ml_assets.learning.search_result import Trial
from ml_assets.learning.worker import Probe, TrainingRows, megabytes

FAMILIES = ("linear", "hist_gradient_boosting", "xgboost", "extra_trees")


@pytest.fixture(scope="module")
def houses() -> TrainingRows:
    return training_rows("california_housing", 6000)


@pytest.fixture
def race(houses: TrainingRows, tmp_path: Path) -> Callable[..., Race]:
    """A race that nobody runs: fits are not needed to ask it whose turn it is."""

    def make(seconds: float, *others: str) -> Race:
        searches = [FamilySearch(name, houses, SearchJournal(tmp_path)) for name in (*FAMILIES, *others)]
        return Race(houses, searches, Budget(seconds), 2, started=time.monotonic())

    return make


def _probed(race: Race, probes: dict[str, Probe]) -> list[str]:
    for family in race.searches:
        race._collect_probe(family, probes[family.family], None)
    return [family.family for family in race.order]


def test_after_the_cheapest_comes_the_leader_on_the_probe(race: Callable[..., Race]) -> None:
    seconds = {"linear": 0.01, "hist_gradient_boosting": 0.2, "xgboost": 0.1, "extra_trees": 0.4}
    scores = {"linear": 0.7, "hist_gradient_boosting": 0.6, "xgboost": 0.6, "extra_trees": 0.5}
    probes = {name: Probe(scores[name], seconds[name]) for name in FAMILIES}
    assert _probed(race(60), probes) == ["linear", "extra_trees", "xgboost", "hist_gradient_boosting"]
    probes["extra_trees"] = Probe(0.5, 40.0)
    assert _probed(race(60), probes)[-1] == "extra_trees", "a leader that would take most of the time waits its turn"


def test_a_family_that_learns_from_few_of_the_rows_comes_last_and_may_take_little(race: Callable[..., Race]) -> None:
    probes = {name: Probe(0.7, 0.5) for name in FAMILIES} | {"gaussian_process": Probe(0.4, 1.0)}
    running = race(60, "gaussian_process")
    assert _probed(running, probes)[-1] == "gaussian_process", "though it leads on a sample, and is cheap"
    last = running.searches[-1]
    assert last.is_for_fewer_rows
    first = Trial(0, {}, "COMPLETE", 0.7, 1.0, 1.0)
    running.searches[0].ended.append(first)
    running.searches[0].best = BestTrial(TrialRecord(first, (), {}, {}), np.full(5, 0.7), np.zeros(6000))
    costly = 0.2 * running.left * running.workers / (len(running.folds) + 1.5)
    last.probe = Probe(0.4, costly)
    assert not running._can_afford(last)
    last.probe = Probe(0.4, costly / 2)
    assert running._can_afford(last)
    running.searches[1].probe = Probe(0.7, costly)
    assert running._can_afford(running.searches[1]), "nor is it the one that others are measured by"


def test_a_large_model_leaves_less_time_for_searching(houses: TrainingRows, tmp_path: Path) -> None:
    family = FamilySearch("extra_trees", houses, SearchJournal(tmp_path))
    race = Race(houses, [family], Budget(60, each_model=1.0, each_megabyte=0.05), 2, started=time.monotonic())
    family.probe = Probe(0.5, 0.1, megabytes=10.0)
    rows = len(houses.table) * 0.8
    assert family.megabytes == pytest.approx(10.0 * rows / 1000), "a forest grows with its rows"
    boosted = FamilySearch("xgboost", houses, SearchJournal(tmp_path))
    boosted.probe = family.probe
    assert boosted.megabytes == 10.0, "boosted trees do not"
    light = race._needed(family)
    family.probe = Probe(0.5, 0.1, megabytes=20.0)
    assert race._needed(family) - light == pytest.approx(0.05 * family.megabytes / 2 * race.workers)
    trial = Trial(0, {}, "COMPLETE", 0.5, 1.0, 1.0)
    record, scores, oof = TrialRecord(trial, (), {}, {}), np.full(5, 0.5), np.zeros(len(houses.table))
    family.best = BestTrial(record, scores, oof)
    light = race._final_seconds()
    family.journal.keep_best("extra_trees", BestTrial(record, scores, oof, megabytes=60.0))
    family.best = FamilySearch("extra_trees", houses, SearchJournal(tmp_path)).best
    assert race._final_seconds() - light == pytest.approx(0.05 * 60.0), "also where the search goes on from its journal"


def test_the_size_of_a_model_is_what_storing_it_writes() -> None:
    forest = ExtraTreesRegressor(20).fit(np.arange(400.0).reshape(-1, 2), np.arange(200.0))
    assert megabytes(forest) == pytest.approx(len(pickle.dumps(forest, protocol=pickle.HIGHEST_PROTOCOL)) / 1e6)


def test_a_family_behind_gets_time_by_what_it_counts_in_the_ensemble(
    race: Callable[..., Race], houses: TrainingRows
) -> None:
    rng = np.random.default_rng(0)
    running = race(600)
    truth = houses.target.astype(np.float64)
    own, shared = rng.normal(size=len(truth)), rng.normal(size=len(truth))
    guesses = {
        "extra_trees": truth + 1.0 * shared,
        "xgboost": truth + 1.1 * own,
        "hist_gradient_boosting": truth + 1.1 * shared,
        "linear": truth + 5.0 * shared,
    }
    for family in running.searches:
        errors = guesses[family.family] - truth
        scores = np.array([np.sqrt(np.mean(errors[houses.fold == k] ** 2)) for k in family.folds])
        record = TrialRecord(Trial(0, {}, "COMPLETE", float(scores.mean()), 1.0, 1.0), (), {}, {})
        family.best = BestTrial(record, scores, guesses[family.family])
        family.ended.append(record.trial)
        family.fits, family.spent = 5, 10.0 if family.family == "extra_trees" else 4.0
    due = running._due()
    assert due is not None
    assert due.family == "xgboost"
