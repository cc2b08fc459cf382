"""`ml-assets promote`: the gate asked again, a person's decision against it, and the way back, each on record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ml_assets.automation.instance import open_instance
from ml_assets.automation.staleness import find_stale, latest_metadata
from ml_assets.cli import main
from ml_assets.datasets.contracts import load_contract
from ml_assets.definitions import defs
from ml_assets.home import Home
from ml_assets.resources import registry
from ml_assets.resources.tracking import mlflow_client
from ml_assets_tests.commands import run_in

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:sqlalchemy"),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
]

REASON = "the plant tried it for a week"


def champion() -> str:
    found = registry.registered(mlflow_client(), "iris", registry.CHAMPION)
    assert found is not None
    return found.version


def promote(*words: str) -> int:
    """Exit code of the command; 0 where it just ends."""
    try:
        main(["promote", "iris", *words])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def reports(name: str) -> str:
    return (Home.current().reports / "iris" / name).read_text()


def stale() -> Sequence[str]:
    with open_instance(Home.current()) as instance:
        graph = defs.resolve_asset_graph()
        found = find_stale(instance, graph, load_contract("iris"), ["linear"], asked={"seed": 1})
        return [key.path[-1] for key in found.keys]


@pytest.mark.slow
def test_promote_repeats_the_gate_overrules_it_and_goes_back(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in ("0", "1"):
        done = run_in(home, "ml_assets", "run", "iris", "--families", "linear", "--trials", "1", "--seed", seed)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "iris: promotion_gate: version 1 (linear) stays" in done.stdout, "a refusal is told and fails no run"
    assert champion() == "1"
    looks, before = reports("test_looks.jsonl"), set(stale())

    assert promote() == 1
    told = capsys.readouterr()
    assert "version 1 (linear) stays" in told.out
    assert "to overrule the gate: ml-assets promote iris --version 2 --force" in told.err
    assert reports("test_looks.jsonl") == looks, "the same models on the same rows are no new look"
    assert [promote(*words) for words in (("--force",), ("--force", "--reason", "short"), ("--reason", REASON))] == [
        2
    ] * 3
    assert champion() == "1"

    assert promote("--force", "--reason", REASON) == 0
    assert champion() == "2"
    last: dict[str, Any] = json.loads(reports("deployments.jsonl").splitlines()[-1])
    assert last["promoted"]
    assert last["forced"]["reason"] == REASON
    assert last["forced"]["by"]
    assert last["forced"]["at"]
    assert json.loads(reports("verdict.json"))["forced"] == last["forced"]
    tags = mlflow_client().get_model_version("iris", "2").tags
    assert (tags["promoted_by"], tags["forced_reason"]) == ("force", REASON)
    with open_instance(Home.current()) as instance:
        from dagster import AssetKey

        assert REASON in latest_metadata(instance, AssetKey(["iris", "deployment"]))["reason"]
    assert not {"registered_model", "deployment"} & (set(stale()) - before), "only what follows the verdict is stale"

    assert promote("--version", "1", "--force", "--reason", "version 2 went wrong on Monday") == 0
    assert champion() == "1"
