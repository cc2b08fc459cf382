"""Files that are not to be taken yet: young ones, half-copied ones, and those that change under our hands."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.incoming.batches import batch_ids
from ml_assets.home import Home
from ml_assets.validation.entries import entries
from ml_assets_tests.intake_world import hand_in, iris_rows, leftovers, take, written

IRIS = load_contract("iris")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_young_file_is_waited_for_and_one_that_goes_on_changing_is_left(home: Home) -> None:
    file = hand_in(IRIS, home, "a.csv", iris_rows(5))
    os.utime(file, (1000.0, 1000.0))
    clock = [1000.5]

    def wait(seconds: float) -> None:
        clock[0] += seconds

    (report,) = take(IRIS, home, now=lambda: clock[0], settle_seconds=2.0, wait=wait).files
    assert report.outcome == "accepted"
    assert clock[0] == 1002.0

    file = hand_in(IRIS, home, "b.csv", iris_rows(5, start=9))
    os.utime(file, (1002.0, 1002.0))

    def grow(seconds: float) -> None:
        clock[0] += seconds
        os.utime(file, (clock[0], clock[0]))

    started = clock[0]
    (report,) = take(IRIS, home, now=lambda: clock[0], settle_seconds=2.0, wait=grow).files
    assert (report.outcome, report.message) == ("left", "left in incoming: changed less than 2 s ago")
    assert clock[0] == started + 2.0
    assert file.is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who writes")
def test_half_copied_file_is_left_until_its_writer_is_done(home: Home) -> None:
    file = hand_in(IRIS, home, "a.csv", iris_rows(5))
    os.utime(file, (1, 1))
    with written(file, iris_rows(9).removeprefix(iris_rows(5))):
        (report,) = take(IRIS, home).files
        assert (report.outcome, report.message) == ("left", "left in incoming: is still open for writing")
    (report,) = take(IRIS, home).files
    assert (report.outcome, report.accepted) == ("accepted", 9)


@pytest.mark.parametrize("how", ["grows", "is replaced"])
@pytest.mark.parametrize("good", [True, False])
def test_file_that_changes_while_it_is_judged_is_left_as_it_then_is(how: str, good: bool, home: Home) -> None:
    file = hand_in(IRIS, home, "a.csv", iris_rows(5) if good else "nonsense")

    def meddle(step: str) -> None:
        if step == "written" and how == "grows":
            with file.open("a") as more:
                more.write("5,4,1.4,0.2,Iris-setosa\n")
        elif step == "written":
            (file.parent / ".aside").write_text(iris_rows(6))
            (file.parent / ".aside").replace(file)

    (report,) = take(IRIS, home, step=meddle).files
    assert (report.outcome, report.message) == ("left", "left in incoming: changed while it was taken")
    assert file.read_text().splitlines()[-1].endswith("Iris-setosa")
    assert (batch_ids(IRIS, home), entries(home), leftovers(home, "iris")) == ((), (), [])
