"""Incoming files become batches or go to quarantine; what a person hands in is never lost."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.incoming.batches import batch_ids, batch_records, batches, batches_folder, newest_arrival
from ml_assets.datasets.incoming.intake import pending_files, source_state, take_incoming
from ml_assets.datasets.spec import DatasetSpec, Incoming
from ml_assets.datasets.tables import assemble
from ml_assets.errors import IntegrityError, SourceError, StorageError
from ml_assets.home import Home
from ml_assets.validation.contract_checks import check_table
from ml_assets.validation.entries import entries, find_entry, release
from ml_assets_tests.intake_world import (
    IRIS_HEADER,
    accepted_rows,
    canonical,
    hand_in,
    iris_rows,
    leftovers,
    only_reason,
    refused_rows,
    take,
)

IRIS = load_contract("iris")
WINE = load_contract("wine_quality")
BAD_NUMBER = "5.1,wide,1.4,0.2,Iris-setosa\n"
BAD_RANGE = "99,3.5,1.4,0.2,Iris-setosa\n"
RAGGED = "5.1,3.5,1.4\n"
FORMULA = '5.1,3.5,1.4,0.2,"=HYPERLINK(""x"")"\n'


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def with_policy(spec: DatasetSpec, **incoming: object) -> DatasetSpec:
    return spec.model_copy(update={"incoming": Incoming(**incoming)})  # type: ignore[arg-type]


def wine_csv(rows: slice, delimiter: str = ";", **changes: str) -> str:
    """Rows of the red wines, as a laboratory writes them: under the source's names, colour included."""
    names = {name: column.source_name or name for name, column in WINE.columns.items()}
    frame = canonical("wine_quality")["winequality-red.csv"][rows].rename(names)
    text = frame.write_csv(separator=delimiter)
    for old, new in changes.items():
        text = text.replace(old, new)
    return text


def test_good_file_becomes_a_batch_whose_rows_follow_the_sources(home: Home) -> None:
    content = wine_csv(slice(0, 30))
    hand_in(WINE, home, "Wine of Monday.csv", content)
    (report,) = take(WINE, home, now=lambda: 1_795_000_000.0).files
    assert (report.outcome, report.accepted, report.refused) == ("accepted", 30, 0)
    (record,) = batch_records(WINE, home)
    assert record.id == report.batch == f"Wine-of-Monday-{record.sha256[:8]}"
    assert (record.file, record.number, record.rows, record.kind) == ("Wine of Monday.csv", 1, 30, "rows")
    assert record.read_as["delimiter"] == ";"
    (folder,) = batches_folder(WINE, home).iterdir()
    assert folder.name == f"000001-{record.id}"
    assert gzip.decompress((folder / "original" / "Wine of Monday.csv.gz").read_bytes()) == content.encode()
    table = assemble(WINE, canonical("wine_quality"), batches(WINE, home))
    assert table.tail(30)["batch"].unique().to_list() == [record.id]
    assert table.tail(30).drop("batch").equals(table.head(30).drop("batch"), null_equal=True)
    assert not pending_files(WINE, home)
    assert leftovers(home, "wine_quality") == []
    arrival = newest_arrival(WINE, home)
    assert arrival is not None
    assert arrival.isoformat() == "2026-11-18T11:06:40"


def test_bad_rows_go_to_quarantine_with_their_reasons_and_the_others_are_taken(home: Home) -> None:
    hand_in(IRIS, home, "monday.csv", iris_rows(30) + BAD_NUMBER + BAD_RANGE + RAGGED + FORMULA)
    (report,) = take(IRIS, home).files
    assert (report.outcome, report.accepted, report.refused) == ("accepted", 30, 4)
    assert report.entry is not None
    (record,) = batch_records(IRIS, home)
    assert (record.rows, record.accepted, record.refused, record.quarantined) == (34, 30, 4, report.entry)
    told = only_reason(home, "iris")
    assert (told["kind"], told["batch"], told["rows"], told["refused"]) == ("rows", record.id, 34, 4)
    cells = {(cell["row"], cell["column"], cell["rule"]) for cell in told["reasons"]}
    assert {(31, "sepal_width", "number"), (32, "sepal_length", "range"), (33, "", "cells")} <= cells
    assert (34, "species", "formula") in cells
    kept = (home.quarantine / "iris" / report.entry / "rows.csv").read_text()
    assert kept == f"{IRIS_HEADER}\n{BAD_NUMBER}{BAD_RANGE}{RAGGED}" + FORMULA.replace("=", "'=")
    text = (home.quarantine / "iris" / report.entry / "reason.txt").read_text()
    assert "row 31: column 'sepal_width' holds 'wide'" in text
    assert f"quarantine release {report.entry}" in text
    assert leftovers(home, "iris") == []


