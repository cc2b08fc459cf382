"""`ml-assets promote`: the gate asked again, a person's decision against it, and the way back, each on record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ml_assets_tests.commands import run_in

REASON = "the plant tried it for a week"


def champion(home: Path) -> str:
    done = run_in(home, "ml_assets", "status", "--json")
    return next(row["champion"] for row in json.loads(done.stdout)["datasets"] if row["dataset"] == "iris")


def verdicts(home: Path) -> list[dict[str, Any]]:
    lines = (home / "data" / "reports" / "iris" / "deployments.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.slow
def test_promote_repeats_the_gate_overrules_it_and_goes_back(tmp_path: Path) -> None:
    run = ("ml_assets", "run", "iris", "--families", "linear", "--trials", "1")
    for seed in ("0", "1"):
        done = run_in(tmp_path, *run, "--seed", seed)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "iris: promotion_gate: version 1 (linear) stays" in done.stdout, "a refusal is told and fails no run"
    assert champion(tmp_path) == "version 1 (linear)"
    looks = (tmp_path / "data" / "reports" / "iris" / "test_looks.jsonl").read_text()

    asked = run_in(tmp_path, "ml_assets", "promote", "iris")
    assert asked.returncode == 1, asked.stdout
    assert "version 2 is not promoted; to overrule the gate: ml-assets promote iris --version 2 --force" in asked.stderr
    assert (tmp_path / "data" / "reports" / "iris" / "test_looks.jsonl").read_text() == looks, "no new look"
    for words in (("--force",), ("--force", "--reason", "short"), ("--reason", REASON)):
        assert run_in(tmp_path, "ml_assets", "promote", "iris", *words).returncode == 2
    assert champion(tmp_path) == "version 1 (linear)"

    forced = run_in(tmp_path, "ml_assets", "promote", "iris", "--force", "--reason", REASON)
    assert forced.returncode == 0, forced.stderr
    assert champion(tmp_path) == "version 2 (linear)"
    last = verdicts(tmp_path)[-1]
    assert last["promoted"]
    assert last["forced"]["reason"] == REASON
    assert last["forced"]["by"]
    assert last["forced"]["at"]
    document = json.loads((tmp_path / "data" / "reports" / "iris" / "verdict.json").read_text())
    assert document["forced"] == last["forced"]
    with dg.DagsterInstance.from_config(str(tmp_path / ".dagster")) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["iris", "deployment"]))
        assert event is not None
        assert event.asset_materialization is not None
        assert REASON in str(event.asset_materialization.metadata["reason"].value)

    again = run_in(tmp_path, *run, "--seed", "1")
    assert "tuned_params" not in again.stdout, "what follows the verdict is made again, and nothing before it"
    assert "deployment done" not in again.stdout
    assert champion(tmp_path) == "version 2 (linear)"

    back = ("ml_assets", "promote", "iris", "--version", "1", "--force", "--reason", "version 2 went wrong on Monday")
    assert run_in(tmp_path, *back).returncode == 0
    assert champion(tmp_path) == "version 1 (linear)"
