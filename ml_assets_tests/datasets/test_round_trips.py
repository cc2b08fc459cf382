"""Generated tables written in every format and read again: names and cells come back whatever is in them."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from table_worlds import contract, excel, json_lines, parquet, source

from ml_assets.datasets.raw import polars_type
from ml_assets.datasets.reading.formulas import is_formula
from ml_assets.datasets.reading.opening import open_table
from ml_assets.datasets.reading.rows import incoming_source, read_rows
from ml_assets.datasets.spec import RESERVED, DatasetSpec

LARGEST = 2**53
CHARACTERS = st.one_of(
    st.sampled_from("abcXYZ019 \"'`,;|\t\n\\/{}[]:#%&é€ßя数😀\u0301\u00a0_-.=+@^$*"),
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")),
)
TEXTS = st.text(CHARACTERS, min_size=1, max_size=12).filter(lambda text: any(c.isalnum() for c in text))
LABELS = TEXTS.map(lambda text: re.sub(r"\s+", " ", text).strip("\u200b\ufeff \u00a0")).filter(
    lambda t: t == t.strip() != ""
)
NAMES = LABELS.filter(lambda name: name not in RESERVED and not is_formula(name) and not name[0].isdigit())
MOMENTS = st.datetimes(dt.datetime(1901, 1, 1), dt.datetime(2200, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0)
)
CELLS: dict[str, st.SearchStrategy[Any]] = {
    "float": st.floats(-1e300, 1e300),
    "integer": st.integers(-LARGEST, LARGEST),
    "boolean": st.booleans(),
    "date": MOMENTS,
    "text": TEXTS,
    "category": LABELS,
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[DatasetSpec, pl.DataFrame]:
    """A contract of two to five columns with any names, and rows that keep it."""
    names = draw(st.lists(NAMES, min_size=2, max_size=5, unique_by=lambda name: name.casefold()))
    types = [draw(st.sampled_from(sorted(CELLS))) for _ in names[:-1]] + ["category"]
    spec = contract({n: {"dtype": t, "missing_share": 1.0} for n, t in zip(names, types, strict=True)})
    rows = draw(st.integers(1, 5))
    columns = []
    for name, column in spec.columns.items():
        cells = CELLS[column.dtype] if name == names[-1] else st.none() | CELLS[column.dtype]
        values = draw(st.lists(cells, min_size=rows, max_size=rows))
        columns.append(pl.Series(name, values, dtype=polars_type(column)))
    return spec, pl.DataFrame(columns)


def read(spec: DatasetSpec, content: bytes, name: str, **more: Any) -> pl.DataFrame:
    """The table as `more` says it is written, or as it seems to be."""
    known = source(**more) if more else incoming_source(spec, Path("/nowhere") / name, content)
    table = read_rows(spec, known, content, require=tuple(spec.columns), formulas=False)
    assert table.faults == ()
    return table.frame


def written(frame: pl.DataFrame, delimiter: str, decimal: str, quoting: Any) -> str:
    """`frame` as somebody else's program writes it, floats with their decimal mark."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting)
    writer.writerow(frame.columns)
    for row in frame.rows():
        writer.writerow([repr(cell).replace(".", decimal) if isinstance(cell, float) else cell for cell in row])
    return text.getvalue()


@settings(max_examples=150, deadline=None)
@given(
    tables(),
    st.sampled_from(",;\t|"),
    st.sampled_from(".,"),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be"]),
)
def test_delimited_text_comes_back(
    table: tuple[DatasetSpec, pl.DataFrame], delimiter: str, decimal: str, quoting: Any, encoding: str
) -> None:
    spec, frame = table
    content = written(frame, delimiter, decimal, quoting).encode(encoding)
    assert read(spec, content, "in.csv", delimiter=delimiter, decimal=decimal, encoding=encoding).equals(frame)


@settings(max_examples=100, deadline=None)
@given(tables(), st.sampled_from(",;\t|"), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_delimited_text_comes_back_from_what_can_be_seen_of_it(
    table: tuple[DatasetSpec, pl.DataFrame], delimiter: str, encoding: str
) -> None:
    spec, frame = table
    content = written(frame, delimiter, ".", csv.QUOTE_ALL).encode(encoding)
    assert read(spec, content, "in.csv").equals(frame)


@settings(max_examples=60, deadline=None)
@given(tables())
def test_parquet_json_lines_and_workbooks_come_back(table: tuple[DatasetSpec, pl.DataFrame]) -> None:
    spec, frame = table
    short = pl.DataFrame([_fifteen_digits(cells) if cells.dtype == pl.Float64 else cells for cells in frame])
    for write, name, rows in (
        (parquet, "in.parquet", frame),
        (json_lines, "in.jsonl", frame),
        (excel, "in.xlsx", short),
    ):
        assert read(spec, write(rows), name).equals(rows), name


def _fifteen_digits(numbers: pl.Series) -> pl.Series:
    """As many as a workbook keeps."""
    return pl.Series(numbers.name, [None if x is None else float(f"{x:.15g}") for x in numbers], dtype=pl.Float64)


def test_an_opened_table_is_as_its_file_has_it(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a b": [1.5, None], 'the "note"': ["x, y\nz", None], "größe": [1, 2], "flag": [True, False]})
    for write, name in ((parquet, "t.parquet"), (json_lines, "t.jsonl")):
        (tmp_path / name).write_bytes(write(frame))
        assert open_table(str(tmp_path / name)).frame.equals(frame)
    texts = frame.cast(pl.String)
    (tmp_path / "t.csv").write_text(written(texts, ";", ".", csv.QUOTE_MINIMAL))
    assert open_table(str(tmp_path / "t.csv")).frame.equals(texts)
    (tmp_path / "t.xlsx").write_bytes(excel(frame))
    assert open_table(str(tmp_path / "t.xlsx")).frame.equals(texts)