@pytest.mark.parametrize(
    ("policy", "bad", "outcome"),
    [
        ({"policy": "row"}, 5, "accepted"),
        ({"policy": "row"}, 6, "refused"),
        ({"policy": "row", "largest_bad_share": 1.0}, 19, "accepted"),
        ({"policy": "row", "largest_bad_share": 0.0}, 0, "accepted"),
        ({"policy": "row", "largest_bad_share": 0.0}, 1, "refused"),
        ({"policy": "file"}, 0, "accepted"),
        ({"policy": "file"}, 1, "refused"),
    ],
)
def test_the_contract_decides_from_which_share_of_bad_rows_a_file_is_refused(
    policy: dict[str, object], bad: int, outcome: str, home: Home
) -> None:
    spec = with_policy(IRIS, **policy)
    file = iris_rows(24) + BAD_RANGE * bad
    hand_in(spec, home, "a.csv", file)
    (report,) = take(spec, home).files
    assert report.outcome == outcome
    if outcome == "refused":
        assert only_reason(home, "iris")["kind"] == "file"
        (entry,) = entries(home)
        assert entry.original is not None
        assert entry.original.read_bytes() == file.encode()
        assert batch_ids(spec, home) == ()


def test_the_same_bytes_are_taken_once_whatever_they_are_called(home: Home) -> None:
    hand_in(IRIS, home, "a.csv", iris_rows(5))
    hand_in(IRIS, home, "b.csv", iris_rows(5))
    first, second = take(IRIS, home).files
    hand_in(IRIS, home, "a.csv", iris_rows(5))
    (third,) = take(IRIS, home).files
    assert [r.outcome for r in (first, second, third)] == ["accepted", "taken already", "taken already"]
    assert f"already as batch {first.batch}" in third.message
    assert accepted_rows(IRIS, home) == 5
    assert not pending_files(IRIS, home)
    assert take(IRIS, home).files == ()


def test_the_same_refused_bytes_are_kept_once(home: Home) -> None:
    for name in ("a.csv", "b.csv"):
        hand_in(IRIS, home, name, "x,y\n1,2\n")
        (report,) = take(IRIS, home).files
        assert report.outcome == "refused"
    assert "already as a-" in report.message
    assert len(entries(home)) == 1
    assert not pending_files(IRIS, home)


def test_different_files_of_one_name_are_different_batches_in_order(home: Home) -> None:
    for start in (0, 10, 20):
        hand_in(IRIS, home, "today.csv", iris_rows(5, start=start))
        take(IRIS, home)
    assert [record.number for record in batch_records(IRIS, home)] == [1, 2, 3]
    assert len(set(batch_ids(IRIS, home))) == 3
    assert list(batches(IRIS, home)) == list(batch_ids(IRIS, home))
    assert accepted_rows(IRIS, home) == 15


def test_batch_that_would_break_the_whole_table_is_refused_with_what_the_checks_say(home: Home) -> None:
    copies = f"{IRIS_HEADER}\n" + "5.1,3.5,1.4,0.2,Iris-setosa\n" * 60
    hand_in(IRIS, home, "copies.csv", copies)
    hand_in(IRIS, home, "fine.csv", iris_rows(5))
    refused, fine = take(IRIS, home).files
    assert (refused.outcome, fine.outcome) == ("refused", "accepted")
    told = only_reason(home, "iris")
    assert [check["name"] for check in told["checks"]] == ["duplicates"]
    assert "with it the table breaks its contract" in refused.message
    assert accepted_rows(IRIS, home) == 5


def test_file_waits_while_the_table_breaks_its_contract_without_it(home: Home) -> None:
    demanding = IRIS.model_copy(update={"duplicate_share": 0.0})
    file = hand_in(demanding, home, "a.csv", iris_rows(5))
    (report,) = take(demanding, home).files
    assert report.outcome == "left"
    assert "without it" in report.message
    assert file.is_file()
    assert entries(home) == ()


