from __future__ import annotations

import itertools
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from version_worlds import commit, contract, on_disk

from ml_assets.datasets.versions.store import TableVersions, content_id
from ml_assets.errors import UnknownNameError, UserError
from ml_assets_tests.canonical import canonical


@pytest.fixture
def versions(tmp_path: Path) -> TableVersions:
    return TableVersions(tmp_path / "raw" / "wine_quality")


def test_a_version_says_what_it_holds_and_where_it_comes_from(versions: TableVersions) -> None:
    spec, table = canonical("wine_quality")
    made = versions.commit(table, spec=spec, created_at=12.5, source_fingerprint="f")
    assert (made.id, made.number, made.created_at, made.parent) == (content_id(table), 1, 12.5, None)
    assert (made.rows, made.columns) == (table.height, tuple(table.columns))
    assert (made.added, made.removed, made.changed) == (table.height, 0, 0)
    assert made.batches == {"winequality-red.csv": 1599, "winequality-white.csv": 4898}
    assert type(spec).model_validate(made.contract) == spec
    assert made.source_fingerprint == "f"
    assert versions.read(made).equals(table)
    assert TableVersions(versions.folder).current() == made


def test_the_same_content_is_the_same_version_however_it_is_stored_in_memory(versions: TableVersions) -> None:
    spec, table = canonical("wine_quality")
    first = commit(versions, table, spec)
    before = on_disk(versions.folder)
    cut = pl.concat([table[:100], table[100:]], rechunk=False)
    assert commit(versions, cut, spec, at=5.0) == first
    assert on_disk(versions.folder) == before


def test_going_back_to_an_earlier_content_makes_that_version_current_again(versions: TableVersions) -> None:
    spec, table = canonical("wine_quality")
    first = commit(versions, table, spec)
    second = commit(versions, table[:-5], spec)
    assert (second.number, second.parent) == (2, first.id)
    assert (second.added, second.removed) == (0, 5)
    assert commit(versions, table, spec) == first
    assert versions.current() == first
    assert versions.find("latest") == first
    assert versions.find("previous") == versions.previous() == second
    third = commit(versions, table[:-6], spec)
    assert (third.number, third.parent) == (3, first.id)
    assert [v.number for v in versions.log()] == [1, 2, 3]


def test_versions_are_found_by_number_by_the_beginning_of_their_id_and_by_name(versions: TableVersions) -> None:
    spec, table = canonical("wine_quality")
    with pytest.raises(UserError, match="wine_quality has no versions yet: `ml-assets run wine_quality`"):
        versions.find("latest")
    made = [commit(versions, table[: 10 + n], spec) for n in range(12)]
    for version in made:
        assert versions.find(str(version.number)) == version
        assert versions.find(version.short) == version
    assert (versions.find("latest"), versions.find("previous")) == (made[-1], made[-2])
    with pytest.raises(UnknownNameError, match="unknown version of wine_quality 'latets': did you mean 'latest'"):
        versions.find("latets")
    for name in ("21", "", made[0].id[:3], made[0].id + "0"):
        with pytest.raises(UnknownNameError):
            versions.find(name)


def test_a_beginning_that_two_ids_share_is_refused(versions: TableVersions) -> None:
    spec, table = canonical("wine_quality")
    by_beginning: dict[str, int] = {}
    for rows in itertools.count(1):
        beginning = content_id(table[:rows])[:4]
        if (other := by_beginning.setdefault(beginning, rows)) != rows:
            break
    same = [commit(versions, table[:n], spec) for n in (other, rows)]
    with pytest.raises(
        UserError, match=f"2 versions of wine_quality begin with '{beginning}': .*; give more of the id"
    ):
        versions.find(beginning)
    assert versions.find(same[0].short) == same[0]


def test_only_one_version_has_none_before_it(versions: TableVersions) -> None:
    commit(versions, canonical("wine_quality")[1], canonical("wine_quality")[0])
    with pytest.raises(UserError, match=r"no version before version 1 \("):
        versions.find("previous")


def test_a_contract_with_other_columns_begins_a_new_pack_and_leaves_the_old_versions_readable(
    versions: TableVersions,
) -> None:
    spec, table = canonical("wine_quality")
    first = commit(versions, table, spec)
    columns = {n: c for n, c in spec.columns.items() if n != "ph"}
    other = contract("wine_quality", columns=columns)
    second = commit(versions, table.drop("ph"), other)
    assert second.packs != first.packs
    assert "ph" not in second.contract["columns"]
    assert "ph" in first.contract["columns"]
    third = commit(versions, table.drop("ph")[3:], other)
    assert third.packs == second.packs
    assert [versions.read(v).width for v in versions.log()] == [14, 13, 13]


def test_a_table_of_every_type_with_gaps_comes_back_bit_for_bit(versions: TableVersions) -> None:
    numbers = [1.5, None, -0.0, 0.0, float("inf")] * 50
    table = pl.DataFrame(
        {
            "number": pl.Series(numbers, dtype=pl.Float64),
            "count": pl.Series([None, 2**62, -1, 0, 1] * 50, dtype=pl.Int64),
            "flag": pl.Series([None, True, False, True, None] * 50, dtype=pl.Boolean),
            "text": pl.Series(["", None, "ü\r\n", '"', "=1"] * 50, dtype=pl.String),
            "when": pl.Series([None, 0, 1, -1, 2**50] * 50, dtype=pl.Int64).cast(pl.Datetime("us")),
            "batch": pl.Series(["a", "b", "c", "d", "e"] * 50, dtype=pl.String),
        }
    )
    spec = canonical("wine_quality")[0]
    for part in (table, table[7:], table.with_columns(pl.col("number") * -1), table[:0], table[::-1]):
        assert content_id(versions.read(commit(versions, part, spec))) == content_id(part)


