from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from version_worlds import edited, resampled

from ml_assets.datasets.versions.alignment import NOWHERE, align, align_grown
from ml_assets.datasets.versions.layout import MOST_PACKS, Layout, Pack, follow

cells = st.lists(
    st.tuples(
        st.sampled_from([None, 0.0, -0.0, 1.5, float("nan")]),
        st.sampled_from([None, "", "a"]),
        st.booleans() | st.none(),
    ),
    max_size=30,
)


def _table(rows: list[tuple[float | None, str | None, bool | None]]) -> pl.DataFrame:
    schema = {"number": pl.Float64, "text": pl.String, "flag": pl.Boolean}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _bits(table: pl.DataFrame) -> list[tuple[str, ...]]:
    return [tuple(map(repr, row)) for row in table.iter_rows()]


@settings(deadline=None)
@given(cells, cells)
def test_a_row_is_found_exactly_where_one_of_the_same_bits_stands(old: list, new: list) -> None:  # type: ignore[type-arg]
    before, after = _table(old), _table(new)
    places = align(before, after)
    known, looked_for = _bits(before), _bits(after)
    for place, row in zip(places.tolist(), looked_for, strict=True):
        assert known[place] == row if place != NOWHERE else row not in known


@pytest.mark.parametrize("rows", [50, 20_000])
def test_an_edited_table_is_found_in_few_stretches(rows: int) -> None:
    old = resampled("california_housing", rows)
    new = edited(old, share=0.01, seed=1)
    places = align(old, new)
    edits = round(0.01 * rows / 3) or 1
    assert np.count_nonzero(places == NOWHERE) == 2 * edits
    assert np.count_nonzero(np.diff(places) != 1) <= 5 * edits + 1


def test_rows_that_a_table_holds_hundreds_of_times_are_taken_from_their_own_stretch() -> None:
    rare = resampled("iris", 30)
    old = rare[np.random.default_rng(0).integers(0, 30, 10_000)]
    gone = np.random.default_rng(1).random(10_000) < 0.01
    places = align(old, old.filter(~gone))
    assert (places != NOWHERE).all()
    assert np.count_nonzero(np.diff(places) != 1) < 2 * gone.sum()


def test_a_shuffled_table_is_found_row_by_row() -> None:
    old = resampled("wine_quality", 5000)
    order = np.random.default_rng(0).permutation(5000)
    places = align(old, old[order])
    assert old[places].equals(old[order])


class Shelf:
    """Takes note of the rows that are stored; a row takes so many bytes."""

    def __init__(self, bytes_a_row: int = 40) -> None:
        self.rows: list[int] = []
        self.bytes_a_row = bytes_a_row

    def store(self, fresh: np.ndarray) -> Pack:  # type: ignore[type-arg]
        self.rows.append(int(fresh.sum()))
        return Pack(f"{len(self.rows):064}", self.rows[-1], self.rows[-1] * self.bytes_a_row)


def _first(rows: int, shelf: Shelf) -> Layout:
    return Layout.of_table(shelf.store(np.ones(rows, dtype=bool)))


segments = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50), st.integers(1, 9)), max_size=20)


@settings(deadline=None)
@given(segments)
def test_a_layout_comes_back_from_its_frame_as_it_was(found: list[tuple[int, int, int]]) -> None:
    packs = tuple(Pack(f"{n:064}", 60, 600) for n in range(4))
    pack = np.repeat([p for p, _, _ in found], [n for _, _, n in found]).astype(np.int64)
    row = np.array([start + i for _, start, n in found for i in range(n)], dtype=np.int64)
    made = Layout.of_rows(packs, pack, row)
    back = Layout.from_frame(made.packs, made.to_frame())
    for layout in (made, back):
        numbers, rows = layout.rows()
        assert [layout.packs[n].sha256 for n in numbers] == [packs[n].sha256 for n in pack]
        np.testing.assert_array_equal(rows, row)
    assert {p.sha256 for p in made.packs} == {packs[n].sha256 for n in pack} or not len(pack)


def test_only_rows_without_a_place_are_stored() -> None:
    shelf = Shelf()
    base = _first(1000, shelf)
    places = np.arange(1000)
    places[[3, 500]] = NOWHERE
    layout = follow(base, places, shelf.store)
    assert shelf.rows == [1000, 2]
    assert layout.length.tolist() == [3, 1, 496, 1, 499]
    assert follow(layout, np.arange(1000)[::-1].copy(), shelf.store).packs == layout.packs
    assert shelf.rows == [1000, 2], "rows in another order need no pack of their own"


def test_a_table_in_which_nearly_everything_changed_is_stored_whole() -> None:
    shelf = Shelf()
    places = np.where(np.arange(1000) < 100, np.arange(1000), NOWHERE)
    layout = follow(_first(1000, shelf), places, shelf.store)
    assert shelf.rows == [1000, 1000]
    assert layout.is_whole_pack


def test_rows_that_compress_to_less_than_a_reference_are_stored_whole_when_scattered() -> None:
    shelf = Shelf(bytes_a_row=1)
    order = np.random.default_rng(0).permutation(1000)
    assert follow(_first(1000, shelf), order, shelf.store).is_whole_pack


def test_many_small_packs_are_brought_together_and_the_large_one_stays() -> None:
    shelf, rows = Shelf(), 10_000
    layout = _first(rows, shelf)
    for step in range(2 * MOST_PACKS):
        places = np.arange(rows)
        places[step * 20 : step * 20 + 20] = NOWHERE
        layout = follow(layout, places, shelf.store)
        assert len(layout.packs) <= MOST_PACKS
    assert layout.packs[0].rows == rows
    assert shelf.rows.count(rows) == 1
    assert sum(shelf.rows[1:]) < 4 * 20 * 2 * MOST_PACKS


@settings(deadline=None)
@given(cells, cells)
def test_rows_after_those_that_are_known_are_found_wherever_they_stood(old: list, more: list) -> None:  # type: ignore[type-arg]
    before, after = _table(old), _table(old * 30 + more)
    places = align_grown(_table(old * 30), after)
    assert places[: len(old) * 30].tolist() == list(range(len(old) * 30)) or len(more) > 0.05 * after.height
    known, looked_for = _bits(before), _bits(after)
    for place, row in zip(places.tolist(), looked_for, strict=True):
        assert _bits(_table(old * 30))[place] == row if place != NOWHERE else row not in known
