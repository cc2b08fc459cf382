"""Intakes that are killed after any step, or that run at once: every row is taken exactly once, and nothing is lost."""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import polars as pl
import pytest

from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.incoming.batches import batch_records, batches
from ml_assets.datasets.incoming.intake import pending_files
from ml_assets.home import Home
from ml_assets.validation.entries import entries
from ml_assets_tests.intake_world import (
    hand_in,
    iris_rows,
    leftovers,
    take,
    take_and_die,
    take_when_all_are_there,
)

IRIS = load_contract("iris")
GOOD, BAD = 30, 2
BAD_ROWS = "99,1,1,1,Iris-setosa\n5,1\n"
STEPS = [
    *("read", "written", "claimed", "quarantined", "recorded", "removed"),
    *("read", "written", "claimed", "quarantined", "removed"),
    *("moving", "moved"),
    *("read", "claimed", "removed"),
]
"""Of a file with good and bad rows, one that is no table, a link, and a copy of the first."""


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Processes that begin with everything loaded, wherever nobody else has decided what that is."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ml_assets_tests.intake_world"])
    return context


def filled(place: Path) -> Home:
    home = Home(place)
    file = hand_in(IRIS, home, "a.csv", iris_rows(GOOD) + BAD_ROWS)
    hand_in(IRIS, home, "b.csv", "no table of ours\n1\n")
    (file.parent / "c.csv").symlink_to("/nowhere")
    hand_in(IRIS, home, "d.csv", file.read_bytes())
    return home


def ended(process: ForkServerProcess) -> int | None:
    process.join(120)
    return process.exitcode


def assert_everything_is_there_once(home: Home) -> None:
    (record,) = batch_records(IRIS, home)
    (rows,) = batches(IRIS, home).values()
    wanted = [round(3 + at / 10_000, 4) for at in range(GOOD)]
    assert sorted(rows["sepal_width"].to_list()) == wanted
    assert (record.accepted, record.refused, record.rows) == (GOOD, BAD, GOOD + BAD)
    found = {str(entry.reason["kind"]): entry for entry in entries(home) if entry.reason["file"] != "c.csv"}
    assert (found["rows"].folder / "rows.csv").read_text().partition("\n")[2] == BAD_ROWS
    assert found["rows"].reason["batch"] == record.id
    assert found["rows"].name == record.quarantined
    (no_table,) = (found["file"].folder / "original").iterdir()
    assert no_table.read_text() == "no table of ours\n1\n"
    (link,) = (entry.original for entry in entries(home) if entry.reason["file"] == "c.csv")
    assert link is not None
    assert os.readlink(link) == "/nowhere"  # noqa: PTH115
    assert len(entries(home)) == 3
    assert pending_files(IRIS, home) == ()
    assert leftovers(home, "iris") == []
    assert list((home.incoming / "iris").iterdir()) == []


def test_the_steps_are_those_after_which_an_intake_is_killed_here(tmp_path: Path) -> None:
    steps: list[str] = []
    home = filled(tmp_path)
    take(IRIS, home, step=steps.append)
    assert steps == STEPS
    assert_everything_is_there_once(home)


@pytest.mark.parametrize("after", range(1, len(STEPS) + 1), ids=[f"{n}-{step}" for n, step in enumerate(STEPS, 1)])
def test_intake_that_is_killed_after_a_step_is_finished_by_the_next(
    after: int, tmp_path: Path, processes: ForkServerContext
) -> None:
    home = filled(tmp_path)
    doomed = processes.Process(target=take_and_die, args=(tmp_path, "iris", after))
    doomed.start()
    assert ended(doomed) == -signal.SIGKILL
    take(IRIS, home)
    assert_everything_is_there_once(home)
    assert take(IRIS, home).files == ()


def test_intakes_that_are_killed_again_and_again_come_to_the_same_end(
    tmp_path: Path, processes: ForkServerContext
) -> None:
    home = filled(tmp_path)
    for kills in range(1, 60):
        doomed = processes.Process(target=take_and_die, args=(tmp_path, "iris", 1 + kills % 7))
        doomed.start()
        if ended(doomed) == 0:
            break
    assert kills > 4
    assert_everything_is_there_once(home)


def test_processes_that_take_at_once_take_every_row_once(tmp_path: Path, processes: ForkServerContext) -> None:
    home, files = Home(tmp_path), 8
    for at in range(files):
        hand_in(IRIS, home, f"{at}.csv", iris_rows(6, start=100 * at) + "99,1,1,1,Iris-setosa\n")
    barrier = processes.Barrier(3)
    racing = [processes.Process(target=take_when_all_are_there, args=(tmp_path, "iris", barrier)) for _ in range(3)]
    for process in racing:
        process.start()
    assert [ended(process) for process in racing] == [0, 0, 0]
    records = batch_records(IRIS, home)
    assert [record.number for record in records] == list(range(1, files + 1))
    assert len({record.sha256 for record in records}) == files
    taken = pl.concat(batches(IRIS, home).values())["sepal_width"].to_list()
    assert sorted(taken) == sorted(round(3 + (100 * at + row) / 10_000, 4) for at in range(files) for row in range(6))
    assert [entry.reason["refused"] for entry in entries(home)] == [1] * files
    assert leftovers(home, "iris") == []
