"""Broken tables dropped into a trained home: one message, exit code 2, and what was made earlier still works."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ml_assets_tests.commands import run_in

HEADER = "sepal_length,sepal_width,petal_length,petal_width,species\n"
GOOD = "5.1,3.5,1.4,0.2,Iris-setosa\n"
Run = tuple[Path, subprocess.CompletedProcess[str]]

BROKEN = {
    "out of range": (HEADER + GOOD + "999,3.5,1.4,0.2,Iris-setosa\n", "sepal_length", "row 2"),
    "no target": (HEADER + "5.1,3.5,1.4,0.2,\n", "species", "row 1"),
    "unknown label": (HEADER + "5.1,3.5,1.4,0.2,Iris-rubra\n", "Iris-rubra", "row 1"),
    "text in a number": (HEADER + GOOD + "5.1,wide,1.4,0.2,Iris-setosa\n", "wide", "row 2"),
    "wrong delimiter": (HEADER.replace(",", ";") + GOOD.replace(",", ";"), ";", "batch.csv"),
    "empty file": ("", "empty", "batch.csv"),
}


@pytest.fixture(scope="module")
def home(iris_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the trained home, to be broken."""
    place = tmp_path_factory.mktemp("broken") / "home"
    shutil.copytree(iris_run[0], place)
    return place


@pytest.fixture
def batch(home: Path) -> Iterator[Path]:
    file = home / "data" / "incoming" / "iris" / "batch.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    yield file
    file.unlink()


@pytest.mark.parametrize("case", BROKEN)
def test_broken_batch_is_refused_by_name_and_the_champion_still_answers(
    case: str, home: Path, batch: Path, tmp_path: Path
) -> None:
    content, *told = BROKEN[case]
    batch.write_text(content)
    done = run_in(home, "ml_assets", "run", "iris")
    assert done.returncode == 2, done.stdout + done.stderr
    message = done.stderr[done.stderr.index("iris/raw_table") :]
    assert all(word in message for word in told), message
    assert "Traceback" not in done.stderr
    assert "clean_table done" not in done.stdout, "nothing downstream of a broken table runs"

    flowers = tmp_path / "flowers.csv"
    flowers.write_text("sepal_length,sepal_width,petal_length,petal_width\n5.1,3.5,1.4,0.2\n")
    answer = run_in(home, "ml_assets", "predict", "iris", str(flowers))
    assert answer.returncode == 0, answer.stderr
    assert "Iris-setosa" in answer.stdout


def test_refused_table_is_kept_with_its_reason_and_the_accepted_one_stays_current(home: Path, batch: Path) -> None:
    current = home / "data" / "raw" / "iris" / "raw_table" / "current.json"
    before = current.read_text()
    batch.write_text(BROKEN["out of range"][0])
    run_in(home, "ml_assets", "run", "iris")
    assert current.read_text() == before
    reasons = [file.read_text() for file in (home / "data" / "quarantine" / "iris").rglob("reason.txt")]
    assert any("sepal_length" in reason for reason in reasons)


def test_broken_table_stops_what_is_downstream_of_it_and_nothing_else(home: Path, batch: Path) -> None:
    batch.write_text(BROKEN["out of range"][0])
    done = run_in(home, "dagster", "job", "execute", "-m", "ml_assets", "-j", "data_preprocessing")
    assert done.returncode != 0
    for dataset in ("boston_housing", "california_housing", "wine_quality"):
        assert (home / "data" / "processed" / dataset / "features" / "current.json").exists()


def test_once_the_batch_is_gone_nothing_has_to_be_made_again(home: Path) -> None:
    done = run_in(home, "ml_assets", "run", "iris")
    assert done.returncode == 0, done.stderr
    assert "iris: up to date, nothing is trained" in done.stdout
