"""The raw tables that come with the package, as the tests of several folders need them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import polars as pl

from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.datasets.tables import load_raw_table


@cache
def canonical(name: str) -> tuple[DatasetSpec, pl.DataFrame]:
    """Contract and raw table of a built-in dataset."""
    spec = load_contract(name)
    return spec, load_raw_table(spec, mode="embedded", cache=Path("/nonexistent"))
