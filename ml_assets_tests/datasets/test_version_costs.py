"""What versions cost: bytes on disk, and time."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from version_worlds import commit, edited, on_disk, resampled

from ml_assets.datasets.versions.layout import MOST_PACKS
from ml_assets.datasets.versions.store import TableVersions, content_id
from ml_assets_tests.canonical import canonical

REAL = ("iris", "boston_housing", "wine_quality", "california_housing")


@pytest.fixture
def versions(tmp_path: Path) -> TableVersions:
    return TableVersions(tmp_path / "raw" / "wine_quality")


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_version_that_differs_in_one_row_of_a_hundred_costs_little_more_than_those(
    name: str, seed: int, tmp_path: Path
) -> None:
    spec, table = canonical(name)
    versions = TableVersions(tmp_path / name)
    first = commit(versions, table, spec)
    whole = on_disk(tmp_path)
    other = edited(table, share=0.01, seed=seed)
    second = commit(versions, other, spec)
    cost = on_disk(tmp_path) - whole
    assert cost <= 0.02 * first.bytes_added + 7_000, "the few kB are what any file of Parquet takes, and the record"
    assert abs(cost - second.bytes_added) < 300
    assert versions.read(second).equals(other)
    assert versions.read(first).equals(table)


def test_one_row_of_a_hundred_of_a_larger_table_costs_one_byte_of_sixty(tmp_path: Path) -> None:
    spec, table = canonical("california_housing")[0], resampled("california_housing", 300_000)
    versions = TableVersions(tmp_path / "california_housing")
    first = commit(versions, table, spec)
    for seed in range(3):
        table = edited(table, share=0.01, seed=seed)
        assert commit(versions, table, spec).bytes_added < first.bytes_added / 60
        current = versions.current()
        assert current is not None
        assert versions.read(current).equals(table)


def test_rows_in_another_order_are_another_version_and_cost_a_fraction(tmp_path: Path) -> None:
    spec, table = canonical("california_housing")
    versions = TableVersions(tmp_path / "california_housing")
    first = commit(versions, table, spec)
    shuffled = table.sample(fraction=1.0, shuffle=True, seed=0)
    second = commit(versions, shuffled, spec)
    assert second.id != first.id
    assert second.packs == first.packs
    assert second.bytes_added < 0.5 * first.bytes_added
    assert (second.added, second.removed) == (0, 0)
    assert versions.read(second).equals(shuffled)


def test_a_long_history_never_needs_more_than_fifty_packs(versions: TableVersions) -> None:
    spec, table = canonical("boston_housing")
    first = commit(versions, table, spec)
    for step in range(MOST_PACKS + 15):
        moved = pl.when(pl.int_range(pl.len()) == step).then(pl.col("crim") + 1).otherwise(pl.col("crim"))
        table = table.with_columns(moved)
        made = commit(versions, table, spec)
        assert len(made.packs) <= MOST_PACKS
        assert made.packs[0] == first.packs[0]
    assert versions.read(made).equals(table)


def test_time_grows_with_the_rows_and_no_faster(tmp_path: Path) -> None:
    """From ten thousand rows to a million; processor time, so that a busy machine does not count."""
    spec, seconds = canonical("california_housing")[0], []
    for rows in (10_000, 100_000, 1_000_000):
        table = resampled("california_housing", rows)
        other = edited(table, share=0.01, seed=0)
        versions = TableVersions(tmp_path / str(rows))
        started = time.process_time()
        commit(versions, table, spec)
        versions.read(commit(versions, other, spec))
        seconds.append(time.process_time() - started)
    assert all(later < 20 * earlier for earlier, later in itertools.pairwise(seconds)), seconds
    assert seconds[-1] < 15, seconds


def test_a_million_rows_are_named_in_a_fraction_of_a_second() -> None:
    table = resampled("california_housing", 1_000_000)
    started = time.process_time()
    content_id(table)
    assert time.process_time() - started < 0.6


def test_a_first_version_is_read_without_putting_rows_together(versions: TableVersions) -> None:
    spec, table = canonical("wine_quality")
    made = commit(versions, table, spec)
    layout = pl.read_parquet(versions.files.layout(made.id))
    assert layout.to_dicts() == [{"pack": 0, "skip": 0, "length": table.height}]
    pack = versions.files.packs.path(made.packs[0])
    assert pl.read_parquet(pack).equals(table)
    assert np.isclose(pack.stat().st_size, made.bytes_added, rtol=0.1)
