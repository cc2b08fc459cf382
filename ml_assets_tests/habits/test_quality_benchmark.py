"""A tiny version of `make bench-quality`: what it measures, how it ranks, and that a stopped run goes on."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.quality.__main__ import main
from benchmarks.quality.measure import Limits, log_loss, root_mean_squared_error
from benchmarks.quality.ranks import duel, holm, ranks
from benchmarks.quality.records import Record, Status, append, read
from benchmarks.quality.report import duels, errors_by_table, mean_ranks, page
from benchmarks.quality.splits import draw, treatments
from benchmarks.quality.systems import PEERS, SYSTEMS
from benchmarks.quality.tables import OWN_OR_SCIKIT_LEARN, TABLES, Table, load
from ml_assets_tests.commands import CHECKOUT, eventually

INFINITE = math.inf


def record(system: str, seed: int, score: float | None, status: Status = "ok", table: str = "iris") -> Record:
    return Record(
        system=system,
        table=table,
        task="classification",
        unit="nats",
        duplicates="in",
        seed=seed,
        budget=5.0,
        cores=2,
        reserve=0.0,
        rows=120,
        test_rows=30,
        status=status,
        score=score,
        fit_seconds=1.0,
        predict_seconds=0.5,
        message="",
        date="2026-01-02",
        versions={"python": "3.11.7"},
    )


def words(folder: Path, *, systems: str, tables: str, splits: int = 1) -> list[str]:
    return [
        *("--this-interpreter", "--budget", "5", "--splits", str(splits), "--duplicates", "in"),
        *("--systems", systems, "--tables", tables),
        *("--results", str(folder / "results.jsonl"), "--report", str(folder / "page.md")),
    ]


def test_this_project_and_scikit_learn_are_measured_alike(tmp_path: Path) -> None:
    main(words(tmp_path, systems="ml_assets,linear", tables="iris"), today=lambda: dt.date(2026, 1, 2))
    ours, theirs = read(tmp_path / "results.jsonl")
    assert (ours.system, theirs.system) == ("ml_assets", "linear")
    for one in (ours, theirs):
        assert (one.rows, one.test_rows, one.date) == (120, 30, "2026-01-02")
        assert one.status in {"ok", "overrun"}, one.message
        assert one.score is not None
        assert 0 < one.score < 1
        assert one.fit_seconds > one.predict_seconds > 0
    assert set(ours.versions) >= {"python", "ml-assets", "xgboost"}
    written = (tmp_path / "page.md").read_text()
    assert "2026-01-02, by `python -m benchmarks.quality --this-interpreter" in written
    assert "| iris | log loss, nats |" in written


def test_a_run_that_was_stopped_goes_on_and_measures_nothing_twice(tmp_path: Path) -> None:
    command = words(tmp_path, systems="linear,hist_gradient_boosting", tables="iris,diabetes")
    results = tmp_path / "results.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.quality", *command],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        stdout=subprocess.DEVNULL,
    )
    eventually(lambda: read(results), seconds=60, what="a first result")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 143
    before = read(results)
    assert 0 < len(before) < 4
    with results.open("a") as lines:
        lines.write('{"system": "linear", "tab')
    main(command)
    after = read(results)
    assert after[: len(before)] == before
    assert sorted((one.table, one.system) for one in after) == [
        ("diabetes", "hist_gradient_boosting"),
        ("diabetes", "linear"),
        ("iris", "hist_gradient_boosting"),
        ("iris", "linear"),
    ]
    assert {one.status for one in after} <= {"ok", "overrun"}
    main(command)
    assert read(results) == after


def test_ranks_share_ties_and_put_failures_last() -> None:
    assert ranks({"a": 2.0, "b": 1.0, "c": 2.0, "d": INFINITE}) == {"a": 2.5, "b": 1.0, "c": 2.5, "d": 4.0}
    assert ranks({"a": INFINITE, "b": INFINITE}) == {"a": 1.5, "b": 1.5}


def test_five_wins_of_five_have_the_p_value_of_two_sides_in_thirty_two() -> None:
    found = duel([1.0, 1.0, 1.0, 1.0, 1.0], [1.1, 1.2, 1.3, 1.4, INFINITE])
    assert (found.wins, found.ties, found.losses, found.rate) == (5, 0, 0, 1.0)
    assert found.p_value == pytest.approx(2 / 32)


def test_a_largest_loss_after_five_wins_has_the_p_value_of_its_rank_sum() -> None:
    # Of the 64 ways to sign the ranks 1 … 6, 14 have a sum of at most 6 on one side.
    found = duel([1.0, 1.0, 1.0, 1.0, 1.0, 9.0], [1.1, 1.2, 1.3, 1.4, 1.5, 1.0])
    assert (found.wins, found.losses) == (5, 1)
    assert found.p_value == pytest.approx(2 * 14 / 64)


def test_level_pairs_count_as_half_a_win_and_failures_are_level_with_each_other() -> None:
    found = duel([1.0, 2.0, 3.0, INFINITE], [1.0, 1.0, 4.0, INFINITE])
    assert (found.wins, found.ties, found.losses, found.rate) == (1, 2, 1, 0.5)
    assert duel([1.0, INFINITE], [1.0, INFINITE]).p_value == 1.0


def test_holm_multiplies_by_what_is_left_and_never_falls() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_an_overrun_is_marked_ranks_last_and_loses() -> None:
    records = [
        record("linear", 0, 0.1, "overrun"),
        record("catboost", 0, 0.3),
        record("linear", 1, 0.1),
        record("catboost", 1, 0.3),
        record("linear", 2, 0.1),
        record("catboost", 2, None, "failed"),
    ]
    assert mean_ranks(records)["linear"][0] == pytest.approx(4 / 3)
    assert mean_ranks(records)["catboost"][0] == pytest.approx(5 / 3)
    assert duels(records)["linear", "catboost"].rate == pytest.approx(2 / 3)
    row = errors_by_table(records).splitlines()[-1]
    assert row == "| iris | log loss, nats | 0.3 ± 0 ‡1 | 0.1 ± 0 †1 |"


def test_ranks_are_of_splits_that_every_system_was_measured_on() -> None:
    records = [record("linear", 0, 0.1), record("catboost", 0, 0.3), record("linear", 1, 0.5)]
    assert mean_ranks(records) == {"catboost": (2.0, 0.0), "linear": (1.0, 0.0)}
    assert "Ranks over 1 splits" in page(records, date="2026-01-02", command="x")


def test_a_page_of_nothing_says_so() -> None:
    assert "Nothing was measured" in page([], date="2026-01-02", command="x")


def test_log_loss_scales_rows_clips_and_gives_an_unknown_class_no_probability() -> None:
    told = pd.DataFrame({"probability_b": [0.2, 1.2], "probability_a": [0.8, 0.8]})
    assert log_loss(told, pd.Series(["a", "b"])) == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)
    assert log_loss(told, pd.Series(["a", "c"])) == pytest.approx(-(math.log(0.8) + math.log(1e-15)) / 2)


def test_root_mean_squared_error_is_in_the_unit_of_the_target() -> None:
    assert root_mean_squared_error(pd.Series([1.0, 2.0]), pd.Series([4, 6])) == pytest.approx(math.sqrt(12.5))


def test_a_budget_may_be_overrun_by_five_seconds_or_five_per_cent() -> None:
    assert Limits(60.0).overrun == 65.0
    assert Limits(200.0).overrun == 210.0
    assert Limits(60.0).killed_at == 180.0


def test_a_line_that_was_cut_off_does_not_spoil_the_next(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    append(file, record("linear", 0, 0.1))
    whole = file.read_text()
    file.write_text(whole + whole[:40])
    append(file, record("linear", 1, 0.2))
    assert [one.seed for one in read(file)] == [0, 1]
    assert json.loads(whole)["score"] == 0.1


@pytest.mark.parametrize("table", load(OWN_OR_SCIKIT_LEARN, Path()), ids=lambda table: table.name)
def test_tables_are_whole_and_their_splits_are_a_fifth(table: Table) -> None:
    assert table.target in table.frame
    assert not table.frame[table.target].isna().any()
    split = draw(table, "in", 0)
    assert len(split.test) == len(split.truth)
    assert len(split.train) + len(split.test) == len(table.frame)
    assert len(split.test) / len(table.frame) == pytest.approx(0.2, abs=0.02)
    assert table.target not in split.test
    if table.task == "classification":
        assert set(split.truth) == set(table.frame[table.target].astype(str))


def test_sixteen_tables_of_which_four_are_our_own() -> None:
    assert len(TABLES) == 16
    assert {"california_housing", "wine_quality", "boston_housing", "iris"} <= set(OWN_OR_SCIKIT_LEARN)


def test_california_is_told_in_the_unit_of_the_literature() -> None:
    assert TABLES["california_housing"](Path()).scale == 100_000


def test_duplicates_kept_apart_have_their_rows_on_one_side() -> None:
    table = TABLES["wine_quality"](Path())
    assert treatments(table, ("in", "apart")) == ("in", "apart")
    for treatment, shared in (("in", True), ("apart", False)):
        split = draw(table, treatment, 0)
        learned = set(split.train.drop(columns=table.target).itertuples(index=False, name=None))
        assert bool(learned & set(split.test.itertuples(index=False, name=None))) is shared


def test_a_table_without_equal_rows_is_split_once() -> None:
    assert treatments(TABLES["boston_housing"](Path()), ("in", "apart")) == ("none",)


def test_a_split_is_its_seed() -> None:
    table = TABLES["iris"](Path())
    first, again, other = (draw(table, "in", seed).test for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_system_has_its_script_and_its_requirements() -> None:
    for system in SYSTEMS.values():
        assert system.script.exists()
        assert system.environment is None or (PEERS / "requirements" / f"{system.environment}.txt").exists()


def test_peers_know_nothing_of_this_project() -> None:
    for script in PEERS.glob("*.py"):
        assert "import ml_assets" not in script.read_text()
        assert "from ml_assets" not in script.read_text()
        assert "benchmarks" not in script.read_text()
