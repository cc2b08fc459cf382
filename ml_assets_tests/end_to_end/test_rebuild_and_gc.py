"""A registered model leads back to the version of the table that made it, and `gc` leaves that way open."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from ml_assets.cli import cli
from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.versions.store import TableVersions
from ml_assets.errors import IntegrityError, StorageError, TrainingError, UnknownNameError
from ml_assets.learning.fitted_model import read_record
from ml_assets.resources.registry import CHAMPION, registered
from ml_assets.resources.tracking import mlflow_client
from ml_assets_tests.commands import run_in

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:sqlalchemy"),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
]
YEARS_AGO = 1_000_000_000


def _run(*words: str) -> Result:
    return CliRunner().invoke(cli, words, catch_exceptions=False)


@pytest.fixture
def own_home(iris_run: tuple[Path, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the home in which iris was trained, to do with as one likes."""
    place = tmp_path / "home"
    shutil.copytree(iris_run[0], place, ignore=shutil.ignore_patterns(".dagster"))
    monkeypatch.setenv("ML_ASSETS_HOME", str(place))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return place


def _versions(home: Path) -> TableVersions:
    return TableVersions(home / "data" / "raw" / "iris")


def _champion_folder() -> Path:
    champion = registered(mlflow_client(), "iris", CHAMPION)
    assert champion is not None
    return champion.model_file.parent


def _files(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_size for p in folder.rglob("*") if p.is_file()}


def test_the_command_makes_the_champion_again_bit_for_bit(
    iris_run: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    done = run_in(iris_run[0], "ml_assets", "rebuild", "iris")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("iris version 1 (")
    assert "the same bit for bit" in done.stdout
    assert "NOT" not in done.stdout


def test_the_log_names_the_model_and_the_model_names_the_version(own_home: Path) -> None:
    version = _versions(own_home).find("1")
    (entry,) = json.loads(_run("data", "log", "iris", "--json").stdout)["versions"]
    assert (entry["id"], entry["models"]) == (version.id, ["1"])
    champion = registered(mlflow_client(), "iris", CHAMPION)
    assert champion is not None
    assert (champion.origin.data_version, champion.origin.seed) == (version.id, 0)
    assert _versions(own_home).origin_of(champion.origin.data_hash) == version
    record = read_record(_champion_folder())
    assert (record.data_version, record.seed) == (version.id, 0)


def test_gc_keeps_what_the_registered_model_needs_and_it_can_still_be_made_again(own_home: Path) -> None:
    versions, spec = _versions(own_home), load_contract("iris")
    table = versions.read(versions.find("1"))
    for rows in (140, 130, 120):
        versions.commit(table[:rows], spec=spec, created_at=0.0, source_fingerprint="")
    folder = _champion_folder()
    superseded = folder.with_name("0" * 16)
    shutil.copytree(folder, superseded)
    for model in folder.parent.parent.glob("*/*"):
        os.utime(model, (YEARS_AGO, YEARS_AGO))
    kept = {p for p in folder.parent.parent.glob("*/*") if p.is_dir()} - {superseded}
    said = _run("gc", "--keep", "1").stdout
    assert "iris: removed: version 2" in said
    assert f"model {superseded.parent.name}/{superseded.name}" in said
    assert [v.number for v in versions.log()] == [1, 4]
    assert {p for p in folder.parent.parent.glob("*/*") if p.is_dir()} == kept
    assert _run("rebuild", "iris", "--model", "1").exit_code == 0


@pytest.mark.parametrize("damage", ["not a database", "gone", "another"])
def test_gc_removes_nothing_when_the_registry_cannot_be_read(
    damage: str, own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = _versions(own_home)
    table = versions.read(versions.find("1"))
    versions.commit(table[:100], spec=load_contract("iris"), created_at=0.0, source_fingerprint="")
    database = own_home / "mlflow" / "mlflow.db"
    if damage == "not a database":
        database.write_bytes(b"not a database" * 1000)
    elif damage == "gone":
        database.unlink()
    else:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'another.db'}")
    before = _files(own_home / "data")
    with pytest.raises(StorageError, match=r"cannot be read|does not know any"):
        _run("gc", "--keep", "1")
    assert _files(own_home / "data") == before


def test_a_model_that_is_not_there_is_told(own_home: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown model version of iris '7'"):
        _run("rebuild", "iris", "--model", "7")


def test_a_changed_record_or_table_is_never_rebuilt_from(own_home: Path) -> None:
    folder = _champion_folder()
    record = folder / "model.json"
    content = record.read_text()
    record.write_text(content.replace('"seed": 0', '"seed": 1'))
    with pytest.raises(IntegrityError, match=f"{folder.name} was changed after it was written"):
        _run("rebuild", "iris")
    record.write_text(content)
    versions = _versions(own_home)
    pack = versions.files.packs.path(versions.find("1").packs[0])
    pack.write_bytes(pack.read_bytes()[:-1])
    with pytest.raises(IntegrityError, match=f"{pack.name} was changed"):
        _run("rebuild", "iris")


def test_a_model_whose_metric_was_another_ends_with_an_error_that_says_so(own_home: Path) -> None:
    client = mlflow_client()
    client.set_model_version_tag("iris", "1", "test_score", "0.5")
    with pytest.raises(
        TrainingError, match="the rebuilt model is not the same as version 1: nothing that was recorded"
    ):
        _run("rebuild", "iris")
    client.set_model_version_tag("iris", "1", "code_version", "0.0/before")
    with pytest.raises(TrainingError, match=r"ml_assets' own families 0\.0/before then"):
        _run("rebuild", "iris")


def test_a_held_dataset_is_read_from_its_version(own_home: Path) -> None:
    from ml_assets.datasets.ingestion import ingest
    from ml_assets.home import Home

    versions, spec = _versions(own_home), load_contract("iris")
    first = versions.find("1")
    table = versions.read(first)
    versions.commit(table.with_columns(pl.col("petal_width") + 0.1), spec=spec, created_at=0.0, source_fingerprint="")
    assert _run("data", "checkout", "iris", "1").exit_code == 0
    made = ingest(spec, Home.current(), mode="embedded", now=lambda: 1.0)
    assert made.version == first
    assert versions.current() == first
