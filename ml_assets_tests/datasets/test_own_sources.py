"""A person's own files as sources of a raw table, and as rows to predict."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from table_worlds import COLUMNS, WRITERS, contract, csv, parquet

from ml_assets.datasets.raw import raw_schema
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.datasets.tables import load_raw_table, read_prediction_rows
from ml_assets.errors import ContractViolation, SourceError

TABLE = pl.DataFrame(
    {
        "number": [1.5, None],
        "count": [1, 2],
        "flag": [True, None],
        "day": [dt.datetime(2024, 1, 31), None],
        "note": ["=1+1", None],
        "label": ["a", "b"],
    },
    schema_overrides={"day": pl.Datetime("us")},
)


def own(*sources: dict[str, Any]) -> DatasetSpec:
    return contract(COLUMNS, sources=[{"header": True, **source} for source in sources])


def raw(spec: DatasetSpec, home: Path) -> pl.DataFrame:
    return load_raw_table(spec, mode="embedded", cache=home / "cache", home=home)


def test_files_of_several_formats_make_one_table_and_their_formulas_are_left_alone(tmp_path: Path) -> None:
    for kind, write in WRITERS.items():
        (tmp_path / f"own.{kind}").write_bytes(write(TABLE))
    spec = own(*({"name": kind, "path": f"own.{kind}", "format": kind} for kind in WRITERS))
    table = raw(spec, tmp_path)
    assert dict(table.schema) == raw_schema(spec)
    assert table["batch"].to_list() == [kind for kind in WRITERS for _ in range(2)]
    assert table.drop("batch").equals(pl.concat([TABLE] * 4))


def test_a_parquet_source_may_be_packed_and_absolute(tmp_path: Path) -> None:
    (tmp_path / "own.parquet.gz").write_bytes(gzip.compress(parquet(TABLE)))
    spec = own({"name": "own", "path": str(tmp_path / "own.parquet.gz"), "format": "parquet"})
    assert raw(spec, Path("/nonexistent")).drop("batch").equals(TABLE)


def test_any_bad_cell_of_a_source_is_an_error_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(csv(TABLE).decode() + "x,2.5,,,,a\n1,2\n")
    told = r"own, row 3: column 'number' holds 'x', and a number is needed.*2 more such cells \(rows 3, 4\)"
    with pytest.raises(SourceError, match=told):
        raw(own({"name": "own", "path": "own.csv"}), tmp_path)


def test_a_pinned_file_must_have_its_hash(tmp_path: Path) -> None:
    (tmp_path / "own.csv.gz").write_bytes(gzip.compress(csv(TABLE)))
    source = {"name": "own", "path": "own.csv.gz", "sha256": hashlib.sha256(csv(TABLE)).hexdigest()}
    assert raw(own(source), tmp_path).height == 2
    with pytest.raises(
        SourceError, match=f"own.csv.gz has the wrong hash: expected {'0' * 64}, found {source['sha256']}"
    ):
        raw(own({**source, "sha256": "0" * 64}), tmp_path)


def test_constants_have_the_type_of_their_column(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(csv(TABLE.drop("flag", "count", "day")).decode())
    source = {"name": "own", "path": "own.csv", "constants": {"flag": "yes", "count": "7", "day": "2024-02-29"}}
    table = raw(own(source), tmp_path)
    assert dict(table.schema) == raw_schema(own(source))
    assert table.select("flag", "count", "day").unique().rows() == [(True, 7, dt.datetime(2024, 2, 29))]
    for constants, told in (
        ({"flag": "perhaps", "count": "7", "day": ""}, "constant 'flag' is 'perhaps', and boolean is promised"),
        ({"flag": "1", "count": "7", "day": "", "colour": "red"}, "constant 'colour' is no column of the contract"),
    ):
        with pytest.raises(ContractViolation, match=told):
            raw(own({**source, "constants": constants}), tmp_path)


def test_sources_need_names_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_bytes(csv(TABLE))
    source = {"name": "own", "path": "own.csv"}
    with pytest.raises(SourceError, match="two sources are named own: give each a name of its own"):
        raw(own(source, source), tmp_path)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("nowhere.csv", r"nowhere\.csv does not exist: check the path"),
        ("../own.csv", r"leads out of the home"),
        (".", "is a folder, and a file with a table is needed"),
    ],
)
def test_a_source_that_is_not_there_is_named(tmp_path: Path, path: str, told: str) -> None:
    for kind in WRITERS:
        with pytest.raises(SourceError, match=told):
            raw(own({"name": "own", "path": path, "format": kind}), tmp_path)


@pytest.mark.parametrize("kind", WRITERS)
def test_rows_to_predict_come_in_every_format_as_pandas(tmp_path: Path, kind: str) -> None:
    (tmp_path / "rows").write_bytes(WRITERS[kind](TABLE.drop("label")))
    rows = read_prediction_rows(own({"name": "own", "path": "own"}), tmp_path / "rows")
    assert list(rows.columns) == ["number", "count", "flag", "day", "note"]
    assert list(rows.index) == [0, 1]
    assert [str(dtype) for dtype in rows.dtypes] == ["float64", "float64", "float64", "datetime64[us]", "object"]
    assert np.isnan(rows.loc[1, "number"])
    assert rows.loc[0, "flag"] == 1.0
    assert rows.loc[0, "note"] == "=1+1"


def test_columns_that_are_no_features_may_be_left_out_of_rows_to_predict(tmp_path: Path) -> None:
    columns = {**COLUMNS, "note": {**COLUMNS["note"], "ignored": "too long"}}
    (tmp_path / "rows.csv").write_bytes(csv(TABLE.drop("label", "note")))
    assert "note" not in read_prediction_rows(contract(columns), tmp_path / "rows.csv")
    with pytest.raises(ContractViolation, match="column 'note' is missing"):
        read_prediction_rows(contract(COLUMNS), tmp_path / "rows.csv")
