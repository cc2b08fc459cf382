"""Files of every format read by a contract, and those that are no such table."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_worlds import COLUMNS, WRITERS, contract, csv, excel, json_lines, parquet, source, workbook

from ml_assets.datasets.reading import json_lines as json_lines_module
from ml_assets.datasets.reading import parquet as parquet_module
from ml_assets.datasets.reading import rows as reading
from ml_assets.datasets.reading import workbook as workbook_module
from ml_assets.datasets.reading.compression import HARMLESS_BYTES
from ml_assets.datasets.reading.rows import ReadTable, incoming_source, read_rows
from ml_assets.errors import ContractViolation, SourceError, UserError

SPEC = contract()
EVERYTHING = tuple(SPEC.columns)
TABLE = pl.DataFrame(
    {
        "number": [1.5, None, -2e10],
        "count": [1, 2, None],
        "flag": [True, None, False],
        "day": [dt.datetime(2024, 1, 31), dt.datetime(1999, 12, 31, 23, 59, 1), None],
        "note": ['said "no", then\nleft', None, " naïve € 数 "],
        "label": ["a", "b", "a, c"],
    },
    schema_overrides={"day": pl.Datetime("us")},
)


def read(content: bytes, kind: str = "csv", **more: Any) -> ReadTable:
    return read_rows(SPEC, source(format=kind, **more), content, require=EVERYTHING)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_table_is_the_same_from_every_format(kind: str) -> None:
    content = WRITERS[kind](TABLE)
    for known in (source(format=kind), incoming_source(SPEC, Path("/nowhere/table"), content)):
        table = read_rows(SPEC, known, content, require=EVERYTHING)
        assert table.faults == ()
        assert table.frame.equals(TABLE)
        assert table.numbers.to_list() == [1, 2, 3]
        assert table.texts.height == 3
        assert table.texts["label"].to_list() == ["a", "b", "a, c"]


@pytest.mark.parametrize("kind", WRITERS)
def test_a_packed_table_is_the_same(kind: str) -> None:
    content = gzip.compress(WRITERS[kind](TABLE))
    known = incoming_source(SPEC, Path("/nowhere/table"), content)
    assert known.format == kind
    assert read_rows(SPEC, known, content, require=EVERYTHING).frame.equals(TABLE)


@pytest.mark.parametrize("kind", WRITERS)
def test_columns_in_another_order_and_under_the_names_of_the_source_are_found(kind: str) -> None:
    names = {"number": "Größe (m²)", "note": 'the "note"', "label": "étiquette "}
    columns = {n: {**c, "source_name": names[n].strip()} if n in names else c for n, c in COLUMNS.items()}
    spec = contract(columns)
    content = WRITERS[kind](TABLE.rename(names).select(*reversed(TABLE.rename(names).columns)))
    table = read_rows(spec, incoming_source(spec, Path("/nowhere/t"), content), content, require=tuple(columns))
    assert table.frame.select(TABLE.columns).equals(TABLE)
    assert table.texts.columns[0].strip() == "étiquette"


@pytest.mark.parametrize("kind", WRITERS)
def test_names_that_are_patterns_to_some_libraries_are_names_like_others(kind: str) -> None:
    names = {"number": "^n.*$", "note": "*", "day": "^.*$", "count": "{}", "flag": "$1", "label": "\\d"}
    spec = contract({name: {**column, "source_name": names[name]} for name, column in COLUMNS.items()})
    content = WRITERS[kind](TABLE.rename(names))
    table = read_rows(spec, incoming_source(spec, Path("/nowhere/t"), content), content, require=EVERYTHING)
    assert table.frame.equals(TABLE)
    assert table.texts.columns == [names[name] for name in TABLE.columns]


def test_a_column_may_be_spelt_with_its_accents_apart() -> None:
    spec = contract({"größe": {"dtype": "float"}, "label": {"dtype": "category"}})
    content = "gro\u0308ße,label\n1,a\n".encode()
    table = read_rows(spec, source(), content, require=tuple(spec.columns))
    assert table.frame.columns == ["größe", "label"]


@pytest.mark.parametrize("kind", WRITERS)
def test_faults_name_row_column_value_and_rule_and_leave_the_other_cells(kind: str) -> None:
    texts = pl.DataFrame(
        {
            "number": ["1", "x", "3"],
            "count": ["1", "2", "2.5"],
            "flag": ["yes", "no", "perhaps"],
            "day": ["2024-01-31", "31.01.2024", ""],
            "note": ["fine", "=1+1", "-5"],
            "label": ["a", "@SUM(1)", "b"],
        }
    )
    table = read(WRITERS[kind](texts), kind)
    assert [(f.row, f.column, f.value, f.rule) for f in table.faults] == [
        (2, "number", "x", "number"),
        (2, "day", "31.01.2024", "date"),
        (2, "note", "=1+1", "formula"),
        (2, "label", "@SUM(1)", "formula"),
        (3, "count", "2.5", "integer"),
        (3, "flag", "perhaps", "boolean"),
    ]
    assert table.frame.rows()[1:] == [(None, 2, False, None, None, None), (3.0, None, None, None, "-5", "b")]
    assert table.texts.row(1) == ("x", "2", "no", "31.01.2024", "=1+1", "@SUM(1)")
    trusted = read_rows(SPEC, source(format=kind), WRITERS[kind](texts), require=EVERYTHING, formulas=False)
    assert trusted.frame["note"].to_list() == ["fine", "=1+1", "-5"]


def test_lines_that_are_no_rows_are_kept_apart_with_their_numbers() -> None:
    lines = csv(TABLE).decode().splitlines()
    content = "\n".join([lines[0], "1,2", "", *lines[1:], '3,4,"x\ny"', ",,,,,,,"]).encode()
    table = read(content)
    assert table.lines == ((1, "1,2"), (5, '3,4,"x\ny"'), (6, ",,,,,,,"))
    assert table.numbers.to_list() == [2, 3, 4]
    assert table.frame.equals(TABLE)
    assert [(f.row, f.column, f.rule) for f in table.faults] == [(1, "", "cells"), (5, "", "cells"), (6, "", "cells")]


def test_lines_of_json_that_are_no_objects_are_kept_apart() -> None:
    first, *others = json_lines(TABLE).decode().splitlines()
    content = "\n".join([first, "[1]", "", '{"number": ', *others]).encode()
    table = read(content, "jsonl")
    assert table.lines == ((2, "[1]"), (3, '{"number":'))
    assert table.numbers.to_list() == [1, 4, 5]
    assert table.frame.equals(TABLE)


def test_blank_lines_count_for_nothing_wherever_they_are() -> None:
    lines = csv(TABLE).decode().splitlines()
    content = "\n".join(["", "  ", "\t", lines[0], " ", *lines[1:3], "", "\t ", "1,2", *lines[3:], " "]).encode()
    table = read(content)
    assert table.frame.equals(TABLE)
    assert table.numbers.to_list() == [1, 3, 4]
    assert table.lines == ((2, "1,2"),)


def test_rows_of_a_sheet_with_more_cells_than_its_header_are_kept_apart() -> None:
    rows = [TABLE.columns, *TABLE.rows()[:1], [None] * 6 + ["beyond"], [None] * 6, [1.5]]
    table = read(workbook(rows), "excel")
    assert table.lines == ((2, "\t\t\t\t\t\tbeyond"),)
    assert table.numbers.to_list() == [1, 3]
    assert table.frame["number"].to_list() == [1.5, 1.5]


def test_a_file_of_more_faults_than_a_report_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_FAULTS", 10)
    lines = csv(TABLE).splitlines()[0] + b"\n" + b"x,,,,,a\n" * 11
    with pytest.raises(
        SourceError, match=r"in has more than 10 bad cells and lines; the first: row 1: column 'number'"
    ):
        read(lines)


def test_many_rows_are_read_in_blocks_and_numbered_through() -> None:
    row = b'1.5,2,true,2024-01-31,"a ""quoted"" note, with\nlines",a\n'
    bad = row.replace(b"1.5", b"x")
    content = b"number,count,flag,day,note,label\n" + row * 400_000 + bad + b"1,2\n" + row + b"3\n" + bad
    table = read(content)
    assert len(content) > 16 << 20
    assert [(f.row, f.rule) for f in table.faults] == [
        (400_001, "number"),
        (400_002, "cells"),
        (400_004, "cells"),
        (400_005, "number"),
    ]
    assert table.frame.height == 400_003


def nested(kind: Any, value: Any) -> bytes:
    content = io.BytesIO()
    pq.write_table(pa.table({"odd": pa.array([value], type=kind), "label": ["a"]}), content)
    return content.getvalue()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.list_(pa.int64()), [1]),
        (pa.struct([("a", pa.int64())]), {"a": 1}),
        (pa.map_(pa.string(), pa.int64()), {"a": 1}),
        (pa.binary(), b"a"),
        (pa.list_(pa.float64(), 2), [1.0, 2.0]),
    ],
)
def test_nested_columns_of_parquet_are_refused_by_name(kind: Any, value: Any) -> None:
    with pytest.raises(SourceError, match=r"in: column 'odd' holds '.*', and one number, text, boolean or date a cell"):
        read(nested(kind, value), "parquet")


@pytest.mark.parametrize("value", ["[1]", '{"a": 1}', "[]"])
def test_nested_values_of_json_are_refused_by_row_and_name(value: str) -> None:
    with pytest.raises(SourceError, match=r"in, row 2: column 'odd' holds (list|dict), and one number"):
        read(f'{{"odd": 1, "label": "a"}}\n{{"odd": {value}, "label": "a"}}\n'.encode(), "jsonl")


def test_other_types_of_parquet_are_read() -> None:
    content = io.BytesIO()
    columns = {
        "number": pa.array([1.5, 2.5], pa.float16()),
        "count": pa.array([1, 2], pa.uint8()),
        "flag": pa.array([1, 0], pa.int8()),
        "day": pa.array([dt.datetime(2024, 1, 31, 1)] * 2, pa.timestamp("ms", "Asia/Tokyo")),
        "note": pa.array(["x", None]).dictionary_encode(),
        "label": pa.array([dt.time(1), dt.time(2)], pa.time64("us")),
    }
    pq.write_table(pa.table(columns), content)
    table = read(content.getvalue(), "parquet")
    assert table.faults == ()
    assert table.frame.row(0) == (1.5, 1, True, dt.datetime(2024, 1, 31, 1), "x", "01:00:00")


def repetitive(text: str, rows: int) -> bytes:
    content = io.BytesIO()
    words = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([text]))
    pq.write_table(pa.table({"note": words, "label": ["a"] * rows}), content, compression="zstd")
    return content.getvalue()


def test_a_parquet_file_of_repetitions_stays_small_or_is_refused() -> None:
    spec = contract({"note": {"dtype": "text"}, "label": {"dtype": "category"}})
    text = "long " * 200_000
    table = read_rows(spec, source(format="parquet"), repetitive(text, 500), require=("note", "label"))
    assert table.frame["note"].unique().to_list() == [text]
    bomb = repetitive(text, 20_000)
    assert len(bomb) < 1 << 16
    with pytest.raises(SourceError, match=r"in holds 19073 MiB of text in \d+ bytes: hand in smaller files"):
        read_rows(spec, source(format="parquet"), bomb, require=("note", "label"))


def test_a_parquet_file_that_says_it_is_far_larger_than_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 2_000_000
    content = io.BytesIO()
    pq.write_table(pa.table({"number": pa.repeat(1.5, rows), "label": pa.nulls(rows, pa.string())}), content)
    assert len(content.getvalue()) < 1 << 14
    assert parquet_module.allowed_bytes(0) == 1 << 30
    monkeypatch.setattr(parquet_module, "HARMLESS_BYTES", 1 << 20)
    with pytest.raises(SourceError, match=r"says it has 2000000 rows of 2 columns in \d+ bytes: hand in smaller files"):
        read(content.getvalue(), "parquet")


@pytest.mark.parametrize(
    ("content", "kind", "reason"),
    [
        (b"", "parquet", "in is empty"),
        (parquet(TABLE)[:200], "parquet", "is no intact Parquet file"),
        (b"PARE" + bytes(50) + b"PARE", "parquet", "is an encrypted Parquet file: save it without encryption"),
        (parquet(TABLE.clear()), "parquet", "has no rows|header and no rows"),
        (csv(TABLE), "parquet", "is said to be Parquet and looks like delimited text: correct one"),
        (parquet(TABLE), "csv", "is said to be delimited text and looks like Parquet: correct one"),
        (excel(TABLE), "csv", "looks like Excel"),
        (excel(TABLE)[:-30], "excel", "looks like|no intact"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
            "excel",
            "has a password, or is of Excel's format before 2007",
        ),
        (workbook([]), "excel", "is empty: a header line"),
        (workbook([TABLE.columns]), "excel", "has a header and no rows"),
        (workbook([["number", None, "label"], [1, 2, 3]]), "excel", "column 2 has no name: write one into the header"),
        (workbook([["number", "number"], [1, 2]]), "excel", "column 'number' is there twice"),
        (b"{}\n{}\n", "jsonl", "has no rows: put one JSON object on each line"),
        (b"\n".join(b'{"k%d":1}' % at for at in range(20_000)), "jsonl", "different keys"),
        (b'{"note":"' + b"x" * (17 << 20) + b'"}', "jsonl", "a line has more than 16 MiB"),
        (b"number,,label\n1,2,a\n", "csv", "column 2 has no name"),
        (b"number,number,label\n1,2,a\n", "csv", "column 'number' is there twice"),
        (b"a," * 20_000 + b"\n1\n", "csv", "the first line has 20001 cells, and at most 16384 are read"),
    ],
)
def test_what_is_no_such_table_is_refused(content: bytes, kind: str, reason: str) -> None:
    with pytest.raises((SourceError, ContractViolation), match=reason):
        read(content, kind)


def test_deep_json_is_a_line_that_is_no_object() -> None:
    deep = b'{"number":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"
    table = read(deep + json_lines(TABLE), "jsonl")
    assert [line for line, _ in table.lines] == [1]
    assert table.frame.equals(TABLE)


def test_json_is_the_same_by_columns_and_by_lines() -> None:
    rows = [{"a": 1, "b": "x"}, {"b": None, "a": 2.5}, {}, {"a": -3, "c": True, "b": 'é"\\\n'}]
    body = "\n".join(map(json.dumps, rows)).encode()
    quick = json_lines_module.json_lines_table(body, origin="in").frame
    slow = json_lines_module._read_by_lines(body, "in").frame
    assert quick.equals(slow)


def test_odd_values_of_json_are_read_as_what_they_are() -> None:
    body = b'{"a":NaN,"b":12345678901234567890123,"c":"\\ud800"}\n{"a":-Infinity,"b":1,"c":"\\u0000","a":7}\n{"c":3}\n'
    found = json_lines_module.json_lines_table(body, origin="in").frame
    assert found.rows() == [(None, 1.2345678901234568e22, "?"), (float("-inf"), 1.0, "\0"), (None, None, "3")]


def test_a_sheet_is_chosen_by_name() -> None:
    content = workbook([TABLE.columns, *TABLE.rows()], sheets=("Empty", "Table 2"))
    assert read(content, "excel", sheet="Table 2").frame.equals(TABLE)
    with pytest.raises(SourceError, match="in is empty"):
        read(content, "excel")
    with pytest.raises(SourceError, match="in: unknown sheet 'Tabel 2': did you mean 'Table 2'"):
        read(content, "excel", sheet="Tabel 2")


def test_cells_of_a_workbook_are_written_as_a_text_file_would() -> None:
    rows = [TABLE.columns, [2.0, 7, True, dt.datetime(2024, 1, 31, 10, 30), 5.0, 3]]
    table = read(workbook(rows), "excel", decimal=",")
    assert table.texts.row(0) == ("2", "7", "true", "2024-01-31T10:30:00", "5", "3")
    assert read(workbook([TABLE.columns, ["2,5", 7.0, 1, None, None, "a"]]), "excel", decimal=",").frame.row(0)[:3] == (
        2.5,
        7,
        True,
    )


def test_values_of_formulas_are_those_last_saved() -> None:
    content = workbook([TABLE.columns, ["=1+1", 1, True, None, "=A2", "a"]])
    assert read(content, "excel").frame.row(0) == (None, 1, True, None, None, "a")


def repacked(content: bytes, changes: Mapping[str, Callable[[bytes], bytes]]) -> bytes:
    """A workbook in which some members are others; one that it does not have is changed from nothing."""
    with zipfile.ZipFile(io.BytesIO(content)) as before:
        members = {name: before.read(name) for name in before.namelist()}
    members |= {name: change(members.get(name, b"")) for name, change in changes.items()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as after:
        for name, member in members.items():
            after.writestr(name, member)
    return packed.getvalue()


def with_shared_texts(text: str, rows: int) -> bytes:
    """A workbook as Excel writes it: every text once, and cells that point at it."""
    cell = b'<c t="s"><v>%d</v></c>'
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    types = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'.encode()
    header = b"<row>" + b"".join(cell % at for at in range(6)) + b"</row>"
    body = b"<row><c/><c/><c/><c/>" + cell % 6 + cell % 0 + b"</row>"
    sheet = b"<sheetData>" + header + body * rows + b"</sheetData></worksheet>"
    texts = "".join(f"<si><t>{word}</t></si>" for word in [*TABLE.columns, text])
    shared = f'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{texts}</sst>'
    return repacked(
        excel(TABLE),
        {
            SHEET: lambda xml: xml[: xml.index(b"<sheetData>")] + sheet,
            "xl/sharedStrings.xml": lambda _: shared.encode(),
            "[Content_Types].xml": lambda xml: xml.replace(b"</Types>", types),
        },
    )


def test_texts_that_cells_share_are_read_and_count_as_often_as_they_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(with_shared_texts("naïve €", 3), "excel").frame["note"].to_list() == ["naïve €"] * 3
    monkeypatch.setattr(workbook_module, "allowance", lambda _: 1 << 20)
    with pytest.raises(SourceError, match="holds more than 1 MiB of text"):
        read(with_shared_texts("x" * 5000, 300), "excel")


SHEET = "xl/worksheets/sheet1.xml"


def test_a_workbook_that_is_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    good = excel(TABLE)
    with pytest.raises(SourceError, match="unpacks to more than 128 MiB from"):
        read(repacked(good, {SHEET: lambda xml: xml + b" " * (HARMLESS_BYTES + 1)}), "excel")
    monkeypatch.setattr(workbook_module, "MAX_ROWS", 1000)
    with pytest.raises(SourceError, match="has more than 1000 rows"):
        read(repacked(good, {SHEET: lambda xml: xml.replace(b'r="3"', b'r="999999999"')}), "excel")


def test_a_workbook_whose_entities_multiply_is_refused() -> None:
    entities = b"".join(b'<!ENTITY e%d "%s">' % (at + 1, b"&e%d;" % at * 10) for at in range(9))
    attack = b'<?xml version="1.0"?><!DOCTYPE w [<!ENTITY e0 "ha">' + entities + b"]><worksheet>&e9;</worksheet>"
    with pytest.raises(SourceError, match=r"is no intact Excel workbook|is empty"):
        read(repacked(excel(TABLE), {SHEET: lambda _: attack}), "excel")


GOOD = {kind: write(TABLE) for kind, write in WRITERS.items()} | {
    "packed": gzip.compress(csv(TABLE)),
    "utf-16": TABLE.write_csv(separator=";").encode("utf-16"),
}


@settings(max_examples=250, deadline=None)
@given(
    kind=st.sampled_from(sorted(GOOD)),
    edits=st.lists(
        st.tuples(
            st.floats(0, 1, exclude_max=True), st.sampled_from(["set", "put", "cut"]), st.binary(min_size=1, max_size=6)
        ),
        max_size=6,
    ),
)
def test_any_damage_leaves_a_table_or_an_error_of_ours(kind: str, edits: list[tuple[float, str, bytes]]) -> None:
    content = bytearray(GOOD[kind])
    for place, how, what in edits:
        at = int(place * len(content))
        content[at : at + (0 if how == "put" else len(what))] = b"" if how == "cut" else what
    try:
        known = incoming_source(SPEC, Path("/nowhere/table"), bytes(content))
        table = read_rows(SPEC, known, bytes(content), require=EVERYTHING)
    except UserError as error:
        refusal = str(error)
    else:
        refusal = "".join(fault.message for fault in table.faults[:1])
        assert table.frame.height == len(table.numbers) == table.texts.height
        assert set(table.numbers).isdisjoint(row for row, _ in table.lines)
    assert len(refusal) < 3000


@settings(max_examples=150, deadline=None)
@given(
    content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda t: t.encode("utf-8", "surrogatepass")))
)
def test_any_bytes_are_a_table_or_an_error_of_ours_in_every_format(content: bytes) -> None:
    for kind in WRITERS:
        try:
            table = read(content, kind)
        except UserError as error:
            refusal = str(error)
        else:
            refusal = ""
            assert table.frame.height == len(table.numbers)
        assert len(refusal) < 3000
