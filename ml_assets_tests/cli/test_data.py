"""`data log`, `data diff`, `data checkout` and `gc` on versions that were committed to a home without models."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from ml_assets.cli import cli
from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.raw import conform_raw
from ml_assets.datasets.versions.store import TableVersions
from ml_assets.errors import SettingError, UnknownNameError, UserError
from ml_assets_tests.canonical import canonical

ML_ASSETS = CliRunner()


def _run(*words: str) -> Result:
    """A command's result; its error, if it has one, is raised."""
    return ML_ASSETS.invoke(cli, words, catch_exceptions=False)


@pytest.fixture
def wine(home: Path) -> TableVersions:
    """Three versions of wine: as it is, five rows edited and two added, and one row fewer."""
    spec, first = canonical("wine_quality")
    versions = TableVersions(home / "data" / "raw" / "wine_quality")
    edited = pl.when(pl.int_range(pl.len()) % 1300 == 0).then(pl.col("ph") + 0.5).otherwise(pl.col("ph"))
    added = first.tail(2).with_columns(pl.col("alcohol") + 3, batch=pl.lit("=monday.csv"))
    second = pl.concat([first.with_columns(edited), added])
    for day, table in enumerate((first, second, second[1:])):
        versions.commit(table, spec=spec, created_at=day * 86_400.0, source_fingerprint="")
    return versions


def test_log_shows_each_version_newest_first_with_what_changed(wine: TableVersions) -> None:
    wine.pin(wine.find("1"))
    document = json.loads(_run("data", "log", "wine_quality", "--json").stdout)
    assert document["dataset"] == "wine_quality"
    shown = [(v["number"], v["rows"], v["added"], v["removed"], v["changed"]) for v in document["versions"]]
    assert shown == [(3, 6498, 0, 1, 0), (2, 6499, 7, 5, 0), (1, 6497, 6497, 0, 0)]
    newest, _, oldest = document["versions"]
    assert (newest["current"], newest["held"], newest["models"]) == (True, False, [])
    assert (oldest["current"], oldest["held"]) == (False, True)
    assert oldest["id"] == wine.find("1").id
    assert newest["created_at"] == "1970-01-03T00:00:00+00:00"
    assert newest["batches"] == {"winequality-white.csv": 4898, "winequality-red.csv": 1598, "=monday.csv": 2}
    assert newest["bytes"] < oldest["bytes"] / 10

    lines = _run("data", "log", "wine_quality").stdout.splitlines()
    assert lines[0].split() == ["version", "id", "made", "rows", "added", "removed", "changed", "on", "disk", "models"]
    assert wine.find("3").short in lines[1]
    assert lines[1].rstrip().endswith("current")
    assert {"6,499", "+7", "−5", "~0"} <= set(lines[2].split())
    assert lines[3].rstrip().endswith("held")


def test_a_dataset_without_versions_says_how_to_get_one(home: Path) -> None:
    assert "iris has no versions yet: `ml-assets run iris`" in _run("data", "log", "iris").stdout
    with pytest.raises(UserError, match="iris has no versions yet"):
        _run("data", "diff", "iris", "1", "2")


@pytest.mark.parametrize("name", ["wine", "../raw/wine_quality", "", "wine_quality/"])
def test_a_dataset_that_is_not_there_is_told(name: str, wine: TableVersions) -> None:
    with pytest.raises(UnknownNameError, match="unknown dataset"):
        _run("data", "log", name)


def test_versions_of_a_dataset_whose_contract_is_gone_are_still_shown(wine: TableVersions) -> None:
    left_behind = wine.folder.rename(wine.folder.with_name("old_wine"))
    assert len(json.loads(_run("data", "log", "old_wine", "--json").stdout)["versions"]) == 3
    assert "+7 added" in _run("data", "diff", "old_wine", "1", "2").stdout
    assert TableVersions(left_behind).log()


def test_diff_tells_rows_and_puts_figures_side_by_side(wine: TableVersions) -> None:
    document = json.loads(_run("data", "diff", "wine_quality", "1", "2", "--json", "--rows", "3").stdout)
    assert (document["added"], document["removed"], document["changed"]) == (7, 5, 0)
    assert (document["from"]["number"], document["to"]["rows"]) == (1, 6499)
    assert document["columns"]["ph"]["from"]["mean"] < document["columns"]["ph"]["to"]["mean"]
    assert document["columns"]["chlorides"]["from"]["min"] == document["columns"]["chlorides"]["to"]["min"]
    assert document["columns"]["batch"]["to"]["top"] == {
        "winequality-white.csv": 4898,
        "winequality-red.csv": 1599,
        "=monday.csv": 2,
    }
    added, removed = document["rows"]["added"], document["rows"]["removed"]
    assert (len(added), len(removed)) == (3, 3)
    assert added[0]["ph"] == pytest.approx(removed[0]["ph"] + 0.5)

    text = _run("data", "diff", "wine_quality", "1", "2", "--rows", "1").stdout
    assert "6,497 → 6,499 rows" in text
    assert "+7 added, −5 removed, ~0 changed" in text
    assert "added (1 of 7)" in text
    assert next(line for line in text.splitlines() if line.startswith("ph ")).count("→") >= 2
    back = _run("data", "diff", "wine_quality", "latest", "previous").stdout
    assert "+1 added, −0 removed" in back


