import dataclasses
import math
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from process_tree import Process, below
from search_worlds import forget_families, problem, training_rows, with_families, write_family

from ml_assets.errors import SettingError, StorageError, TrainingError
from ml_assets.evaluation.metrics import fold_scores
from ml_assets.families import family_names, load_family
from ml_assets.learning import pool, race
from ml_assets.learning.left_out import LeftOut
from ml_assets.learning.memory import memory_for_each
from ml_assets.learning.race import Budget, Progress
from ml_assets.learning.search import search
from ml_assets.learning.search_result import SearchResult
from ml_assets.learning.worker import TrainingRows

SLACK = 6.0
"""Seconds beyond a budget: loading libraries in the workers and ending them, on a busy machine."""

MakeFamily = Callable[..., TrainingRows]


@pytest.fixture
def iris() -> TrainingRows:
    return training_rows("iris")


@pytest.fixture
def made_family(tmp_path: Path, iris: TrainingRows) -> Iterator[MakeFamily]:
    """Makes a family called `made` that runs the statements given; returns iris for a search of it."""
    folder = tmp_path / "families"

    def make(**statements: str) -> TrainingRows:
        write_family(folder, "made", **statements)
        return with_families(iris, folder)

    yield make
    forget_families(str(folder))


def _out_of_fold_scores(rows: TrainingRows, result: SearchResult) -> list[float]:
    return [
        score
        for said, folds in zip((result.oof, *result.repeated), rows.repeats, strict=True)
        for score in fold_scores(rows.spec.task, rows.target, said, folds, rows.classes)
    ]


def test_every_family_has_a_score_within_the_budget_and_its_predictions_give_it(
    iris: TrainingRows, tmp_path: Path
) -> None:
    seen: list[Progress] = []
    started = time.monotonic()
    results = search(iris, family_names(), budget=Budget(40), workers=2, folder=tmp_path / "s", report=seen.append)
    assert time.monotonic() - started < 40 + SLACK
    assert list(results) == list(family_names())
    for family, result in results.items():
        assert result.family == family
        assert list(result.fold_scores) == pytest.approx(_out_of_fold_scores(iris, result))
        assert result.score < math.log(3), "worse than guessing"
        assert result.score == pytest.approx(min(t.score for t in result.trials if t.score is not None))
        assert result.row_ids == tuple(iris.table.index)
        assert result.trials[0].number == 0
    assert set(seen[-1].best) == set(family_names())
    assert seen[-1].trials <= sum(len(r.trials) for r in results.values())


def test_a_regression_is_searched_too(tmp_path: Path) -> None:
    rows = training_rows("california_housing", 1500)
    budget = Budget(60, trials=2)
    results = search(rows, ["linear", "xgboost"], budget=budget, workers=2, folder=tmp_path / "s")
    for result in results.values():
        assert [t.number for t in result.trials] == [0, 1]
        assert list(result.fold_scores) == pytest.approx(_out_of_fold_scores(rows, result))
        assert result.score < rows.target.std()
        assert result.classes == ()


def test_test_rows_never_reach_a_worker(made_family: MakeFamily, tmp_path: Path) -> None:
    rows = made_family(
        fit=f"Path(r'{tmp_path}/fit.txt').open('a').write(' '.join(X.index) + '\\n')",
        predict=f"Path(r'{tmp_path}/predict.txt').open('a').write(' '.join(X.index) + '\\n')\n"
        "        return np.full((len(X), 3), 1 / 3)",
    )
    search(rows, ["made"], budget=Budget(60, trials=2), workers=2, folder=tmp_path / "s")
    splits = problem("iris")[2]
    test_rows = set(splits.index[splits["part"] == "test"])
    fitted = [set(line.split()) for line in (tmp_path / "fit.txt").read_text().splitlines()]
    held_out = [set(line.split()) for line in (tmp_path / "predict.txt").read_text().splitlines()]
    assert len(fitted) == len(held_out) >= rows.spec.folds
    assert not test_rows & set().union(*fitted, *held_out)
    assert set().union(*held_out) == set(rows.table.index)
    assert len(set().union(*fitted)) == len(rows.table)


def test_a_setting_that_raises_is_told_and_the_search_goes_on(made_family: MakeFamily, tmp_path: Path) -> None:
    rows = made_family(fit="if self.x > 0.5: raise ValueError('x is too large')")
    result = search(rows, ["made"], budget=Budget(60, trials=8), workers=2, folder=tmp_path / "s")["made"]
    failed = [t for t in result.trials if t.state == "FAIL"]
    assert failed
    assert {t.reason for t in failed} == {"ValueError: x is too large"}
    assert len(result.trials) == 8
    assert result.score == pytest.approx(math.log(3))


