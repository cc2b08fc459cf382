"""Files for a table with a key: rows that take the place of others, and labels that come later."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from ml_assets.datasets.incoming.batches import batch_records, batches
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.datasets.tables import assemble
from ml_assets.home import Home
from ml_assets_tests.intake_world import hand_in, only_reason, take


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def keyed(home: Home) -> DatasetSpec:
    """The contract of a table of a shop, with a key."""
    return DatasetSpec.model_validate(
        {
            "name": "shop",
            "title": "Shop",
            "task": "regression",
            "target": "price",
            "sources": [{"name": "shop.csv", "path": str(home.root / "shop.csv"), "header": True}],
            "key": ["id"],
            "checks": {"label_noise": "off"},
            "columns": {
                "id": {"dtype": "integer", "ignored": "names the row"},
                "size": {"dtype": "float", "range": [0, 100]},
                "kind": {"dtype": "category"},
                "price": {"dtype": "float"},
            },
        }
    )


@pytest.fixture
def shop(home: Home) -> tuple[DatasetSpec, dict[str, pl.DataFrame]]:
    rows = {"id": [*range(1, 41)], "size": [float(i % 7) for i in range(40)], "kind": ["a", "b"] * 20}
    frame = pl.DataFrame({**rows, "price": [float(i) for i in range(40)]})
    return keyed(home), {"shop.csv": frame}


def price_of(spec: DatasetSpec, sources: dict[str, pl.DataFrame], home: Home, id: int) -> float | None:
    table = assemble(spec, sources, batches(spec, home))
    (row,) = table.filter(pl.col("id") == id).iter_rows(named=True)
    price: float | None = row["price"]
    return price


def test_late_labels_update_the_rows_of_their_key_and_unknown_keys_are_refused(
    shop: tuple[DatasetSpec, dict[str, pl.DataFrame]], home: Home
) -> None:
    spec, sources = shop
    labels = "price,id\n" + "".join(f"{100 + i},{i}\n" for i in range(3, 13)) + "5,999\n,13\n"
    hand_in(spec, home, "labels.csv", labels)
    (report,) = take(spec, home, sources=sources).files
    assert (report.outcome, report.accepted, report.refused) == ("accepted", 10, 2), report.message
    (record,) = batch_records(spec, home)
    assert record.kind == "labels"
    (frame,) = batches(spec, home).values()
    assert frame.columns == ["id", "price"]
    assert price_of(spec, sources, home, 3) == 103.0
    assert price_of(spec, sources, home, 13) == 12.0, "an empty label takes none away"
    assert assemble(spec, sources, batches(spec, home)).height == 40
    rules = {(cell["row"], cell["rule"]) for cell in only_reason(home, "shop")["reasons"]}
    assert rules == {(11, "unknown_key"), (12, "label")}


def test_rows_without_labels_come_first_and_their_labels_may_come_in_the_same_round(
    shop: tuple[DatasetSpec, dict[str, pl.DataFrame]], home: Home
) -> None:
    spec, sources = shop
    hand_in(spec, home, "a labels.csv", "id,price\n41,7.5\n")
    hand_in(spec, home, "b rows.csv", "id,size,kind\n41,3,a\n42,4,b\n")
    rows, labels = take(spec, home, sources=sources).files
    assert (rows.outcome, rows.accepted) == ("accepted", 2), rows.message
    assert (labels.outcome, labels.accepted) == ("accepted", 1), labels.message
    assert [record.kind for record in batch_records(spec, home)] == ["rows", "labels"]
    assert price_of(spec, sources, home, 41) == 7.5
    assert price_of(spec, sources, home, 42) is None
    hand_in(spec, home, "c.csv", "id,size,kind,price\n42,9,b,1.5\n41,9,a,\n")
    take(spec, home, sources=sources)
    assert price_of(spec, sources, home, 42) == 1.5
    assert price_of(spec, sources, home, 41) == 7.5
    assert assemble(spec, sources, batches(spec, home)).height == 42


def test_row_that_could_not_be_read_does_not_make_a_later_one_of_its_key_a_repeat(
    shop: tuple[DatasetSpec, dict[str, pl.DataFrame]], home: Home
) -> None:
    spec, sources = shop
    good = "".join(f"{i},2,a,1\n" for i in range(72, 80))
    hand_in(spec, home, "a.csv", f"id,size,kind,price\n71,big,a,1\n71,2,a,1\n{good}72,3,b,4\n")
    (report,) = take(spec, home, sources=sources).files
    assert (report.accepted, report.refused) == (9, 2), report.message
    rules = {(cell["row"], cell["rule"]) for cell in only_reason(home, "shop")["reasons"]}
    assert rules == {(1, "number"), (11, "repeat")}


def test_file_with_some_columns_only_is_no_batch_of_labels(
    shop: tuple[DatasetSpec, dict[str, pl.DataFrame]], home: Home
) -> None:
    spec, sources = shop
    hand_in(spec, home, "a.csv", "id,kind,price\n1,a,2\n")
    (report,) = take(spec, home, sources=sources).files
    assert report.outcome == "refused"
    assert "'size' is missing" in report.message
