"""A small contract and draws from a known distribution for it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ml_assets.datasets.contracts import parse_contract
from ml_assets.datasets.spec import DatasetSpec

SPEC: DatasetSpec = parse_contract(
    f"""
name: houses
title: Houses
description: What houses sold for.
task: regression
target: price
sources: [{{name: toy, embedded: toy.gz, sha256: {"a" * 64}}}]
columns:
  area: {{dtype: float, range: [0, 200]}}
  rooms: {{dtype: integer}}
  age: {{dtype: float, missing_share: 0.5}}
  level: {{dtype: float}}
  gone: {{dtype: float, missing_share: 1.0}}
  door: {{dtype: category, allowed: [red, green, blue]}}
  street: {{dtype: category}}
  price: {{dtype: float}}
""",
    origin="houses.yaml",
)


def reference_table(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.gamma(2.0, 20.0, n)
    age[rng.random(n) < 0.1] = np.nan
    return pd.DataFrame(
        {
            "area": rng.normal(100, 20, n),
            "rooms": rng.integers(1, 6, n),
            "age": age,
            "level": np.full(n, 3.0),
            "gone": np.full(n, np.nan),
            "door": rng.choice(["red", "green", "blue"], n, p=[0.6, 0.39, 0.01]).astype(object),
            "street": rng.choice([f"street {i}" for i in range(30)], n).astype(object),
        }
    )


def predictions_for(table: pd.DataFrame) -> list[float]:
    return [float(x) for x in 2 * table["area"] + 10 * table["rooms"]]


def live_window(n: int, seed: int) -> pd.DataFrame:
    table = reference_table(n, seed)
    return table.assign(prediction=predictions_for(table))
