"""A contract with a column of every type, and tables in every format. What must come of them is in the tests."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import openpyxl
import polars as pl

from ml_assets.datasets.spec import DatasetSpec, SourceFile

COLUMNS: dict[str, dict[str, Any]] = {
    "number": {"dtype": "float", "missing_share": 1.0},
    "count": {"dtype": "integer", "missing_share": 1.0},
    "flag": {"dtype": "boolean", "missing_share": 1.0},
    "day": {"dtype": "date", "missing_share": 1.0},
    "note": {"dtype": "text", "missing_share": 1.0},
    "label": {"dtype": "category"},
}


def contract(columns: dict[str, dict[str, Any]] | None = None, **more: Any) -> DatasetSpec:
    """A contract of `columns`; the last one is the target."""
    chosen = columns or COLUMNS
    source = {"name": "table", "path": "/nowhere/table", "header": True}
    target = list(chosen)[-1]
    task = "classification" if chosen[target]["dtype"] == "category" else "regression"
    document = {
        "name": "table",
        "title": "Table",
        "task": task,
        "target": target,
        "columns": chosen,
        "sources": [source],
    }
    return DatasetSpec.model_validate({**document, **more})


def source(**more: Any) -> SourceFile:
    """A source whose bytes the test hands over."""
    return SourceFile.model_validate({"name": "in", "path": "/nowhere/in", "header": True, **more})


def parquet(frame: pl.DataFrame) -> bytes:
    """`frame` as Parquet."""
    content = io.BytesIO()
    frame.write_parquet(content)
    return content.getvalue()


def workbook(rows: Sequence[Sequence[Any]], *, sheets: Sequence[str] = ("Table",), formulas: bool = True) -> bytes:
    """`rows` in the last of `sheets`, the others empty; texts that begin with `=` are formulas, unless none is."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name in sheets:
        sheet = book.create_sheet(name)
    for row in rows:
        sheet.append(row)
    for cells in [] if formulas else sheet.iter_rows():
        for cell in cells:
            cell.data_type = "s" if cell.data_type == "f" else cell.data_type
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def excel(frame: pl.DataFrame) -> bytes:
    """`frame` as a workbook, in which no text is a formula."""
    return workbook([frame.columns, *frame.rows()], formulas=False)


def json_lines(frame: pl.DataFrame) -> bytes:
    """`frame` as JSON lines, dates as text."""
    return frame.with_columns(pl.col(pl.Datetime).dt.to_string("iso")).write_ndjson().encode()


def csv(frame: pl.DataFrame) -> bytes:
    """`frame` as comma-separated UTF-8."""
    return frame.write_csv(quote_style="non_numeric").encode()


WRITERS: dict[str, Callable[[pl.DataFrame], bytes]] = {
    "csv": csv,
    "parquet": parquet,
    "jsonl": json_lines,
    "excel": excel,
}