values = st.tuples(st.sampled_from([None, 0.5, 1.5, 2.5]), st.sampled_from([None, "a", "b"]))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.lists(values, max_size=25), min_size=1, max_size=6))
def test_every_version_of_any_history_comes_back(
    tmp_path_factory: pytest.TempPathFactory, history: list[list[tuple[float | None, str | None]]]
) -> None:
    versions, spec = TableVersions(tmp_path_factory.mktemp("history") / "any"), canonical("iris")[0]
    schema = {"x": pl.Float64, "y": pl.String, "batch": pl.String}
    tables = [pl.DataFrame([(*row, "b") for row in rows], schema=schema, orient="row") for rows in history]
    made = [commit(versions, table, spec) for table in tables]
    for table, version in zip(tables, made, strict=True):
        assert versions.read(version).equals(table)
    assert len(versions.log()) == len({content_id(table) for table in tables})
    assert versions.current() == made[-1]


def test_rows_of_the_same_key_count_as_changed(versions: TableVersions) -> None:
    spec, table = canonical("wine_quality")
    spec = spec.model_copy(update={"key": ("density",)})
    table = table.unique("density", keep="first", maintain_order=True)
    commit(versions, table, spec)
    moved = pl.when(pl.int_range(pl.len()) < 4).then(pl.col("ph") + 1).otherwise(pl.col("ph"))
    made = commit(versions, table.with_columns(moved)[:-2], spec)
    assert (made.added, made.removed, made.changed) == (0, 2, 4)


def test_a_clean_table_leads_back_to_the_version_that_it_came_from(versions: TableVersions) -> None:
    spec, table = canonical("wine_quality")
    first, second = commit(versions, table, spec), commit(versions, table[1:], spec)
    one, other = "a" * 64, "b" * 64
    versions.derive(one, first.id)
    versions.derive(other, second.id)
    assert versions.origin_of(one) == first
    assert versions.origin_of(other) == second
    versions.derive(one, second.id)
    assert versions.origin_of(one) == second
    assert versions.origin_of("c" * 64) is None
    (versions.folder / "secret.json").write_text(json.dumps({"version": first.id}))
    assert versions.origin_of("../secret") is None


def test_a_dataset_is_held_at_a_version_until_it_is_let_go(versions: TableVersions) -> None:
    spec, table = canonical("wine_quality")
    first, second = commit(versions, table, spec), commit(versions, table[1:], spec)
    assert versions.pinned() is None
    versions.pin(first)
    assert TableVersions(versions.folder).pinned() == first
    assert versions.current() == second
    versions.pin(None)
    versions.pin(None)
    assert versions.pinned() is None


def test_a_sample_of_a_version_is_rows_of_it_in_order_and_the_same_each_time(versions: TableVersions) -> None:
    spec, table = canonical("wine_quality")
    numbered = table.with_columns(pl.int_range(pl.len()).cast(pl.Float64).alias("ph"))
    commit(versions, numbered.head(5000), spec)
    made = commit(versions, numbered, spec)
    assert len(made.packs) == 2
    sample = versions.sample(made, 300, seed=1)
    assert sample["ph"].is_sorted()
    assert sample["ph"].n_unique() == sample.height == 300
    assert sample.equals(numbered[sample["ph"].cast(pl.Int64).to_list()])
    assert versions.sample(made, 300, seed=1).equals(sample)
    assert not versions.sample(made, 300, seed=2).equals(sample)
    assert versions.sample(made, 10_000, seed=1).equals(numbered)


def test_a_table_that_grew_is_known_by_its_beginning_and_costs_its_new_rows(versions: TableVersions) -> None:
    spec, table = canonical("wine_quality")
    first = commit(versions, table.head(6000), spec)
    grown = pl.concat([table.head(6000), table.tail(60).with_columns(batch=pl.lit("monday.csv"))])
    content = versions.content_of(grown)
    assert (content.id, content.grown_from) == (content_id(grown), first.id)
    second = versions.commit(grown, spec=spec, created_at=1.0, source_fingerprint="f", content=content)
    assert (second.added, second.removed, len(second.packs)) == (60, 0, 2)
    assert second.bytes_added < 0.1 * first.bytes_added
    assert versions.read(second).equals(grown)
    changed = grown.with_columns(pl.when(pl.int_range(pl.len()) == 5).then(9.0).otherwise("ph").alias("ph"))
    assert versions.content_of(changed).grown_from is None


def test_a_version_that_another_process_made_meanwhile_is_what_a_grown_table_is_compared_with(
    versions: TableVersions,
) -> None:
    spec, table = canonical("wine_quality")
    commit(versions, table.head(6000), spec)
    content = versions.content_of(table)
    assert content.grown_from is not None
    commit(versions, table.tail(4000), spec)
    late = versions.commit(table, spec=spec, created_at=2.0, source_fingerprint="f", content=content)
    assert versions.read(late).equals(table)