def test_a_worker_that_dies_costs_its_trial_only(made_family: MakeFamily, tmp_path: Path) -> None:
    rows = made_family(fit="if self.x > 0.5: os._exit(3)")
    result = search(rows, ["made"], budget=Budget(60, trials=5), workers=2, folder=tmp_path / "s")["made"]
    assert any(t.state == "FAIL" and "ProcessExpired" in t.reason for t in result.trials)
    assert len(result.trials) == 5


def test_predictions_that_are_no_numbers_never_win(made_family: MakeFamily, tmp_path: Path) -> None:
    rows = made_family(predict="return np.full((len(X), 3), 1 / 3 if self.x == 0 else np.nan)")
    result = search(rows, ["made"], budget=Budget(60, trials=3), workers=1, folder=tmp_path / "s")["made"]
    assert [t.state for t in result.trials] == ["COMPLETE", "FAIL", "FAIL"]
    assert result.params == {"x": 0.0}


def test_a_family_whose_first_setting_raises_is_left_out_and_the_race_goes_on(
    made_family: MakeFamily, tmp_path: Path
) -> None:
    rows = made_family(fit="raise ValueError('never works')")
    results = search(rows, ["made", "linear"], budget=Budget(60, trials=2), workers=2, folder=tmp_path / "s")
    assert isinstance(results["linear"], SearchResult)
    assert isinstance(results["made"], LeftOut)
    assert (results["made"].reason, results["made"].failed) == ("ValueError: never works", True)
    assert [t.state for t in results["made"].trials] == ["FAIL"]


def test_a_search_in_which_no_family_works_names_each_with_its_reason(made_family: MakeFamily, tmp_path: Path) -> None:
    rows = made_family(fit="raise ValueError('never works')")
    with pytest.raises(TrainingError, match=r"iris: no family gave a model \(made: ValueError: never works\); give it"):
        search(rows, ["made"], budget=Budget(60), workers=2, folder=tmp_path / "s")


def test_a_fit_that_eats_memory_fails_alone(
    made_family: MakeFamily, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "memory_for_each", lambda workers: 400 * 2**20)
    rows = made_family(fit="if self.x > 0: np.ones(2**27)")
    result = search(rows, ["made"], budget=Budget(60, trials=2), workers=1, folder=tmp_path / "s")["made"]
    assert [t.state for t in result.trials] == ["COMPLETE", "FAIL"]
    assert "MemoryError" in result.trials[1].reason


def test_workers_share_the_memory_that_is_free() -> None:
    one, two = memory_for_each(1), memory_for_each(2)
    assert one is not None
    assert two is not None
    assert 0 < two < one


def test_a_setting_that_hangs_is_killed_when_the_budget_ends(made_family: MakeFamily, tmp_path: Path) -> None:
    rows = made_family(fit="if self.x > 0: time.sleep(600)")
    started = time.monotonic()
    result = search(rows, ["made"], budget=Budget(4), workers=2, folder=tmp_path / "s")["made"]
    assert time.monotonic() - started < 4 + SLACK
    assert {(t.state, t.reason) for t in result.trials[1:]} == {("PRUNED", "out of time")}


