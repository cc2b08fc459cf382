"""A short version of `make bench`: it measures what it says, and loading stays near the import of Dagster."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from benchmarks.ingestion import contract, ingestion, look_at, resampled
from benchmarks.overhead import LOADING_GOAL, PEAK_GIB_GOAL, loading, whole_run


def test_loading_the_definitions_costs_little_more_than_importing_dagster() -> None:
    best = min(loading(5).value for _ in range(2))  # a busy machine only ever adds
    assert best <= LOADING_GOAL


@pytest.mark.slow
def test_whole_run_is_measured_against_the_plain_script(tmp_path: Path) -> None:
    against_plain, minutes, memory, again, verdict = whole_run(["iris"], budget=2.0, folder=tmp_path)
    assert against_plain.value > 0.5
    assert 0 < minutes.value < 3
    assert 0.1 < memory.value <= PEAK_GIB_GOAL
    assert again.value < 20
    assert verdict.what == "iris alone: evaluation, comparison, explanations, model_card / budget"
    assert 0.2 < 2.0 * verdict.value < 60 * minutes.value


def test_taking_in_a_table_is_measured_against_reading_it(tmp_path: Path) -> None:
    ratio, memory, growth, last = ingestion(tmp_path, sizes=(10_000, 100_000), repeats=1)
    assert ratio.what == "taking in 1e+05 rows / reading and looking at them"
    assert 1 < ratio.value < 200
    assert memory.value > 1
    assert growth.value == pytest.approx(last.value)
    assert -0.5 < growth.value < 1.5


def test_the_large_table_is_the_same_each_time_and_asks_something_of_every_check(tmp_path: Path) -> None:
    first, again = (pl.read_parquet(resampled(tmp_path / name, 12_000)) for name in ("a", "b"))
    assert first.equals(again)
    assert first.shape == (12_000, 12)
    assert first["number"].n_unique() == 12_000
    assert look_at(resampled(tmp_path / "a", 12_000)) == first.estimated_size()
    spec = contract(resampled(tmp_path / "a", 12_000))
    assert list(spec.columns) == first.columns
    assert {column.dtype for column in spec.columns.values()} == {"float", "integer", "category", "date"}
    assert spec.unique
    assert spec.freshness
