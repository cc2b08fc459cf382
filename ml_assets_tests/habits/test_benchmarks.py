"""A short version of `make bench`: it measures what it says, and loading stays near the import of Dagster."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.overhead import LOADING_GOAL, PEAK_GIB_GOAL, loading, whole_run


def test_loading_the_definitions_costs_little_more_than_importing_dagster() -> None:
    best = min(loading(5).value for _ in range(2))  # a busy machine only ever adds
    assert best <= LOADING_GOAL


@pytest.mark.slow
def test_whole_run_is_measured_against_the_plain_script(tmp_path: Path) -> None:
    against_plain, minutes, memory, again = whole_run(["iris"], budget=2.0, folder=tmp_path)
    assert against_plain.value > 0.5
    assert 0 < minutes.value < 3
    assert 0.1 < memory.value <= PEAK_GIB_GOAL
    assert again.value < 20
