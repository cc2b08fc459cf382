"""Broken files and contracts in a trained home: told by name, and what was made earlier still works."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib import resources
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
    "missing column": ("sepal_length,species\n5.1,Iris-setosa\n", "sepal_width", "missing column.csv"),
    "empty file": ("", "empty", "empty file.csv"),
}


@pytest.fixture(scope="module")
def home(iris_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the trained home, to be broken."""
    place = tmp_path_factory.mktemp("broken") / "home"
    shutil.copytree(iris_run[0], place)
    return place


def hand_in(home: Path, content: str, name: str = "batch.csv") -> None:
    file = home / "data" / "incoming" / "iris" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)


def test_broken_batches_are_refused_by_name_and_the_champion_still_answers(home: Path, tmp_path: Path) -> None:
    for name, (content, *_) in BROKEN.items():
        hand_in(home, content, f"{name}.csv")
    done = run_in(home, "ml_assets", "run", "iris")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "iris: up to date, nothing is trained" in done.stdout, "refused batches change nothing"
    listed = json.loads(run_in(home, "ml_assets", "quarantine", "list", "iris", "--json").stdout)
    assert len({refused["entry"] for refused in listed}) == len(BROKEN)
    for name, (_, *told) in BROKEN.items():
        assert f"iris: {name}.csv: refused" in done.stdout
        entry = next(refused["entry"] for refused in listed if refused["file"] == f"{name}.csv")
        shown = run_in(home, "ml_assets", "quarantine", "show", entry).stdout
        assert all(word in shown for word in told), shown

    flowers = tmp_path / "flowers.csv"
    flowers.write_text("sepal_length,sepal_width,petal_length,petal_width\n5.1,3.5,1.4,0.2\n")
    answer = run_in(home, "ml_assets", "predict", "iris", str(flowers))
    assert answer.returncode == 0, answer.stderr
    assert "Iris-setosa" in answer.stdout


def test_good_rows_of_a_batch_become_a_version_and_are_trained_on(home: Path) -> None:
    good = "".join(f"{5 + i / 100:.2f},3.4,1.5,0.2,Iris-setosa\n" for i in range(20))
    hand_in(home, HEADER + good + "999,3.5,1.4,0.2,Iris-setosa\n")
    done = run_in(home, "ml_assets", "run", "iris", "--trials", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "20 rows taken as batch" in done.stdout
    assert "1 refused" in done.stdout
    assert "deployment done" in done.stdout
    log = json.loads(run_in(home, "ml_assets", "data", "log", "iris", "--json").stdout)
    assert sorted(version["rows"] for version in log["versions"]) == [150, 170]
    again = run_in(home, "ml_assets", "run", "iris")
    assert "iris: up to date, nothing is trained" in again.stdout


def test_broken_source_stops_what_is_downstream_of_it_and_nothing_else(home: Path) -> None:
    """A contract of the home that the table does not keep: its dataset fails, the others go on."""
    contract = (resources.files("ml_assets.datasets") / "iris.yaml").read_text()
    own = home / "datasets" / "iris.yaml"
    own.parent.mkdir(exist_ok=True)
    own.write_text(contract.replace("range: [2, 12]", "range: [2, 5]"))
    try:
        done = run_in(home, "dagster", "job", "execute", "-m", "ml_assets", "-j", "data_preprocessing")
        assert done.returncode != 0
        for dataset in ("boston_housing", "california_housing", "wine_quality"):
            assert (home / "data" / "processed" / dataset / "features" / "current.json").exists()
        refused = run_in(home, "ml_assets", "run", "iris")
        assert refused.returncode == 2, refused.stdout
        message = refused.stderr[refused.stderr.index("iris/raw_table") :]
        assert "sepal_length" in message
        assert "table-" in message, "the refused table is named"
        assert "Traceback" not in refused.stderr
        assert "clean_table done" not in refused.stdout, "nothing downstream of a broken table runs"
    finally:
        own.unlink()
