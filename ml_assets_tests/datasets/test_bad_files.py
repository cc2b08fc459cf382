"""Files that are not the table they should be: one message each, naming file, row, column and remedy."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.reading.rows import incoming_source, read_rows, refuse_faults
from ml_assets.datasets.tables import read_prediction_rows
from ml_assets.errors import ContractViolation, SourceError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd
    import polars as pl

IRIS = load_contract("iris")
WINE = load_contract("wine_quality")
BOSTON = load_contract("boston_housing")
HEADER = "sepal_length,sepal_width,petal_length,petal_width,species\n"
ROW = "5.1,3.5,1.4,0.2,Iris-setosa\n"


@pytest.fixture
def predict(tmp_path: Path) -> Callable[..., pd.DataFrame]:
    """Reads rows to predict, as the command does."""

    def write_and_read(content: str | bytes, *, spec=IRIS) -> pd.DataFrame:
        path = tmp_path / "in.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_prediction_rows(spec, path)

    return write_and_read


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., pl.DataFrame]:
    """Reads rows to learn from, in which no cell may be bad."""

    def read_all(content: str | bytes, *, spec=IRIS) -> pl.DataFrame:
        known = content if isinstance(content, bytes) else content.encode()
        source = incoming_source(spec, tmp_path / "in.csv", known)
        table = read_rows(spec, source, known, require=tuple(spec.columns))
        refuse_faults(table.faults, origin=source.name)
        return table.frame

    return read_all


def test_rows_keep_their_order_and_blank_lines_are_left_out(read) -> None:
    assert list(read(HEADER + "7,3,5,2,Iris-virginica\n\n" + ROW + "\n\n")["sepal_length"]) == [7.0, 5.1]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere\.csv does not exist: check the path"):
        read_prediction_rows(IRIS, tmp_path / "nowhere.csv")


def test_a_folder_in_place_of_a_file_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is a folder, and a file with a table is needed: name a file in it"):
        read_prediction_rows(IRIS, tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"in\.csv is empty"),
        (b"\n \n\n", r"in\.csv is empty"),
        (b"\xef\xbb\xbf", r"in\.csv is empty"),
        (HEADER, r"in\.csv has a header and no rows"),
        (HEADER.rstrip(), r"in\.csv has a header and no rows"),
        (ROW + ROW, r"first line looks like data: put a header above it: sepal_length,"),
        (
            HEADER + ROW + ROW.replace("0.2", "abc"),
            r"in\.csv, row 2: column 'petal_width' holds 'abc', and a",
        ),
        (HEADER + ROW.replace("0.2", '"0,2"'), r"row 1: column 'petal_width' holds '0,2'.*decimal point"),
        (
            (HEADER + "5,1|3,5|1,4|0.2|Iris-setosa\n").replace("_length,", "_length|").replace("_width,", "_width|"),
            r"row 1: column 'sepal_length' holds '5,1'.*decimal point; 2 more such cells \(row 1\)",
        ),
        (HEADER + ROW.replace("0.2", "1_0"), r"row 1: column 'petal_width' holds '1_0'"),
        (HEADER + ROW.replace("0.2", "0x1F"), r"row 1: column 'petal_width' holds '0x1F'"),
        (HEADER + ROW + "5.1,3.5,1.4,0.2,Iris\0setosa\n", r"line 3 has a zero byte \(byte 106\)"),
        (HEADER + ROW.replace("Iris", "x" * 5_000_000), r"row 1: column 'species' holds 5000007 bytes"),
        ("x" * 5_000_000, r"first line cannot be read as cells"),
        ((HEADER + ROW).encode() + bytes(40 << 20).replace(b"\0", b"x") + b"\n", r"line 3: a row has more than 16 MiB"),
        (HEADER + ROW + "\n1,2,3\n" + ROW, r"in\.csv, row 2: 3 cells where 5 are needed \('1,2,3'\)"),
        (HEADER + ROW + ROW + "1,2,3,4,Iris-setosa,6\n", r"in\.csv, row 3: 6 cells where 5 are needed"),
        (
            HEADER + ROW + '5.1,3.5,1.4,0.2,"Iris-setosa\n' + ROW,
            r"record 3: a quote is opened and not closed",
        ),
        (
            HEADER + ROW + '5.1,3.5,1.4,0.2,"Iris-\nsetosa"\n' + ROW,
            r"row 2: column 'species' holds a line break: look for an open quote",
        ),
    ],
)
def test_a_file_that_is_no_such_table_is_refused_with_its_place(read, content, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read(content)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            "sepal_length,sepal_width,petal_length,species",
            r"iris: in\.csv: column 'petal_width' is missing; add",
        ),
        (HEADER.strip() + ",smell", r"column 'smell' is not in the contract; remove the columns"),
        (
            HEADER.strip().replace("petal_width", "PetalWidth"),
            r"'petal_width' is missing \(rename 'PetalWidth'\?\)",
        ),
        (HEADER.strip() + ",species", r"column 'species' is there twice; keep one of each"),
        (HEADER.strip() + ",class", r"column 'species' is there twice"),
        (
            HEADER.strip() + ",sepal_lenght",
            r"'sepal_lenght' is not in the contract \(nearest: 'sepal_length'\)",
        ),
    ],
)
def test_wrong_columns_are_named_with_the_nearest_right_one(read, header: str, message: str) -> None:
    cells = ["1"] * len(header.split(","))
    with pytest.raises(ContractViolation, match=message):
        read(header + "\n" + ",".join(cells) + "\n")


def test_a_fraction_in_an_integer_column_names_row_and_value(read) -> None:
    header = ",".join(BOSTON.columns)
    cells = ["1"] * 3 + ["0.5"] + ["1"] * 10
    with pytest.raises(SourceError, match=r"row 1: column 'chas' holds '0\.5', and whole numbers are needed"):
        read(header + "\n" + ",".join(cells) + "\n", spec=BOSTON)
    with pytest.raises(SourceError, match=r"column 'chas' holds '1e30', and whole numbers"):
        read(header + "\n" + ",".join(["1e30" if c == "0.5" else c for c in cells]) + "\n", spec=BOSTON)


def test_na_is_a_missing_number_and_a_label_like_any_other(predict) -> None:
    table = predict(HEADER + "NA,?,,nan,NA\n 1 ,+2,3e0,.5, \n")
    assert table.iloc[0, :4].isna().all()
    assert table.loc[0, "species"] == "NA"
    assert table.loc[1, "species"] is None
    assert list(table.iloc[1, :4]) == [1.0, 2.0, 3.0, 0.5]


def test_numbers_are_read_to_the_last_bit(read) -> None:
    texts = ["0.1", "0.99007", "1e-300", "123456789.123456789"]
    assert read(HEADER + ",".join(texts) + ",Iris-setosa\n").row(0)[:4] == tuple(float(text) for text in texts)


def test_rows_to_predict_need_neither_target_nor_sensitive_columns(predict, read) -> None:
    names = BOSTON.feature_columns
    table = predict(",".join(names) + "\n" + ",".join(["1"] * 12) + "\n", spec=BOSTON)
    assert tuple(table.columns) == names
    assert list(predict(HEADER + ROW)["species"]) == ["Iris-setosa"]
    with pytest.raises(ContractViolation, match="column 'species' is missing"):
        read("sepal_length,sepal_width,petal_length,petal_width\n1,2,3,4\n")


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + (HEADER + ROW).replace("\n", "\r\n").encode(),
        (HEADER + ROW).encode("utf-16"),
        (HEADER + ROW).encode("utf-16-le"),
        (HEADER + ROW).replace(",", ";").encode(),
        (HEADER + ROW).replace(",", "\t").encode(),
        (HEADER + ROW).replace(",", " | ").encode(),
        (HEADER + ROW).replace(",", "  ").encode(),
        (HEADER.replace(",", ";") + "5,1;3,5;1,4;0,2;Iris-setosa\n").encode(),
        (HEADER.replace("sepal_length", "petal_width ", 1).replace(",petal_width,", ",sepal_length,") + ROW).encode(),
        (HEADER.replace("species", "class") + ROW).encode(),
        (HEADER + ROW).encode().replace(b"\n", b"\r"),
    ],
)
def test_other_ways_to_write_a_table_are_no_fault(predict, content: bytes) -> None:
    table = predict(content)
    assert table.loc[0, "species"] == "Iris-setosa"
    assert sorted(table.loc[0, ["sepal_length", "sepal_width", "petal_length", "petal_width"]]) == [0.2, 1.4, 3.5, 5.1]


CELLS = st.one_of(
    st.text(max_size=12),
    st.floats().map(str),
    st.sampled_from(["", "NA", "inf", "-inf", "1e400", "Iris-setosa", "5.1", '"', "\n", ",", "\x00", "é"]),
)
NAMES = st.one_of(st.sampled_from([*IRIS.columns, "class", "sepal lenght", ""]), st.text(max_size=8))


def tables() -> st.SearchStrategy[bytes]:
    headers = st.one_of(st.just(list(IRIS.columns)), st.lists(NAMES, max_size=7))
    rows = st.lists(st.one_of(st.lists(CELLS, min_size=5, max_size=5), st.lists(CELLS, max_size=7)), max_size=8)

    def spelt(header: list[str], body: list[list[str]], delimiter: str, quoting: int) -> bytes:
        text = io.StringIO()
        csv.writer(text, delimiter=delimiter, quoting=quoting).writerows([header, *body])
        return text.getvalue().encode("utf-8", "surrogatepass")

    written = st.builds(
        spelt,
        headers,
        rows,
        st.sampled_from([",", ",", ";"]),
        st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    )
    return st.one_of(written, st.binary(max_size=80), st.binary(max_size=40).map(lambda b: HEADER.encode() + b))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=tables(), learn=st.booleans())
def test_any_bytes_are_accepted_or_refused_with_an_error_of_ours(tmp_path: Path, content: bytes, learn: bool) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(content)
    try:
        if learn:
            source = incoming_source(IRIS, path)
            table = read_rows(IRIS, source, content, require=tuple(IRIS.columns))
            refusal = "".join(fault.message for fault in table.faults[:1])
            assert table.frame.height == len(table.numbers) == table.texts.height
        else:
            read_prediction_rows(IRIS, path)
            refusal = ""
    except UserError as error:
        refusal = str(error)
    assert len(refusal) < 3000
