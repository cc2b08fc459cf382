"""Dagster's own commands on the graph: `dagster asset materialize`, `dagster job execute`, the workspace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ml_assets.automation.instance import prepare_dagster_home
from ml_assets.families import model_names
from ml_assets.home import Home
from ml_assets_tests.commands import run_in

QUICK = json.dumps({"resources": {"settings": {"config": {"budget_seconds": 10, "trials": 1}}}})
RANGE = f"{model_names()[0]}...{model_names()[-1]}"


@pytest.fixture
def new_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home as `ml-assets env` prepares it for Dagster's own commands."""
    monkeypatch.setenv("DAGSTER_HOME", "")
    prepare_dagster_home(Home(tmp_path))
    return tmp_path


def materialize(home: Path, select: str, *words: str) -> str:
    done = run_in(home, "dagster", "asset", "materialize", "-m", "ml_assets", "--select", select, *words)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def made(home: Path) -> set[str]:
    """Keys of what is stored in `home`."""
    places = (pointer.parent.relative_to(home / "data").parts for pointer in home.glob("data/*/*/**/current.json"))
    return {"/".join(place[1:]) if place[0] != "raw" else f"{place[1]}/raw_table" for place in places}


def test_unpartitioned_assets_need_no_flag(new_home: Path) -> None:
    materialize(new_home, "key:iris/raw_table")
    assert made(new_home) == {"iris/raw_table"}


def test_one_family_and_what_it_is_made_from(new_home: Path) -> None:
    materialize(new_home, "key:iris/raw_table")
    materialize(new_home, "+iris/model", "--partition", "svm", "--config-json", QUICK)
    upstream = {"iris/raw_table", "iris/clean_table", "iris/splits", "iris/features"}
    assert made(new_home) == upstream | {"iris/tuned_params/svm", "iris/model/svm"}
    output = materialize(new_home, "iris/model", "--partition", "svm")
    assert "iris__model" in output
    assert "iris__raw_table" not in output


@pytest.mark.slow
def test_everything_in_one_run_of_all_families(new_home: Path) -> None:
    materialize(new_home, "*", "--partition-range", RANGE, "--config-json", QUICK)
    for dataset in ("boston_housing", "california_housing", "iris", "wine_quality"):
        assert f"{dataset}/retrain_decision" in made(new_home)
        assert {f"{dataset}/evaluation/{family}" for family in model_names()} <= made(new_home)
    runs = {path.name for path in (new_home / ".dagster" / "history" / "runs").glob("*-*.db")}
    assert len(runs) == 1, "one Dagster run holds every family of every dataset"


def test_unknown_partition_is_refused_by_name(new_home: Path) -> None:
    done = run_in(
        new_home, "dagster", "asset", "materialize", "-m", "ml_assets", "--select", "iris/model", "--partition", "svn"
    )
    assert done.returncode != 0
    assert "svn" in done.stdout + done.stderr


def test_job_data_preprocessing_runs_from_an_empty_home(new_home: Path) -> None:
    done = run_in(new_home, "dagster", "job", "execute", "-m", "ml_assets", "-j", "data_preprocessing")
    assert done.returncode == 0, done.stderr[-3000:]
    rooms = ("raw_table", "clean_table", "splits", "features")
    datasets = ("boston_housing", "california_housing", "iris", "wine_quality")
    assert made(new_home) == {f"{dataset}/{room}" for dataset in datasets for room in rooms}


def test_workspace_file_loads(new_home: Path) -> None:
    done = run_in(new_home, "dagster", "definitions", "validate", "-w", "workspace.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("job", "last"),
    [
        ("hyperparameter_tuning", "iris/tuned_params/xgboost"),
        ("model_comparison", "iris/comparison"),
        ("model_deployment", "iris/deployment"),
        ("ml_pipeline", "iris/retrain_decision"),
    ],
)
def test_named_job_makes_what_it_is_named_after_from_an_empty_home(new_home: Path, job: str, last: str) -> None:
    project = str(Path(__file__).parent / "iris_only.py")
    words = ("dagster", "job", "execute", "-f", project, "-j", job)
    done = run_in(new_home, *words, ML_ASSETS_BUDGET="2")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert last in made(new_home)