def test_source_that_cannot_be_had_stops_the_intake_and_leaves_the_files(home: Home) -> None:
    file = hand_in(IRIS, home, "a.csv", iris_rows(5))

    def unreachable(_: object) -> pl.DataFrame:
        raise SourceError("iris.data cannot be had")

    with pytest.raises(SourceError, match="cannot be had"):
        take_incoming(
            IRIS, home=home, base=unreachable, check=lambda t: check_table(IRIS, t), settle_seconds=0, wait=print
        )
    assert file.is_file()
    assert entries(home) == ()
    assert leftovers(home, "iris") == []


def test_a_table_is_up_to_date_once_its_files_are_taken_or_refused_and_not_while_one_waits(home: Home) -> None:
    empty = source_state(IRIS, home, "embedded")
    hand_in(IRIS, home, "a.csv", iris_rows(5))
    hand_in(IRIS, home, "b.csv", "nonsense")
    assert source_state(IRIS, home, "embedded") != empty
    assert source_state(IRIS, home, "embedded", waiting=False) == empty
    take(IRIS, home)
    taken = source_state(IRIS, home, "embedded", waiting=False)
    assert taken == source_state(IRIS, home, "embedded") != empty
    hand_in(IRIS, home, "c.csv", "nonsense")
    assert source_state(IRIS, home, "embedded") != taken
    take(IRIS, home)
    assert source_state(IRIS, home, "embedded") == taken, "a refused file changes nothing"


def test_released_rows_are_validated_again_as_they_were_corrected(home: Home) -> None:
    hand_in(IRIS, home, "monday.csv", iris_rows(30) + BAD_NUMBER + BAD_RANGE)
    take(IRIS, home)
    entry = find_entry(home, "monday")
    rows = entry.folder / "rows.csv"
    rows.write_text(rows.read_text().replace("wide", "3.3"))
    release(home, entry, reason="", now=lambda: 0.0)
    (report,) = take(with_policy(IRIS, largest_bad_share=0.9), home).files
    assert (report.accepted, report.refused) == (1, 1)
    assert accepted_rows(IRIS, home) == 31
    assert refused_rows(IRIS, home) == 1


def test_refused_file_is_taken_after_the_contract_allowed_it_and_its_entry_is_settled(home: Home) -> None:
    hand_in(IRIS, home, "a.csv", iris_rows(4) + BAD_RANGE)
    take(IRIS, home)
    assert len(entries(home)) == 1
    wider = IRIS.model_copy(
        update={
            "columns": {
                **IRIS.columns,
                "sepal_length": IRIS.columns["sepal_length"].model_copy(update={"range": (0, 100)}),
            }
        }
    )
    hand_in(wider, home, "a.csv", iris_rows(4) + BAD_RANGE)
    (report,) = take(wider, home).files
    assert report.outcome == "accepted"
    assert entries(home) == ()
    (aside,) = (home.quarantine / "iris" / "released").iterdir()
    assert "validated again" in json.loads((aside / "release.json").read_text())["reason"]


def test_batch_that_was_changed_on_disk_is_not_used(home: Home) -> None:
    hand_in(IRIS, home, "a.csv", iris_rows(5))
    take(IRIS, home)
    (folder,) = batches_folder(IRIS, home).iterdir()
    rows = folder / "rows.parquet"
    content = rows.read_bytes()
    rows.write_bytes(content[:-9] + b"x" + content[-8:])
    with pytest.raises(IntegrityError, match=r"rows\.parquet .*was changed"):
        batches(IRIS, home)
    rows.write_bytes(content)
    (folder / "batch.json").write_text("{")
    with pytest.raises(IntegrityError, match=r"batch\.json .*was changed"):
        batch_records(IRIS, home)


def test_home_that_cannot_hold_batches_is_told_and_the_file_stays(home: Home) -> None:
    file = hand_in(IRIS, home, "a.csv", iris_rows(5))
    (home.data / "batches").write_text("a file where a folder should be")
    with pytest.raises(StorageError, match="a file is where a folder should be"):
        take(IRIS, home)
    assert file.is_file()
