from __future__ import annotations

import datetime as dt
import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_assets.datasets.versions.difference import column_figures, difference
from ml_assets_tests.canonical import canonical

rows = st.lists(st.tuples(st.integers(0, 4), st.sampled_from([None, 0.5, 1.5])), max_size=12)


def _wine() -> pl.DataFrame:
    """Wines that their figures tell apart, numbered."""
    table = canonical("wine_quality")[1].unique(maintain_order=True)
    return table.select(pl.int_range(pl.len()).alias("bottle"), pl.all())


def test_edits_of_a_real_table_are_told_by_key() -> None:
    old = _wine()
    edits = pl.col("bottle").is_in([7, 100, 4000])
    new = old.with_columns(
        pl.when(edits).then(pl.col("alcohol") + 1).otherwise(pl.col("alcohol")).alias("alcohol"),
        pl.when(pl.col("bottle") == 7).then(None).otherwise(pl.col("ph")).alias("ph"),
    ).filter(~pl.col("bottle").is_in([3, 5000]))
    added = old.head(2).with_columns(pl.col("bottle") + 100_000)
    found = difference(old, pl.concat([added, new[::-1]]), key=("bottle",))
    assert (found.counts.added, found.counts.removed, found.counts.changed) == (2, 2, 3)
    assert found.added.equals(added)
    assert found.removed["bottle"].to_list() == [3, 5000]
    cells = {key["bottle"]: cells for key, cells in found.changed_cells()}
    alcohol, ph = (old.filter(pl.col("bottle") == 7)[name].item() for name in ("alcohol", "ph"))
    assert cells[7] == {"alcohol": (alcohol, alcohol + 1), "ph": (ph, None)}
    assert set(cells) == {7, 100, 4000}
    assert found.after["bottle"].to_list() == found.before["bottle"].to_list()


def test_without_a_key_a_changed_row_is_one_removed_and_one_added() -> None:
    old = _wine()
    new = old.with_columns(pl.when(pl.col("bottle") == 7).then(9.25).otherwise(pl.col("alcohol")).alias("alcohol"))
    found = difference(old, new, key=())
    assert (found.counts.added, found.counts.removed, found.counts.changed) == (1, 1, 0)
    assert found.added["alcohol"].to_list() == [9.25]
    assert difference(old, new, key=("a column that is gone",)).counts == found.counts


def test_order_and_batch_do_not_count_and_copies_do() -> None:
    _, wine = canonical("wine_quality")
    moved = wine[::-1].with_columns(batch=pl.lit("monday.csv"))
    assert difference(wine, moved, key=()).counts == difference(wine, wine, key=()).counts
    assert difference(wine, moved, key=()).counts.added == 0
    copies = wine.filter(wine.is_duplicated())
    fewer = difference(wine, wine.unique(maintain_order=True), key=()).counts
    assert fewer.removed == wine.height - wine.unique().height
    assert fewer.removed < copies.height
    assert difference(wine, pl.concat([wine, wine[:3]]), key=()).counts.added == 3


def test_rows_whose_key_is_doubled_or_missing_are_added_and_removed() -> None:
    old = pl.DataFrame({"k": [1, 2, 2, None], "x": [1.0, 2.0, 3.0, 4.0]})
    new = pl.DataFrame({"k": [1, 2, 2, None], "x": [1.5, 2.5, 3.5, 4.5]})
    counts = difference(old, new, key=("k",)).counts
    assert (counts.added, counts.removed, counts.changed) == (3, 3, 1)


def test_columns_that_only_one_version_has_are_named_and_not_compared() -> None:
    old = _wine()
    new = old.drop("ph").with_columns(pl.col("quality").cast(pl.Float64), price=pl.lit(3.5))
    found = difference(old, new, key=("bottle",))
    assert (found.columns_added, found.columns_removed) == (("price",), ("ph",))
    assert found.columns_retyped == ("quality",)
    assert (found.counts.added, found.counts.removed, found.counts.changed) == (0, 0, 0)
    nothing = difference(pl.DataFrame({"a": [1]}), pl.DataFrame({"b": [1, 2]}), key=())
    assert (nothing.counts.added, nothing.counts.removed) == (2, 1)


@settings(deadline=None)
@given(rows, rows)
def test_what_is_added_and_removed_makes_the_one_table_of_the_other(old: list, new: list) -> None:  # type: ignore[type-arg]
    before, after = (pl.DataFrame(r, schema={"k": pl.Int64, "x": pl.Float64}, orient="row") for r in (old, new))
    for key in ((), ("k",)):
        found = difference(before, after, key=key)
        kept = sorted(map(repr, before.rows()))
        for row in (*found.removed.rows(), *found.before.rows()):
            kept.remove(repr(row))
        assert sorted([*kept, *map(repr, (*found.added.rows(), *found.after.rows()))]) == sorted(
            map(repr, after.rows())
        )
        assert len(list(found.changed_cells())) == found.counts.changed
        assert all(cells for _, cells in found.changed_cells())


def test_figures_say_what_a_column_holds() -> None:
    found = column_figures(
        pl.DataFrame(
            {
                "number": [1.0, 3.0, None],
                "label": ["b", "a", "b"],
                "flag": [True, None, True],
                "when": [dt.datetime(2024, 1, 2), None, dt.datetime(2023, 1, 2)],
                "none": pl.Series([None, None, None], dtype=pl.Float64),
            }
        )
    )
    assert found["number"] == {
        "missing": 1,
        "distinct": 2,
        "mean": 2.0,
        "std": pytest.approx(math.sqrt(2)),
        "min": 1.0,
        "max": 3.0,
    }
    assert found["label"] == {"missing": 0, "distinct": 2, "top": {"b": 2, "a": 1}}
    assert found["flag"] == {"missing": 1, "distinct": 1, "top": {"true": 2}}
    assert found["when"] == {
        "missing": 1,
        "distinct": 2,
        "min": dt.datetime(2023, 1, 2),
        "max": dt.datetime(2024, 1, 2),
    }
    assert found["none"] == {"missing": 3, "distinct": 0, "mean": None, "std": None, "min": None, "max": None}
