"""A real daemon and a real server: files and drifted requests become exactly one run each, and the gate decides."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import httpx
import pytest

from ml_assets.families import model_names
from ml_assets_tests.commands import eventually, run_in, started

QUICK = {"ML_ASSETS_BUDGET": "4", "ML_ASSETS_SENSOR_SECONDS": "2"}
USUAL = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
TICKS_SECONDS = 10


@dataclass(frozen=True)
class World:
    """A trained home with a daemon and a server at work."""

    home: Path
    url: str
    instance: dg.DagsterInstance

    def predict(self, rows: list[dict[str, float]]) -> dict[str, object]:
        answer = httpx.post(f"{self.url}/v1/datasets/iris/predict", json={"rows": rows}, timeout=30)
        assert answer.status_code == 200, answer.text
        content: dict[str, object] = answer.json()
        return content

    def runs(self, reason: str) -> list[dg.DagsterRun]:
        return [run for run in self.instance.get_runs() if run.tags.get("ml_assets/reason", "").startswith(reason)]

    def finished(self, reason: str, count: int = 1) -> list[dg.DagsterRun] | None:
        runs = self.runs(reason)
        done = [run for run in runs if run.is_finished]
        return runs if len(done) == len(runs) >= count else None

    def verdicts(self) -> list[dict[str, object]]:
        lines = (self.home / "data" / "reports" / "iris" / "deployments.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("loop")
    done = run_in(home, "ml_assets", "run", "iris", "--trials", "1")
    assert done.returncode == 0, done.stderr
    record = home / "data" / "serving" / "server.json"
    logs = tmp_path_factory.mktemp("logs")
    daemon = ("dagster._daemon", "run", "-w", "workspace.yaml")
    with (
        started(home, *daemon, log=logs / "daemon.log", **QUICK),
        started(home, "ml_assets", "serve", "--port", "0", "--poll", "0.5", log=logs / "server.log"),
        dg.DagsterInstance.from_config(str(home / ".dagster")) as instance,
    ):
        url = eventually(lambda: record.exists() and json.loads(record.read_text())["url"], seconds=60, what="a server")
        yield World(home, url, instance)


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_new_file_becomes_one_run_of_all_families_and_none_on_the_next_tick(world: World) -> None:
    folder = world.home / "data" / "incoming" / "iris"
    folder.mkdir(parents=True)
    names = "sepal_length,sepal_width,petal_length,petal_width,species"
    rows = [f"{5 + i / 10},3.4,1.5,0.2,Iris-setosa" for i in range(5)]
    (folder / "monday.csv").write_text("\n".join([names, *rows]) + "\n")
    (run,) = eventually(lambda: world.finished("incoming files"), seconds=200, what="a run for the file")
    assert run.is_success
    assert run.tags["dagster/asset_partition_range_start"] == model_names()[0]
    assert run.tags["dagster/asset_partition_range_end"] == model_names()[-1]
    time.sleep(TICKS_SECONDS)
    assert len(world.runs("incoming files")) == 1
    raw = world.instance.get_latest_materialization_event(dg.AssetKey(["iris", "raw_table"]))
    assert raw is not None
    assert raw.asset_materialization is not None
    assert raw.asset_materialization.metadata["dagster/row_count"].value == 155


@pytest.mark.slow
@pytest.mark.timeout(290)
def test_drifted_requests_lead_to_one_run_a_verdict_and_a_server_that_says_which_version(world: World) -> None:
    before = world.predict([USUAL])["model"]["version"]
    verdicts = len(world.verdicts())
    for i in range(10):
        world.predict([{**USUAL, "sepal_length": 7.5 + (i + j) / 40, "petal_width": 2.4} for j in range(30)])
    (run,) = eventually(lambda: world.finished("retrain"), seconds=240, what="a run for the decision to retrain")
    assert run.is_success
    assert "sepal_length" in run.tags["ml_assets/reason"]
    time.sleep(TICKS_SECONDS)
    assert len(world.runs("retrain")) == 1, "the same rows never cause a second run"

    assert len(world.verdicts()) == verdicts + 1
    verdict = world.verdicts()[-1]
    assert verdict["reason"]
    champion = run_in(world.home, "ml_assets", "status", "--json")
    rows = {row["dataset"]: row["champion"] for row in json.loads(champion.stdout)["datasets"]}
    after = eventually(
        lambda: (v := world.predict([USUAL])["model"]["version"]) in rows["iris"] and v,
        seconds=15,
        what="an answer from the champion",
    )
    assert (after != before) == verdict["promoted"]
    words = ("dagster", "asset", "materialize", "-m", "ml_assets", "--select", "key:iris/serving_probe")
    probe = run_in(world.home, *words)
    assert probe.returncode == 0, probe.stderr
    event = world.instance.get_latest_materialization_event(dg.AssetKey(["iris", "serving_probe"]))
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.metadata["served_version"].value == after
