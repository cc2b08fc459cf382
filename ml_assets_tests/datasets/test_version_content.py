from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_assets.datasets.versions.content import content_id, content_ids
from ml_assets_tests.canonical import canonical


def every_type() -> pl.DataFrame:
    moments = [dt.datetime(2024, 2, 29, 12, 30), None, dt.datetime(1969, 12, 31)]
    return pl.DataFrame(
        {
            "größe": pl.Series([1.5, None, -0.0], dtype=pl.Float64),
            "count": pl.Series([2**62, -1, None], dtype=pl.Int64),
            "flag": pl.Series([True, None, False], dtype=pl.Boolean),
            "kind": pl.Series(["ä\n", "", None], dtype=pl.String),
            "when": pl.Series(moments, dtype=pl.Datetime("us")),
            "batch": pl.Series(["a.csv"] * 3, dtype=pl.String),
        }
    )


def test_a_content_has_this_id_on_every_machine_and_with_every_version_of_the_libraries() -> None:
    assert content_id(every_type()) == "dd8151485284853f9eaf577d19fb99fbfba3f50ede7868443b54655d9655dd41"


@pytest.mark.parametrize("name", ["iris", "wine_quality", "california_housing"])
def test_an_id_depends_neither_on_chunks_nor_on_the_file_that_held_the_table(name: str, tmp_path: Path) -> None:
    table = canonical(name)[1]
    identity = content_id(table)
    cut = table.height // 3
    assert content_id(pl.concat([table[:cut], table[cut:]], rechunk=False)) == identity
    assert content_id(pl.concat([table[:0], table], rechunk=False)) == identity
    table.write_parquet(tmp_path / "t.parquet", compression="lz4", row_group_size=100)
    assert content_id(pl.read_parquet(tmp_path / "t.parquet")) == identity
    table.write_ipc(tmp_path / "t.arrow")
    assert content_id(pl.read_ipc(tmp_path / "t.arrow")) == identity


def test_what_lies_under_a_missing_value_does_not_count() -> None:
    hidden = pl.DataFrame({"a": [1.0, 7.0], "b": ["x", "y"]}).select(
        pl.when(pl.col("a") < 5).then(pl.col(name)).alias(name) for name in ("a", "b")
    )
    assert content_id(hidden) == content_id(pl.DataFrame({"a": [1.0, None], "b": ["x", None]}))


def test_every_difference_gives_another_id() -> None:
    table = every_type()
    others = [
        table[::-1],
        table[:2],
        table.rename({"count": "Count"}),
        table.select(reversed(table.columns)),
        table.drop("flag"),
        table.with_columns(batch=pl.lit("b.csv")),
        table.with_columns(pl.col("größe").fill_null(0.0)),
        table.with_columns(pl.col("größe").abs()),
        table.with_columns(pl.col("count").cast(pl.Float64)),
        table.with_columns(pl.col("flag").fill_null(False)),
        table.with_columns(pl.col("kind").fill_null("")),
        table.with_columns(pl.Series("kind", ["ä", "\n", None])),
        table.with_columns(pl.col("when").dt.offset_by("1us")),
        table.clear(),
    ]
    assert len({content_id(other) for other in (table, *others)}) == len(others) + 1


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=3)), max_size=6), st.data())
def test_texts_with_other_borders_have_other_ids(texts: list[str | None], data: st.DataObject) -> None:
    others = data.draw(st.permutations(texts))
    same = content_id(_texts(texts)) == content_id(_texts(others))
    assert same == (texts == others)


def _texts(texts: list[str | None]) -> pl.DataFrame:
    return pl.DataFrame({"text": pl.Series(texts, dtype=pl.String)})


def test_a_type_that_raw_tables_do_not_have_is_refused() -> None:
    with pytest.raises(TypeError, match="column 'a' is Int32"):
        content_id(pl.DataFrame({"a": pl.Series([1], dtype=pl.Int32)}))


def test_the_ids_of_the_beginning_and_of_the_whole_are_told_in_one_pass() -> None:
    table = pl.concat([every_type()] * 3)
    for rows in range(table.height + 1):
        assert content_ids(table, rows, table.height) == [content_id(table[:rows]), content_id(table)]
