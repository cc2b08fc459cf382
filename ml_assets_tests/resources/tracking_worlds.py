"""What the tests of MLflow need of Dagster: a context with a run, in this process and in others."""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ml_assets.resources.registry import Origin, register
from ml_assets.resources.tracking import Tracking, mlflow_client

RUN = "11111111-2222-3333-4444-555555555555"


def context(run_id: str = RUN) -> Any:
    """The part of an asset's context that tracking reads."""
    return SimpleNamespace(log=logging.getLogger("dagster"), run=SimpleNamespace(job_name="ml_pipeline", run_id=run_id))


def origin(dataset: str, *, sha256: str = "a" * 64, family: str = "linear") -> Origin:
    """Where a made-up model comes from."""
    return Origin(
        dataset=dataset,
        family=family,
        dagster_run_id=RUN,
        code_version="1",
        data_hash="d",
        splits_hash="s",
        model_sha256=sha256,
        model_path=f"models/{dataset}/model/{family}/0/pipeline.joblib",
        metric="log_loss",
        cv_score=0.1,
        test_score=0.2,
        fold_scores=(0.1, 0.3),
    )


def wait_at(gate: Path) -> None:
    """Loads MLflow, says that this process is ready, and waits until the gate is open."""
    import mlflow.sklearn  # noqa: F401

    gate.with_name(f"ready-{os.getpid()}").touch()
    while not gate.exists():
        time.sleep(0.001)


def step(dataset: str, families: list[str], gate: Path) -> None:
    """What a step process does: opens the runs of its families and logs."""
    wait_at(gate)
    for family in families:
        with Tracking().family_runs(context(), dataset) as family_run, family_run(family) as run:
            run.log(params={"alpha": 1}, metrics={"cv_log_loss": 0.5}, tags={"model_sha256": family})
        with Tracking().parent_run(context(), dataset) as run:
            run.log(tags={family: "was here"})
    client = mlflow_client()
    client.search_registered_models()


def register_step(dataset: str, run_id: str, gate: Path) -> None:
    """Registers the same bytes as every other process does."""
    wait_at(gate)
    client = mlflow_client()
    register(client, client.get_run(run_id), origin(dataset))


if __name__ == "__main__":
    kind, dataset, what, gate = sys.argv[1:]
    if kind == "step":
        step(dataset, what.split(","), Path(gate))
    else:
        register_step(dataset, what, Path(gate))
