"""The quarantine: entries that appear whole, are told to people, and go back the way they came."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from ml_assets.cli.quarantine import quarantine as commands
from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.incoming.folders import drafted
from ml_assets.datasets.raw import raw_schema
from ml_assets.errors import StorageError, UnknownNameError, UserError
from ml_assets.home import Home
from ml_assets.validation.entries import entries, find_entry, release
from ml_assets.validation.outcomes import CheckOutcome
from ml_assets.validation.quarantine import (
    ORIGINAL,
    ROWS_FILE,
    TABLE_FILE,
    Reason,
    Refusal,
    RefusedRows,
    quarantine,
    store_entry,
    write_reasons,
    write_rows,
)

IRIS = load_contract("iris")
HEADER = ("sepal_length", "sepal_width", "petal_length", "petal_width", "species")
WHEN = 1_795_000_000.0
FAILED = CheckOutcome("ranges", passed=False, blocking=True, summary="column 'sepal_length' has 1 value outside 2 … 12")


def refusal(entry: str, *, kind: str = "rows", file: str = "monday.csv") -> Refusal:
    return Refusal(
        dataset="iris",
        entry=entry,
        file=file,
        sha256=entry[-8:] * 8,
        kind=kind,  # type: ignore[arg-type]
        when=WHEN,
        rows=40,
        refused=2,
        summary="2 of 40 rows break the contract",
        remedy="correct rows.csv",
        reasons=(
            Reason(3, "sepal_length", "99", "range", "column 'sepal_length' holds 99, outside 2 … 12"),
            Reason(7, "", "", "cells", "has 4 cells, and 5 are needed"),
        ),
        batch="monday-12345678",
    )


def put_rows(home: Home, entry: str, rows: RefusedRows) -> Path:
    place = home.quarantine / "iris" / entry
    with drafted(place.parent) as draft:
        write_rows(rows, draft / ROWS_FILE)
        write_reasons(refusal(entry), draft)
        store_entry(draft, place)
    return place


def put_file(home: Home, entry: str, name: str, content: bytes) -> Path:
    place = home.quarantine / "iris" / entry
    with drafted(place.parent) as draft:
        (draft / ORIGINAL).mkdir()
        (draft / ORIGINAL / name).write_bytes(content)
        write_reasons(refusal(entry, kind="file", file=name), draft)
        store_entry(draft, place)
    return place


def raw(rows: int = 3) -> pl.DataFrame:
    values = [[99.0, 3.5, 1.4, 0.2, "=1+1", "iris.data"], [5.1, None, 1.4, 0.1 + 0.2, "Iris-setosa", "iris.data"]]
    return pl.DataFrame((values * rows)[:rows], schema=raw_schema(IRIS), orient="row")


def test_a_refused_table_is_kept_once_with_the_reasons_of_the_first_time(tmp_path: Path) -> None:
    passed = CheckOutcome("schema", passed=True, blocking=True, summary="as promised")
    place = quarantine(IRIS, raw(), [passed, FAILED], tmp_path, now=lambda: WHEN)
    assert quarantine(IRIS, raw(), [passed], tmp_path, now=lambda: WHEN + 1) == place
    assert [p.name for p in (tmp_path / "iris").iterdir()] == [place.name]
    told = json.loads((place / "reason.json").read_text())
    assert (told["kind"], told["rows"], told["when"]) == ("table", 3, "2026-11-18T11:06:40Z")
    assert [check["name"] for check in told["checks"]] == ["ranges"]
    assert "sepal_length" in (place / "reason.txt").read_text()
    other = quarantine(IRIS, raw(2), [FAILED], tmp_path, now=lambda: WHEN)
    assert other != place


def test_the_kept_table_holds_every_value_and_no_formula(tmp_path: Path) -> None:
    place = quarantine(IRIS, raw(), [FAILED], tmp_path, now=lambda: WHEN)
    kept = pl.read_csv(place / TABLE_FILE, schema_overrides={"row_id": pl.String})
    assert kept["species"].to_list() == ["'=1+1", "Iris-setosa", "'=1+1"]
    numbers = list(HEADER[:4])
    assert kept.select(numbers).equals(raw().select(numbers), null_equal=True)
    assert kept["row_id"].str.len_chars().unique().to_list() == [16]


def test_a_quarantine_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "iris").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="a file is where a folder should be"):
        quarantine(IRIS, raw(), [FAILED], tmp_path, now=lambda: WHEN)
    assert [p.name for p in tmp_path.iterdir()] == ["iris"]


def test_rows_are_kept_as_their_file_wrote_them_ragged_ones_too(tmp_path: Path) -> None:
    cells = [["99", "3,5", 'a "b"', None, "Iris-setosa"], ["1", "2", "3", "4"], ["1", "2", "3", "4", "5", "=HYPER()"]]
    place = put_rows(Home(tmp_path), "monday-00000001", RefusedRows(HEADER, cells, ";"))
    text = (place / ROWS_FILE).read_text()
    assert text.splitlines()[0] == ";".join(HEADER)
    found = list(csv.reader(text.splitlines()[1:], delimiter=";"))
    assert found == [["99", "3,5", 'a "b"', "", "Iris-setosa"], cells[1], ["1", "2", "3", "4", "5", "'=HYPER()"]]


def test_entry_is_found_by_the_beginning_of_its_name_and_a_wrong_name_is_met_with_the_nearest(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert entries(home) == ()
    for name in ("monday-00000001", "monday-00000002", "tuesday-00000003"):
        put_rows(home, name, RefusedRows(HEADER, []))
    assert find_entry(home, "tue").name == "tuesday-00000003"
    assert find_entry(home, "iris/monday-00000001").name == "monday-00000001"
    with pytest.raises(UserError, match=r"begins 2 quarantine entries \(iris/monday-00000001, iris/monday-00000002\)"):
        find_entry(home, "mon")
    with pytest.raises(UnknownNameError, match="did you mean 'tuesday-00000003'"):
        find_entry(home, "teusday-00000003")


def test_corrected_rows_go_back_byte_by_byte_and_the_entry_aside(tmp_path: Path) -> None:
    home = Home(tmp_path)
    place = put_rows(home, "monday-00000001", RefusedRows(HEADER, [["99", "3", "1", "2", "x"]]))
    saved = ";".join(HEADER).encode() + b"\r\n5,1;3;1;2;caf\xe9\r\n"
    (place / ROWS_FILE).write_bytes(saved)
    file = release(home, find_entry(home, "monday"), reason="a typing error", now=lambda: WHEN)
    assert file == home.incoming / "iris" / "released-monday-00000001.csv"
    assert file.read_bytes() == saved
    assert entries(home) == ()
    aside = home.quarantine / "iris" / "released" / "monday-00000001"
    told = json.loads((aside / "release.json").read_text())
    assert (told["reason"], told["file"]) == ("a typing error", file.name)
    assert (aside / "reason.json").is_file()


def test_whole_files_go_back_as_they_were_with_their_endings(tmp_path: Path) -> None:
    home = Home(tmp_path)
    put_file(home, "a-00000001", "a.b.csv.gz", b"\x1f\x8b\x00bytes")
    put_file(home, "c-00000002", "c", b"no ending")
    first = release(home, find_entry(home, "a-"), reason="", now=lambda: WHEN)
    second = release(home, find_entry(home, "c-"), reason="", now=lambda: WHEN)
    assert (first.name, first.read_bytes()) == ("released-a-00000001.csv.gz", b"\x1f\x8b\x00bytes")
    assert (second.name, second.read_bytes()) == ("released-c-00000002", b"no ending")


def test_a_release_never_writes_over_an_earlier_one_that_waits(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for content in ("1", "2"):
        put_rows(home, "monday-00000001", RefusedRows(HEADER, [[content]]))
        if content == "1":
            first = release(home, find_entry(home, "monday"), reason="", now=lambda: WHEN)
    before = first.read_bytes()
    with pytest.raises(UserError, match="still waits"):
        release(home, find_entry(home, "monday"), reason="", now=lambda: WHEN)
    assert first.read_bytes() == before
    first.unlink()
    release(home, find_entry(home, "monday"), reason="", now=lambda: WHEN)
    aside = sorted(p.name for p in (home.quarantine / "iris" / "released").iterdir())
    assert aside == ["monday-00000001", "monday-00000001-2"]


def test_what_is_no_file_cannot_be_released(tmp_path: Path) -> None:
    home = Home(tmp_path)
    table = quarantine(IRIS, raw(), [FAILED], home.quarantine, now=lambda: WHEN)
    with pytest.raises(UserError, match="is the whole table"):
        release(home, find_entry(home, table.name), reason="", now=lambda: WHEN)
    place = put_file(home, "link-00000001", "x.csv", b"")
    (place / ORIGINAL / "x.csv").unlink()
    (place / ORIGINAL / "x.csv").symlink_to(tmp_path / "reason")
    with pytest.raises(UserError, match="is no plain file"):
        release(home, find_entry(home, "link"), reason="", now=lambda: WHEN)
    assert len(entries(home)) == 2


def test_commands_list_show_and_release(home: Path) -> None:
    run = CliRunner().invoke
    assert run(commands, ["list"]).output == "quarantine is empty\n"
    put_rows(Home(home), "monday-00000001", RefusedRows(HEADER, [["99", "3", "1", "2", "\x1b[31mx"]] * 9))
    put_file(Home(home), "tuesday-00000002", "[red]tuesday.csv", b"")
    listed = run(commands, ["list", "iris"], catch_exceptions=False).output
    assert "monday-00000001" in listed
    assert "2 of 40 rows" in listed
    assert "[red]tuesday.csv" in run(commands, ["list"], catch_exceptions=False).output
    told = json.loads(run(commands, ["list", "--json"], catch_exceptions=False).output)
    assert [(entry["entry"], entry["kind"], entry["refused"]) for entry in told] == [
        ("monday-00000001", "rows", 2),
        ("tuesday-00000002", "file", 2),
    ]
    assert run(commands, ["list", "wine_quality"]).output == "quarantine is empty\n"
    shown = run(commands, ["show", "mon"], catch_exceptions=False).output
    assert "row 3: column 'sepal_length' holds 99, outside 2 … 12" in shown
    assert "row 7: has 4 cells, and 5 are needed" in shown
    assert shown.count("99,3,1,2") == 5
    assert "\x1b" not in shown
    released = run(commands, ["release", "mon", "--reason", "fine"], catch_exceptions=False).output
    assert "ml-assets run iris" in released
    assert (home / "data" / "incoming" / "iris" / "released-monday-00000001.csv").is_file()
