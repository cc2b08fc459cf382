"""Strangers' files: how they are written is told, and what is no table is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from table_worlds import contract, parquet, workbook

from ml_assets.datasets.reading.opening import open_table
from ml_assets.datasets.reading.rows import incoming_source, read_rows
from ml_assets.datasets.spec import SourceFile
from ml_assets.datasets.tables import load_raw_table
from ml_assets.errors import SourceError, UserError


def opened(folder: Path, content: bytes | str, name: str = "table.csv", **more: Any) -> tuple[SourceFile, pl.DataFrame]:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = open_table(str(path), **more)
    assert found.header == tuple(found.frame.columns)
    return found.source, found.frame


def test_a_german_table_is_described_as_it_is_written(tmp_path: Path) -> None:
    text = "Straße;Größe (m²);Preis\nAm Zoll;12,5;100\nÜbersee;7,25;\n"
    source, frame = opened(tmp_path, gzip.compress(text.encode("cp1252")), "Häuser.csv.gz")
    told = source.model_dump(exclude_defaults=True)
    assert told == {
        "name": "Häuser.csv.gz",
        "path": str(tmp_path / "Häuser.csv.gz"),
        "delimiter": ";",
        "decimal": ",",
        "encoding": "cp1252",
        "header": True,
    }
    assert frame.rows() == [("Am Zoll", "12,5", "100"), ("Übersee", "7,25", None)]


def test_a_table_that_was_opened_is_read_again_by_what_was_told(tmp_path: Path) -> None:
    source, frame = opened(tmp_path, "Größe;kind;day\n12,5;a;2024-01-31\n;b;\n".encode("utf-16"))
    columns = {"size": {"dtype": "float", "source_name": "Größe", "missing_share": 0.5}, "day": {"dtype": "date"}}
    spec = contract({**columns, "kind": {"dtype": "category"}}, sources=[source.model_dump()])
    table = load_raw_table(spec, mode="embedded", cache=tmp_path, home=tmp_path)
    assert table["size"].to_list() == [12.5, None]
    assert table.columns == ["size", "day", "kind", "batch"]
    assert table["batch"].to_list() == ["table.csv"] * 2
    assert frame.height == 2


def test_columns_without_names_are_numbered_and_read_again_in_order(tmp_path: Path) -> None:
    source, frame = opened(tmp_path, "5.1,3.5,setosa\n4.9,3.0,setosa\n", "iris.data")
    assert not source.header
    assert frame.columns == ["column_1", "column_2", "column_3"]
    columns = {"column_1": {"dtype": "float"}, "column_2": {"dtype": "float"}, "column_3": {"dtype": "category"}}
    spec = contract(columns, sources=[source.model_dump()])
    assert load_raw_table(spec, mode="embedded", cache=tmp_path)["column_1"].to_list() == [5.1, 4.9]


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("table.json", b'{"a": 1, "b": "x"}\n', "jsonl"),
        ("table.ndjson.gz", gzip.compress(b'\n {"a": 1, "b": "x"}\n', mtime=0), "jsonl"),
        ("table", parquet(pl.DataFrame({"a": [1], "b": ["x"]})), "parquet"),
        ("table.pq", parquet(pl.DataFrame({"a": [1], "b": ["x"]})), "parquet"),
        ("table.xlsm", workbook([["a", "b"], [1, "x"]]), "excel"),
        ("table.txt", b"a\tb\n1\tx\n", "csv"),
        ("table.csv", b'{"a",b\n1,x\n', "csv"),
    ],
)
def test_the_content_tells_the_format(tmp_path: Path, name: str, content: bytes, kind: str) -> None:
    source, frame = opened(tmp_path, content, name)
    assert source.format == kind
    assert frame.cast(pl.String).rows() == [("1", "x")]


def test_numbers_and_booleans_keep_their_types_where_the_format_has_them(tmp_path: Path) -> None:
    rows = [{"n": 1, "x": 1.5, "b": True, "t": "2024-01-31"}, {"n": None, "x": 2, "b": False, "t": None}]
    _, frame = opened(tmp_path, "\n".join(map(json.dumps, rows)), "t.jsonl")
    assert frame.dtypes == [pl.Int64, pl.Float64, pl.Boolean, pl.String]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("t.csv", b"", r"t\.csv is empty"),
        ("t.csv", b" \n", r"t\.csv is empty"),
        ("t.csv", gzip.compress(b"", mtime=0), r"t\.csv is empty"),
        ("t.csv", b"a,b\n", "has a header and no rows"),
        (
            "t.csv",
            b"a,b\n1,2\n3\n",
            r"t\.csv, row 2: 1 cells where 2 are needed \('3'\): correct the line; 1 such lines",
        ),
        ("t.csv", b"a,a\n1,2\n", "column 'a' is there twice"),
        ("t.csv", b",a\n0,2\n", "column 1 has no name"),
        ("t.csv", b"=cmd|' /C calc'!A0,a\nx,y\n", "column 1 is named '=cmd.*which is a formula: rename it"),
        ("t.csv", b"a,b\n1,\0\n", "has a zero byte"),
        ("t.parquet", b"a,b\n1,2\n", "is delimited text or nothing known, whatever its name says: rename it"),
        ("t.xlsx", b"a,b\n1,2\n", "is delimited text or nothing known, whatever its name says"),
        ("t.json", b'[{"a": 1}]', "is one JSON array: put one object on each line instead"),
        ("t.csv.gz", b"\x1f\x8b" + bytes(30), "is no intact gzip file"),
        ("t.db", b"SQLite format 3\0" + bytes(100), "is an SQLite database: give a query too"),
        (
            "t.xls",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
            "has a password, or is of Excel's format before 2007",
        ),
        ("t.csv", b'a,b\n1,"2\n3,4\n', "a quote is opened and not closed"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        opened(tmp_path, content, name)


def test_sheets_are_for_workbooks(tmp_path: Path) -> None:
    content = workbook([["a", "b"], [1, "x"]], sheets=("First", "Second"))
    source, frame = opened(tmp_path, content, "t.xlsx", sheet="Second")
    assert (source.sheet, frame.height) == ("Second", 1)
    with pytest.raises(SourceError, match="unknown sheet 'Third'"):
        opened(tmp_path, content, "t.xlsx", sheet="Third")
    with pytest.raises(SourceError, match=r"t\.csv is delimited text, which has no sheets"):
        opened(tmp_path, "a,b\n1,2\n", "t.csv", sheet="Second")


SPEC = contract({"number": {"dtype": "float"}, "note": {"dtype": "text"}, "label": {"dtype": "category"}})


@pytest.mark.parametrize(
    ("text", "delimiter", "decimal"),
    [
        ("number,note,label\n1.5,x,a\n", ",", "."),
        ("number;note;label\n1,5;1.5 or so;a\n", ";", ","),
        ("number;note;label\n1.5;1,5;a\n", ";", "."),
        ("label\tnote\tnumber\na\tx; y; z\t2\n", "\t", "."),
        ("number|note|label\n1|a, b, c|a\n", "|", "."),
    ],
)
def test_a_handed_in_text_is_told_by_the_names_of_the_contract(text: str, delimiter: str, decimal: str) -> None:
    source = incoming_source(SPEC, Path("/nowhere/in.csv"), text.encode())
    assert (source.delimiter, source.decimal, source.header) == (delimiter, decimal, True)
    assert read_rows(SPEC, source, text.encode(), require=tuple(SPEC.columns)).faults == ()


def test_a_handed_in_workbook_is_read_from_the_sheet_that_the_contract_names() -> None:
    origin = {"name": "t", "path": "/nowhere/t.xlsx", "format": "excel", "sheet": "Second", "header": True}
    spec = contract(dict(SPEC.model_dump()["columns"]), sources=[origin])
    content = workbook([["number", "note", "label"], [1, "x", "a"]], sheets=("First", "Second"))
    source = incoming_source(spec, Path("/nowhere/in.xlsx"), content)
    assert read_rows(spec, source, content, require=tuple(spec.columns)).frame.height == 1


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(
        st.binary(max_size=300),
        st.text(st.sampled_from("ab1,;\t|\n\r\"'é. =-\0{}[]:"), max_size=60).map(str.encode),
        st.binary(max_size=60).map(gzip.compress),
        st.binary(max_size=60).map(lambda tail: b"PK\x03\x04" + tail),
        st.binary(max_size=60).map(lambda tail: b"PAR1" + tail + b"PAR1"),
        st.binary(max_size=60).map(lambda tail: b'{"a":' + tail),
    ),
    name=st.sampled_from(["t.csv", "t.parquet", "t.jsonl", "t.xlsx", "t", "t.json.gz"]),
)
def test_any_file_is_a_table_or_an_error_of_ours(tmp_path: Path, content: bytes, name: str) -> None:
    try:
        source, frame = opened(tmp_path, content, name)
    except UserError as error:
        refusal = str(error)
    else:
        refusal = ""
        assert frame.height > 0
        assert SourceFile.model_validate(source.model_dump()) == source
    assert len(refusal) < 3000
