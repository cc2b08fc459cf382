"""Dagster's own commands on the graph: `dagster asset materialize`, `dagster job execute`, the workspace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ml_assets.families import family_names
from ml_assets_tests.commands import run_in

QUICK = json.dumps({"resources": {"settings": {"config": {"budget_seconds": 10, "trials": 1}}}})
RANGE = f"{family_names()[0]}...{family_names()[-1]}"


def materialize(home: Path, select: str, *words: str) -> str:
    done = run_in(home, "dagster", "asset", "materialize", "-m", "ml_assets", "--select", select, *words)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def made(home: Path) -> set[str]:
    """Keys of what is stored in `home`."""
    places = (pointer.parent.relative_to(home / "data").parts for pointer in home.glob("data/*/*/**/current.json"))
    return {"/".join(place[1:]) for place in places}


def test_unpartitioned_assets_need_no_flag(tmp_path: Path) -> None:
    materialize(tmp_path, "key:iris/raw_table")
    assert made(tmp_path) == {"iris/raw_table"}


def test_one_family_and_what_it_is_made_from(tmp_path: Path) -> None:
    materialize(tmp_path, "key:iris/raw_table")
    materialize(tmp_path, "+iris/model", "--partition", "svm", "--config-json", QUICK)
    upstream = {"iris/raw_table", "iris/clean_table", "iris/splits", "iris/features"}
    assert made(tmp_path) == upstream | {"iris/tuned_params/svm", "iris/model/svm"}
    output = materialize(tmp_path, "iris/model", "--partition", "svm")
    assert "iris__model" in output
    assert "iris__raw_table" not in output


@pytest.mark.slow
def test_everything_in_one_run_of_all_families(tmp_path: Path) -> None:
    materialize(tmp_path, "*", "--partition-range", RANGE, "--config-json", QUICK)
    for dataset in ("boston_housing", "california_housing", "iris", "wine_quality"):
        assert f"{dataset}/retrain_decision" in made(tmp_path)
        assert {f"{dataset}/evaluation/{family}" for family in family_names()} <= made(tmp_path)
    runs = {path.name for path in (tmp_path / ".dagster" / "history" / "runs").glob("*-*.db")}
    assert len(runs) == 1, "one Dagster run holds every family of every dataset"


def test_unknown_partition_is_refused_by_name(tmp_path: Path) -> None:
    done = run_in(
        tmp_path, "dagster", "asset", "materialize", "-m", "ml_assets", "--select", "iris/model", "--partition", "svn"
    )
    assert done.returncode != 0
    assert "svn" in done.stdout + done.stderr


def test_job_data_preprocessing_runs_from_an_empty_home(tmp_path: Path) -> None:
    done = run_in(tmp_path, "dagster", "job", "execute", "-m", "ml_assets", "-j", "data_preprocessing")
    assert done.returncode == 0, done.stderr[-3000:]
    rooms = ("raw_table", "clean_table", "splits", "features")
    datasets = ("boston_housing", "california_housing", "iris", "wine_quality")
    assert made(tmp_path) == {f"{dataset}/{room}" for dataset in datasets for room in rooms}


def test_workspace_file_loads(tmp_path: Path) -> None:
    done = run_in(tmp_path, "dagster", "definitions", "validate", "-w", "workspace.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("job", "last"),
    [
        ("hyperparameter_tuning", "iris/tuned_params/xgboost"),
        ("model_comparison", "iris/model_card"),
        ("model_deployment", "iris/deployment"),
        ("ml_pipeline", "iris/retrain_decision"),
    ],
)
def test_named_job_makes_what_it_is_named_after_from_an_empty_home(tmp_path: Path, job: str, last: str) -> None:
    project = str(Path(__file__).parent / "iris_only.py")
    words = ("dagster", "job", "execute", "-f", project, "-j", job)
    done = run_in(tmp_path, *words, ML_ASSETS_BUDGET="2")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert last in made(tmp_path)