def test_diff_tells_changed_cells_where_the_contract_has_a_key(home: Path) -> None:
    text = """
name: shop
title: Shop
task: regression
target: price
key: [id]
sources: [{name: shop.csv, path: shop.csv}]
columns:
  id: {dtype: integer}
  "[bold]kind": {dtype: category}
  seen: {dtype: date, missing_share: 1}
  price: {dtype: float}
"""
    home.joinpath("datasets").mkdir(parents=True)
    home.joinpath("datasets", "shop.yaml").write_text(text)
    spec, versions = load_contract("shop"), TableVersions(home / "data" / "raw" / "shop")
    rows = {
        "id": [1, 2, 3],
        "[bold]kind": ["a", "b", "\x1b[31mred"],
        "seen": [None] * 3,
        "price": [1.0, 2.0, float("inf")],
    }
    old = conform_raw(spec, pl.DataFrame(rows).with_columns(batch=pl.lit("shop.csv")), origin="test")
    for table in (
        old,
        old.with_columns(pl.when(pl.col("id") < 3).then(pl.col("price") * 2).otherwise(pl.col("price"))),
    ):
        versions.commit(table, spec=spec, created_at=0.0, source_fingerprint="")
    document = json.loads(_run("data", "diff", "shop", "1", "2", "--json").stdout)
    assert (document["key"], document["changed"], document["added"]) == (["id"], 2, 0)
    assert document["rows"]["changed"][1] == {"key": {"id": 2}, "columns": {"price": [2.0, 4.0]}}
    assert document["columns"]["price"]["from"]["max"] == "inf"
    shown = _run("data", "diff", "shop", "1", "2").stdout
    assert "changed (2 of 2)" in shown
    assert "price: 2.000 → 4.000" in shown
    assert "[bold]kind" in shown
    assert "\x1b" not in shown


def test_checkout_holds_a_dataset_and_lets_it_go(wine: TableVersions) -> None:
    said = _run("data", "checkout", "wine_quality", wine.find("1").short).stdout
    assert "wine_quality is held at version 1" in said
    assert "ml-assets data checkout wine_quality latest" in said
    assert wine.pinned() == wine.find("1")
    assert "no longer held at version 1" in _run("data", "checkout", "wine_quality", "latest").stdout
    assert wine.pinned() is None
    with pytest.raises(UnknownNameError, match="unknown version of wine_quality '7'"):
        _run("data", "checkout", "wine_quality", "7")


def test_checkout_writes_the_table_of_a_version(wine: TableVersions, tmp_path: Path) -> None:
    table = wine.read(wine.find("2"))
    said = _run("data", "checkout", "wine_quality", "2", "-o", str(tmp_path / "then.parquet")).stdout
    assert "6,499 rows of wine_quality, version 2" in said
    assert wine.pinned() is None
    assert pl.read_parquet(tmp_path / "then.parquet").equals(table)
    _run("data", "checkout", "wine_quality", "2", "-o", str(tmp_path / "then.csv"))
    back = pl.read_csv(tmp_path / "then.csv", schema=table.schema)
    assert back["batch"][-1] == "'=monday.csv", "a spreadsheet shows it and runs nothing"
    assert back.drop("batch").equals(table.drop("batch"))
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == ["then.csv", "then.parquet"]


def test_checkout_refuses_a_file_it_cannot_write(wine: TableVersions, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"ends neither in .csv nor in .parquet"):
        _run("data", "checkout", "wine_quality", "2", "-o", str(tmp_path / "then.xlsx"))
    with pytest.raises(UserError, match="cannot be written"):
        _run("data", "checkout", "wine_quality", "2", "-o", str(tmp_path / "nowhere" / "then.csv"))


def test_gc_frees_old_versions_and_says_what(wine: TableVersions) -> None:
    wine.pin(wine.find("1"))
    dry = _run("gc", "--keep", "1", "--dry-run").stdout
    assert f"wine_quality: would go: version 2 ({wine.find('2').short})" in dry
    assert "would be freed" in dry
    assert len(wine.log()) == 3
    assert "would go" not in _run("gc", "--dry-run").stdout, "ten are kept by default"
    assert "would go" not in _run("gc", "--keep", "1", "--older-than", "1e9", "--dry-run").stdout
    assert "wine_quality: removed: version 2" in _run("gc", "--keep", "1").stdout
    assert [v.number for v in wine.log()] == [1, 3]
    assert _run("gc", "--keep", "1").stdout == "0 kB freed\n"
    assert wine.read(wine.find("3")).height == 6498


def test_gc_refuses_to_keep_nothing(home: Path) -> None:
    with pytest.raises(SettingError, match="keeping 0 versions would leave none"):
        _run("gc", "--keep", "0")
