"""Sensors without a daemon: which states of the world become a run, and which do not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from ml_assets.automation.instance import open_instance
from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.incoming.arrivals import intake_lock
from ml_assets.datasets.incoming.intake import source_state
from ml_assets.definitions import defs
from ml_assets.families import model_names
from ml_assets.home import Home
from ml_assets.serving.prediction_log import LoggedRequest, PredictionLog
from ml_assets_tests.intake_world import take

HEADER = "sepal_length,sepal_width,petal_length,petal_width,species\n"
Tick = Callable[[], list[dg.RunRequest]]


@pytest.fixture
def instance(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("DAGSTER_HOME", "")
    with open_instance(Home(home)) as opened:
        yield opened


def ticking(name: str, instance: dg.DagsterInstance) -> Tick:
    """One tick after the other of a sensor, the cursor handed on as a daemon does."""
    sensor = next(s for s in defs.sensors or [] if s.name == name)
    cursor: str | None = None

    def tick() -> list[dg.RunRequest]:
        nonlocal cursor
        context = dg.build_sensor_context(instance=instance, cursor=cursor, repository_def=defs.get_repository_def())
        result = sensor.evaluate_tick(context)
        cursor = result.cursor
        return list(result.run_requests or [])

    return tick


def drop(home: Path, name: str, age: float = 60.0) -> Path:
    file = home / "data" / "incoming" / "iris" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(HEADER + "5.1,3.5,1.4,0.2,Iris-setosa\n")
    changed = file.stat().st_mtime - age
    os.utime(file, (changed, changed))
    return file


def test_each_new_state_of_the_folder_is_one_request_even_when_it_was_there_before(
    home: Path, instance: dg.DagsterInstance
) -> None:
    tick = ticking("incoming_files", instance)
    assert tick() == []
    drop(home, "a.csv")
    (first,) = tick()
    assert tick() == []
    second_file = drop(home, "b.CSV")
    (second,) = tick()
    second_file.unlink()
    (third,) = tick()
    assert len({first.run_key, second.run_key, third.run_key}) == 3
    assert first.asset_selection is not None
    assert {key.path[0] for key in first.asset_selection} == {"iris"}
    assert first.tags["dagster/asset_partition_range_start"] == model_names()[0]
    assert first.tags["dagster/asset_partition_range_end"] == model_names()[-1]


def test_a_file_that_is_still_being_copied_waits_and_unfinished_names_are_nobodys(
    home: Path, instance: dg.DagsterInstance
) -> None:
    tick = ticking("incoming_files", instance)
    growing = drop(home, "a.csv", age=0.0)
    for name in ("~a.csv", ".hidden.csv", "b.csv.part"):
        drop(home, name)
    assert tick() == []
    os.utime(growing, (growing.stat().st_mtime - 60,) * 2)
    assert len(tick()) == 1


def test_files_that_a_run_took_or_refused_are_asked_for_once_and_never_again(
    home: Path, instance: dg.DagsterInstance
) -> None:
    tick = ticking("incoming_files", instance)
    made(instance, home)
    drop(home, "a.csv")
    drop(home, "b.csv").write_text("no table")
    os.utime(home / "data" / "incoming" / "iris" / "b.csv", (1, 1))
    assert len(tick()) == 1
    report = take(load_contract("iris"), Home(home))
    assert [file.outcome for file in report.files] == ["accepted", "refused"]
    made(instance, home)
    assert tick() == []
    assert tick() == []
    drop(home, "c.csv").write_text("no table either")
    os.utime(home / "data" / "incoming" / "iris" / "c.csv", (1, 1))
    assert len(tick()) == 1


def test_files_that_are_gone_while_a_run_is_under_way_are_left_to_it_and_asked_for_again_if_it_fails(
    home: Path, instance: dg.DagsterInstance
) -> None:
    tick = ticking("incoming_files", instance)
    made(instance, home)
    drop(home, "a.csv")
    assert len(tick()) == 1
    raw_table = frozenset({dg.AssetKey(["iris", "raw_table"])})
    run = dg.DagsterRun(job_name="j", status=dg.DagsterRunStatus.STARTED, asset_selection=raw_table)
    instance.add_run(run)
    with intake_lock(Home(home), "iris"):
        drop(home, "b.csv")
        assert tick() == [], "they are being taken"
    (home / "data" / "incoming" / "iris" / "b.csv").unlink()
    take(load_contract("iris"), Home(home))
    assert tick() == [], "the run is not done"
    instance.report_run_failed(run)
    (again,) = tick()
    assert again.asset_selection is not None
    assert dg.AssetKey(["iris", "raw_table"]) in again.asset_selection
    assert tick() == []


def made(instance: dg.DagsterInstance, home: Path) -> None:
    """What a run records that made the raw table of what is accepted."""
    state = source_state(load_contract("iris"), Home(home), "embedded", waiting=False)
    key = dg.AssetKey(["iris", "raw_table"])
    instance.report_runless_asset_event(dg.AssetMaterialization(key, metadata={"source_fingerprint": state}))


def test_live_rows_are_looked_at_once_enough_came_and_again_when_the_log_began_anew(
    home: Path, instance: dg.DagsterInstance
) -> None:
    tick = ticking("live_rows", instance)
    assert tick() == []
    answer(home, rows=199, at=1.0)
    assert tick() == []
    answer(home, rows=1, at=2.0)
    (first,) = tick()
    assert tick() == []
    for file in (home / "data" / "serving").glob("predictions.db*"):
        file.unlink()
    answer(home, rows=200, at=3.0)
    (second,) = tick()
    assert first.run_key != second.run_key


def answer(home: Path, *, rows: int, at: float) -> None:
    """Logs a request of `rows` rows as the server would."""
    request = LoggedRequest(
        request_id=f"r{at}",
        dataset="iris",
        model_version="1",
        received_at=at,
        latency_ms=1.0,
        row_count=rows,
        status="answered",
    )
    PredictionLog(Home(home).prediction_log).record(request, [{}] * rows, [{"prediction": "Iris-setosa"}] * rows)
