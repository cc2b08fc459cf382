"""Two small contracts, models fitted for them, and a folder of champions; run as a script it serves that folder."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
from fastapi import FastAPI
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from ml_assets.artifacts import write_atomically
from ml_assets.datasets.contracts import parse_contract
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.features.plan import plan_for
from ml_assets.learning.fitted_model import load_verified
from ml_assets.serving.app import create_app
from ml_assets.serving.host import ChampionRef, ModelHost
from ml_assets.serving.prediction_log import PredictionLog
from ml_assets.serving.predictor import PipelinePredictor
from ml_assets.serving.rows import rows_to_frame
from ml_assets.serving.server import build_server, serve

SOURCE = f"sources: [{{name: toy, embedded: toy.gz, sha256: {'a' * 64}}}]"
HOUSES = parse_contract(
    f"""
name: houses
title: Houses
description: What houses sold for.
task: regression
target: price
{SOURCE}
columns:
  area: {{dtype: float, unit: m², range: [10, 300]}}
  rooms: {{dtype: integer}}
  age: {{dtype: float, missing_share: 0.5}}
  colour of door: {{dtype: category, allowed: [red, green]}}
  owner: {{dtype: category, sensitive: names a person}}
  price: {{dtype: float}}
""",
    origin="houses.yaml",
)
PLANTS = parse_contract(
    f"""
name: plants
title: Plants
description: Which plant it is.
task: classification
target: kind
{SOURCE}
columns:
  height: {{dtype: float}}
  kind: {{dtype: category, allowed: [fern, moss, tree]}}
""",
    origin="plants.yaml",
)
SPECS: dict[str, DatasetSpec] = {"houses": HOUSES, "plants": PLANTS}


def house_rows(n: int, *, seed: int = 0, larger: float = 0.0) -> list[dict[str, object]]:
    rng = np.random.default_rng(seed)
    return [
        {
            "area": float(rng.normal(100 + larger, 20)),
            "rooms": int(rng.integers(1, 8)),
            "age": float(rng.uniform(0, 90)) if rng.random() < 0.8 else None,
            "colour of door": str(rng.choice(["red", "green"])),
        }
        for _ in range(n)
    ]


def house_model(level: float = 0.0) -> Pipeline:
    """Prices are twice the area plus `level`, exactly."""
    rows = house_rows(60, seed=9)
    X = rows_to_frame(HOUSES, rows)
    gaps_to_zero = FunctionTransformer(lambda_free_fill, feature_names_out="one-to-one")
    model = make_pipeline(plan_for(HOUSES), gaps_to_zero, LinearRegression())
    return model.fit(X, 2 * X["area"].to_numpy() + level)


def lambda_free_fill(table):
    return table.fillna(0.0)


def plant_model() -> Pipeline:
    heights = np.array([0.1, 0.2, 1.0, 1.2, 9.0, 12.0])
    X = rows_to_frame(PLANTS, [{"height": float(h)} for h in heights])
    model = make_pipeline(plan_for(PLANTS), LogisticRegression())
    return model.fit(X, np.array(["moss", "moss", "fern", "fern", "tree", "tree"], dtype=object))


def publish(folder: Path, dataset: str, version: str, model: Pipeline) -> ChampionRef:
    """Makes `model` the champion."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{dataset}-{version}.joblib"
    joblib.dump(model, file)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    champion = ChampionRef(dataset, version, sha256, str(file), "linear", f"run-{version}", "d" * 64)
    write_atomically(folder / f"{dataset}.json", json.dumps(vars(champion)).encode())
    return champion


def toy_host(folder: Path, *, poll_seconds: float = 0.05) -> ModelHost:
    def resolve(dataset: str) -> ChampionRef | None:
        file = folder / f"{dataset}.json"
        return ChampionRef(**json.loads(file.read_text())) if file.exists() else None

    def load(champion: ChampionRef) -> PipelinePredictor:
        pipeline = load_verified(Path(champion.path), champion.sha256)
        return PipelinePredictor(pipeline, SPECS[champion.dataset].task)

    return ModelHost(resolve, load, SPECS, poll_seconds=poll_seconds, clock=time.time)


@contextmanager
def served(app: FastAPI, record: Path) -> Iterator[str]:
    """Address of a real server in a thread of its own."""
    ready = threading.Event()
    server = build_server(app, port=0, record=record, on_ready=lambda url: ready.set())
    thread = threading.Thread(target=server.serve_until_stopped)
    thread.start()
    try:
        assert ready.wait(30)
        yield server.url
    finally:
        server.should_exit = True
        thread.join()


def main(home: Path, port: int) -> None:
    log = PredictionLog(home / "predictions.db")
    with toy_host(home / "champions") as host:
        app = create_app(host, log, SPECS, started_at=time.time(), version="0")
        serve(app, port=port, record=home / "server.json")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
