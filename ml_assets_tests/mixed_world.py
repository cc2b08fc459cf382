"""A made-up table with every dtype, gaps everywhere and names that libraries stumble over, for tests of any folder."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ml_assets.datasets.raw import raw_schema, to_pandas
from ml_assets.datasets.spec import DatasetSpec, Task

if TYPE_CHECKING:
    import pandas as pd

SIZE, ROOMS, LIFT, QUARTER = "size [m²] <net>", "rooms", 'lift, or "ascenseur"', "quarter {north}:"
STREET, BUILT, NOTES, NEVER, SAME, TARGET = "street\nname", "日付", "free text", "never", "same=", "it's\ttarget"
GARDEN = ("garden with old trees", "small flat, no garden", "loft near the harbour", "needs work", "")


def mixed_spec(task: Task = Task.REGRESSION, **more: Any) -> DatasetSpec:
    """Contract of the mixed table."""
    return DatasetSpec.model_validate(
        {
            "name": "mixed",
            "title": "Mixed",
            "task": task,
            "target": TARGET,
            "sources": [{"name": "mixed.csv", "path": "mixed.csv"}],
            "columns": {
                SIZE: {"dtype": "float", "missing_share": 0.5, "range": (0, 500), "unit": "m²"},
                ROOMS: {"dtype": "integer"},
                LIFT: {"dtype": "boolean", "missing_share": 0.5},
                QUARTER: {"dtype": "category", "allowed": ["nord", "süd <b>", "[west]"]},
                STREET: {"dtype": "category", "missing_share": 0.5},
                BUILT: {"dtype": "date", "missing_share": 0.5, "period": ("1900-01-01", "2100-01-01")},
                NOTES: {"dtype": "text", "missing_share": 0.5},
                NEVER: {"dtype": "float", "missing_share": 1.0},
                SAME: {"dtype": "category"},
                TARGET: {"dtype": "float"} if task is Task.REGRESSION else {"dtype": "category"},
            },
            "features": {"ratios": [(SIZE, ROOMS)]},
            **more,
        }
    )


def mixed_raw(spec: DatasetSpec, rows: int = 240, *, classes: int = 5, seed: int = 0) -> pl.DataFrame:
    """Rows of the mixed table whose target depends on size, street, date and text."""
    rng = np.random.default_rng(seed)
    street, note = rng.integers(0, 60, rows), rng.integers(0, len(GARDEN), rows)
    size, day = rng.gamma(4.0, 20.0, rows), rng.integers(-20_000, 19_000, rows)
    effect = np.random.default_rng(99).normal(size=60)
    signal = size / 40 + 1.5 * effect[street] + (note == 0) + day / 20_000 + rng.normal(scale=0.2, size=rows)
    ranks = signal.argsort().argsort()
    gap = rng.random((5, rows)) < 0.1

    def holed(values: list[Any], column: int) -> list[Any]:
        return [None if gone else value for value, gone in zip(values, gap[column], strict=True)]

    moments = [dt.datetime(1970, 1, 1) + dt.timedelta(days=int(d), hours=int(d) % 24) for d in day]
    data = {
        SIZE: holed(size.tolist(), 0),
        ROOMS: (1 + size // 30).astype(int).tolist(),
        LIFT: holed((rng.random(rows) < 0.4).tolist(), 1),
        QUARTER: [("nord", "süd <b>", "[west]")[i % 3] for i in range(rows)],
        STREET: holed([f"rue {s}, [{s}]" for s in street], 2),
        BUILT: holed(moments, 3),
        NOTES: holed([f"{GARDEN[n]} {s}".strip() if GARDEN[n] else "…" for n, s in zip(note, street, strict=True)], 4),
        NEVER: [None] * rows,
        SAME: ["same"] * rows,
        TARGET: signal.tolist()
        if spec.task is Task.REGRESSION
        else [f"class <{rank * classes // rows}>" for rank in ranks],
    }
    schema = {name: kind for name, kind in raw_schema(spec).items() if name in data}
    return pl.DataFrame(data, schema=schema, strict=True)


def mixed_table(spec: DatasetSpec, rows: int = 240, *, classes: int = 5, seed: int = 0) -> pd.DataFrame:
    """The same as the clean table has it."""
    return to_pandas(spec, mixed_raw(spec, rows, classes=classes, seed=seed))