def test_a_first_setting_that_hangs_is_killed_and_the_others_have_a_model_in_time(
    made_family: MakeFamily, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(race, "HANG_SECONDS", 2.0)
    rows = made_family(fit="time.sleep(600)")
    started = time.monotonic()
    results = search(rows, ["made", "linear"], budget=Budget(8), workers=1, folder=tmp_path / "s")
    assert time.monotonic() - started < 8 + SLACK
    assert isinstance(results["linear"], SearchResult)
    assert isinstance(results["made"], LeftOut)
    assert "a fit with its first setting took more than" in results["made"].reason


def test_a_budget_too_small_for_any_fit_ends_in_a_clear_error_soon(made_family: MakeFamily, tmp_path: Path) -> None:
    rows = made_family(fit="time.sleep(600)")
    started = time.monotonic()
    told = r"no family gave a model \(made: .*\); give it more time with --budget"
    with pytest.raises(TrainingError, match=told):
        search(rows, ["made"], budget=Budget(1), workers=1, folder=tmp_path / "s")
    assert time.monotonic() - started < 1 + SLACK


def test_the_same_seed_and_trials_give_the_same_results_with_any_number_of_workers(
    iris: TrainingRows, tmp_path: Path
) -> None:
    families, budget = ["linear", "svm", "extra_trees"], Budget(trials=7)

    def found(rows: TrainingRows, name: str, workers: int) -> list[tuple[dict[str, object], str, float | None]]:
        results = search(rows, families, budget=budget, workers=workers, folder=tmp_path / name)
        return [(dict(t.params), t.state, t.score) for f in families for t in results[f].trials]

    once = found(iris, "a", 1)
    assert found(iris, "b", 2) == once
    assert found(dataclasses.replace(iris, seed=1), "c", 2) != once
    assert len(once) == 21


def test_the_portfolio_comes_first(iris: TrainingRows, tmp_path: Path) -> None:
    result = search(iris, ["linear"], budget=Budget(trials=4), workers=1, folder=tmp_path / "s")["linear"]
    portfolio = load_family("linear").portfolio(iris.shape)
    assert [dict(t.params) for t in result.trials[: len(portfolio)]] == [dict(params) for params in portfolio]


def test_on_a_large_table_the_race_leaves_out_what_it_cannot_afford(tmp_path: Path) -> None:
    rows = training_rows("california_housing", 6000)
    families = ["linear", "random_forest", "hist_gradient_boosting"]
    started = time.monotonic()
    results = search(rows, families, budget=Budget(8), workers=2, folder=tmp_path / "s")
    assert time.monotonic() - started < 8 + SLACK
    assert isinstance(results["linear"], SearchResult)
    left_out = [found for found in results.values() if isinstance(found, LeftOut)]
    told = ("would have taken about", "was not through", "no time was left", "took more than")
    assert all(any(words in found.reason for words in told) for found in left_out), left_out
    assert not (tmp_path / "s" / "features").exists(), "what workers shared is cleared away"


def test_a_search_that_ended_starts_anew(iris: TrainingRows, tmp_path: Path) -> None:
    folder = tmp_path / "searches" / "a"
    for _ in range(2):
        results = search(iris, ["linear"], budget=Budget(60, trials=2), workers=1, folder=folder)
        assert [t.number for t in results["linear"].trials] == [0, 1]
    search(iris, ["linear"], budget=Budget(60, trials=1), workers=1, folder=tmp_path / "searches" / "b")
    assert not folder.exists(), "what ended is cleared away by the next search"


def test_trials_alone_limit_a_search_too() -> None:
    assert Budget(trials=3).seconds == math.inf


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf])
def test_a_budget_that_makes_no_sense_is_refused(seconds: float) -> None:
    with pytest.raises(SettingError, match="give a number above 0"):
        Budget(seconds)


@pytest.mark.parametrize("trials", [0, -3])
def test_a_number_of_trials_that_makes_no_sense_is_refused(trials: int) -> None:
    with pytest.raises(SettingError, match="give 1 or more"):
        Budget(1, trials)


def test_a_journal_that_cannot_be_written_is_an_error_with_a_remedy(iris: TrainingRows, tmp_path: Path) -> None:
    (tmp_path / "s").write_text("")
    with pytest.raises(StorageError, match="a file is where a folder should be"):
        search(iris, ["linear"], budget=Budget(5), workers=1, folder=tmp_path / "s")


@pytest.mark.parametrize("workers", [1, 2])
def test_processes_and_threads_stay_within_what_was_given_and_none_is_left(
    iris: TrainingRows, tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    most_workers, most_threads = [0], [0]
    servers = {p.parent for p in below(os.getpid())} - {os.getpid()}  # which fixtures of the session keep running

    def ours() -> list[Process]:
        return [p for p in below(os.getpid()) if not {p.pid, p.parent} & servers]

    def look(_: Progress) -> None:
        tree = ours()
        fork_servers = {p.pid for p in tree if p.parent == os.getpid()}
        fits = [p for p in tree if p.parent in fork_servers and p.state != "Z"]
        most_workers[0] = max(most_workers[0], len(fits))
        most_threads[0] = max(most_threads[0], *(p.threads for p in fits))

    budget = Budget(60, trials=1)
    search(iris, family_names(), budget=budget, workers=workers, folder=tmp_path / "s", report=look)
    assert most_workers == [workers]
    assert most_threads == [2], "the one that fits, and the one that sleeps until the parent ends"
    left = ours()
    assert not [p for p in left if p.parent != os.getpid()]
    assert not [p for p in left if p.state == "Z"]


def test_out_of_fold_predictions_are_of_rows_the_model_did_not_see(made_family: MakeFamily, tmp_path: Path) -> None:
    rows = made_family(
        fit="self.seen_ = set(X.index)",
        predict="assert not self.seen_ & set(X.index)\n        return np.full((len(X), 3), 1 / 3)",
    )
    result = search(rows, ["made"], budget=Budget(60, trials=1), workers=1, folder=tmp_path / "s")["made"]
    np.testing.assert_allclose(result.oof, 1 / 3)
