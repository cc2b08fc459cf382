"""A contract guessed for a whole table: it keeps the table, says what it took each column for, and reads it again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import sklearn.datasets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml_assets.datasets.contracts import load_contract, parse_contract
from ml_assets.datasets.inference.contract_text import contract_text
from ml_assets.datasets.inference.guess import Inference, Wishes, infer
from ml_assets.datasets.inference.names import column_names, dataset_name, words_of
from ml_assets.datasets.reading.columns import accepted_names
from ml_assets.datasets.reading.opening import OpenedTable, open_table
from ml_assets.datasets.spec import RESERVED, DatasetSpec, SourceFile, Task
from ml_assets.datasets.tables import load_raw_table
from ml_assets.errors import ContractViolation, SettingError, UserError
from ml_assets.home import embedded_folder
from ml_assets.validation.contract_checks import check_table
from ml_assets.validation.row_rules import bad_rows

RNG = np.random.default_rng(0)
ROWS = 120


def base_columns() -> dict[str, Any]:
    """Two features without a relation, and a target of two classes."""
    return {
        "x": RNG.normal(size=ROWS).round(3),
        "colour": RNG.choice(["red", "green", "blue"], ROWS),
        "bought": np.tile(["no", "yes", "no"], ROWS // 3),
    }


def table(**columns: Any) -> OpenedTable:
    """An opened CSV with the base columns, and others beside or in their place."""
    frame = pl.DataFrame(base_columns() | columns)
    texts = frame.select(pl.all().cast(pl.String))
    source = SourceFile(name="shop.csv", path="/nowhere/shop.csv", header=True)
    return OpenedTable(source, texts, tuple(texts.columns))


def inferred(opened: OpenedTable, target: str = "bought", **wishes: Any) -> Inference:
    found = infer(opened, Wishes("shop", target, **wishes))
    assert parse_contract(contract_text(found.spec, found.comments), origin="shop.yaml") == found.spec
    return found


def notes_on(found: Inference, column: str) -> str:
    return "; ".join(note.text for note in found.notes if note.column == column)


def opened_canonical(name: str) -> tuple[DatasetSpec, OpenedTable]:
    """All files of a built-in dataset as one opened table, under the contract's column names."""
    spec = load_contract(name)
    parts = []
    for source in spec.sources:
        opened = open_table(str(embedded_folder() / str(source.embedded)))
        promised = [column for column in spec.columns if column not in source.constants]
        known = accepted_names(spec) if opened.source.header else dict(zip(opened.header, promised, strict=True))
        frame = opened.frame.rename({written: known[written] for written in opened.header})
        parts.append(frame.with_columns(pl.lit(value).alias(column) for column, value in source.constants.items()))
    frame = pl.concat(part.select(list(spec.columns)) for part in parts)
    return spec, OpenedTable(replace_header(opened.source), frame, tuple(frame.columns))


def replace_header(source: SourceFile) -> SourceFile:
    return source.model_copy(update={"header": True})


@pytest.mark.parametrize("name", ["iris", "wine_quality", "boston_housing", "california_housing"])
def test_the_built_in_tables_are_taken_for_what_their_contracts_say(name: str) -> None:
    spec, opened = opened_canonical(name)
    found = infer(opened, Wishes(name, spec.target)).spec
    assert found.task is spec.task
    assert {n: c.dtype for n, c in found.columns.items()} == {n: c.dtype for n, c in spec.columns.items()}
    assert found.columns[spec.target].allowed == spec.columns[spec.target].allowed
    assert found.test_share == spec.test_share
    assert found.folds == spec.folds
    ignored = {n for n, c in found.columns.items() if c.ignored}
    assert not ignored
    for column, promised in spec.columns.items():
        if promised.range is not None:
            seen = opened.frame[column].str.strip_chars().cast(pl.Float64)
            low, high = found.columns[column].range or (1, 0)
            assert low <= seen.min() <= seen.max() <= high


@pytest.mark.parametrize("name", ["iris", "wine_quality", "boston_housing", "california_housing"])
def test_the_built_in_tables_keep_the_contracts_guessed_for_them(name: str) -> None:
    spec, opened = opened_canonical(name)
    found = infer(opened, Wishes(name, spec.target))
    failed = [outcome.summary for outcome in check_table(found.spec, found.table) if not outcome.passed]
    assert not [summary for summary in failed if "different target" not in summary]
    assert found.table.height == opened.frame.height


@pytest.mark.parametrize(
    ("load", "task", "classes"),
    [
        (sklearn.datasets.load_iris, Task.CLASSIFICATION, ("0", "1", "2")),
        (sklearn.datasets.load_wine, Task.CLASSIFICATION, ("0", "1", "2")),
        (sklearn.datasets.load_breast_cancer, Task.CLASSIFICATION, ("0", "1")),
        (sklearn.datasets.load_digits, Task.CLASSIFICATION, tuple(map(str, range(10)))),
        (sklearn.datasets.load_diabetes, Task.REGRESSION, ()),
    ],
)
def test_tables_of_scikit_learn_become_datasets(
    load: Callable[..., Any], task: Task, classes: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "table.csv"
    load(as_frame=True).frame.to_csv(file, index=False)
    found = infer(open_table(str(file)), Wishes("table", "target"))
    assert found.spec.task is task
    assert found.spec.labels == classes
    assert all(outcome.passed for outcome in check_table(found.spec, found.table) if outcome.blocking)
    again = load_raw_table(found.spec, mode="embedded", cache=tmp_path)
    assert again.equals(found.table)


def write_as(kind: str, frame: pl.DataFrame, folder: Path) -> tuple[str, str | None]:
    """`frame` in a file or database of a kind; how to open it."""
    if kind == "sqlite":
        with sqlite3.connect(folder / "shop.db") as database:
            frame.to_pandas().to_sql("orders", database, index=False)
        return f"sqlite:///{folder / 'shop.db'}", "SELECT * FROM orders"
    file = folder / f"shop.{kind}"
    if kind == "csv":
        frame.write_csv(file, separator=";")
    elif kind == "parquet":
        frame.write_parquet(file)
    elif kind == "jsonl":
        frame.write_ndjson(file)
    return str(file), None


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl", "sqlite"])
def test_a_table_is_read_again_by_its_contract_to_the_same_values(kind: str, tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            **base_columns(),
            "n": [None, *range(1, ROWS)],
            "share": [None, *RNG.random(ROWS - 1)],
            "member": [None, *RNG.choice([True, False], ROWS - 1)],
            'a "b" [c], é\tü': RNG.choice(["p", "q"], ROWS),
            "note": [f"this is remark {at}, and it says nothing new" for at in range(ROWS)],
            "day": [f"2024-{1 + at % 12:02}-{1 + at % 28:02}" for at in range(ROWS)],
        }
    )
    origin, query = write_as(kind, frame, tmp_path)
    found = inferred(open_table(origin, query=query))
    dtypes = {name: column.dtype for name, column in found.spec.columns.items()}
    assert [dtypes[name] for name in ("x", "colour", "member", "note", "day")] == [
        "float",
        "category",
        "integer" if kind == "sqlite" else "boolean",
        "text",
        "date",
    ]
    again = load_raw_table(found.spec, mode="embedded", cache=tmp_path)
    assert again.equals(found.table)
    assert all(outcome.passed for outcome in check_table(found.spec, found.table) if outcome.blocking)


def test_a_file_below_the_home_is_named_from_there(tmp_path: Path) -> None:
    file = tmp_path / "tables" / "shop.csv"
    file.parent.mkdir()
    pl.DataFrame(base_columns()).write_csv(file)
    spec = infer(open_table(str(file)), Wishes("shop", "bought"), home=tmp_path).spec
    assert spec.sources[0].path == "tables/shop.csv"
    assert load_raw_table(spec, mode="embedded", cache=tmp_path, home=tmp_path).height == ROWS
    assert infer(open_table(str(file)), Wishes("shop", "bought")).spec.sources[0].path == str(file)


@pytest.mark.parametrize(
    ("values", "name", "task"),
    [
        (["no", "yes"] * 60, "y", Task.CLASSIFICATION),
        (["true", "false"] * 60, "y", Task.CLASSIFICATION),
        ([0, 1] * 60, "y", Task.CLASSIFICATION),
        ([2, 7] * 60, "y", Task.CLASSIFICATION),
        (["1.0", "2.0"] * 60, "y", Task.CLASSIFICATION),
        ([0, 1, 2] * 40, "y", Task.CLASSIFICATION),
        ([1, 2, 3] * 40, "rating", Task.REGRESSION),
        ([3, 4, 5, 6] * 30, "y", Task.REGRESSION),
        ([0, 1, 2, 4] * 30, "y", Task.REGRESSION),
        (list(range(120)), "y", Task.REGRESSION),
        ([0.5, 1.5] * 60, "y", Task.REGRESSION),
        (["0.31", "0.7", "1.5"] * 40, "y", Task.REGRESSION),
    ],
)
def test_the_task_is_told_from_the_target(values: list[Any], name: str, task: Task) -> None:
    found = inferred(table(**{name: values}), name)
    assert found.spec.task is task
    assert found.comments["task",]
    if task is Task.CLASSIFICATION:
        assert set(found.spec.labels) == {str(value) for value in values}
    elif len(set(values)) <= 10:
        assert "taken as a number to predict" in notes_on(found, name)


def test_a_person_overrules_the_task() -> None:
    stars = [1, 2, 3] * 40
    assert inferred(table(stars=stars), "stars").spec.task is Task.REGRESSION
    asked = inferred(table(stars=stars), "stars", task=Task.CLASSIFICATION)
    assert asked.spec.labels == ("1", "2", "3")
    assert "--task classification was asked for" in asked.comments["task",][0]
    number = inferred(table(y=[0, 1] * 60), "y", task=Task.REGRESSION).spec
    assert number.columns["y"].dtype == "integer"


@pytest.mark.parametrize(
    ("columns", "target", "wishes", "message"),
    [
        ({}, "bougth", {}, r"shop\.csv has no column 'bougth', which --target names: did you mean 'bought'\?"),
        ({}, "Bought", {}, r"did you mean 'bought'\?"),
        ({}, "bought", {"group": "colours"}, r"which --group names: did you mean 'colour'\?"),
        ({}, "zzz", {}, r"its columns are x, colour, bought"),
        ({"y": ["a"] * ROWS}, "y", {}, "target 'y' has the same value in every row"),
        ({"y": [None] * ROWS}, "y", {}, "target 'y' has no value at all"),
        ({}, "bought", {"task": Task.REGRESSION}, "target 'bought' holds yes and no, and a regression needs numbers"),
        ({}, "x", {"task": Task.CLASSIFICATION}, "far too many to be classes: leave --task out"),
        ({"y": [f"name {at}" for at in range(ROWS)]}, "y", {}, "far too many to be classes: name another column"),
        ({}, "bought", {"time": "x"}, "--time needs a column of dates, and 'x' holds float values"),
        ({}, "bought", {"group": "bought"}, "'bought' is the target and cannot be key, group or time too"),
        ({"id": ["", *map(str, range(ROWS - 1))]}, "bought", {"key": ("id",)}, "--key needs a value in every row"),
    ],
)
def test_what_cannot_be_done_is_said_with_the_remedy(
    columns: dict[str, Any], target: str, wishes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        inferred(table(**columns), target, **wishes)


def test_a_table_without_features_is_refused_with_the_reason_for_each_column() -> None:
    columns = pl.DataFrame({"id": map(str, range(60)), "same": ["a"] * 60, "y": ["p", "q"] * 30})
    source = SourceFile(name="t.csv", path="/nowhere/t.csv", header=True)
    message = r"no column is left to predict 'y' from \('id': identifier: it numbers the rows; 'same': the same value"
    with pytest.raises(ContractViolation, match=message):
        infer(OpenedTable(source, columns, tuple(columns.columns)), Wishes("t", "y"))


def test_names_of_rows_are_no_features_and_only_a_clear_one_is_the_key() -> None:
    codes = [f"K-{at * 37 % 1000:04}" for at in range(ROWS)]
    clear = inferred(table(order_id=codes, row=range(ROWS)))
    assert clear.spec.key == ("order_id",)
    assert clear.spec.columns["order_id"].ignored == "identifier: another one in every row"
    assert clear.spec.columns["row"].ignored == "identifier: it numbers the rows"
    numbered = inferred(table(Id=range(1, ROWS + 1)))
    assert numbered.spec.key == ()
    assert "'Id' numbers the rows of the file" in numbered.comments["key",][0]
    two = inferred(table(order_id=codes, client_id=codes[::-1]))
    assert two.spec.key == ()


def test_a_key_that_is_asked_for_is_taken_and_its_repeats_are_counted() -> None:
    found = inferred(table(shop=[at // 2 for at in range(ROWS)]), key=("shop",))
    assert found.spec.key == ("shop",)
    assert found.spec.columns["shop"].ignored == "identifier: the key"
    assert f"{ROWS // 2} rows of the file give way to later ones" in found.comments["key",][0]
    assert found.table.height == ROWS // 2
    assert inferred(table(), key=("x", "colour")).spec.key == ("x", "colour")


def test_limits_are_those_of_the_rows_that_a_key_leaves() -> None:
    found = inferred(table(shop=[at // 6 for at in range(ROWS)], bought=["no", "yes"] * (ROWS // 2)), key=("shop",))
    assert found.table.height == ROWS // 6
    assert found.spec.row_count.minimum == ROWS // 12
    assert found.spec.folds == 3, "20 rows are few"


def test_columns_that_never_change_are_no_features() -> None:
    spec = inferred(table(country=["DE"] * ROWS, version=[3] * ROWS)).spec
    assert spec.columns["country"].ignored == "the same value in every row"
    assert spec.columns["version"].ignored == "the same value in every row"
    assert spec.columns["country"].allowed is None
    marked = inferred(table(flag=["x", None] * (ROWS // 2))).spec
    assert marked.columns["flag"].ignored is None, "there or not is something to learn from"


def test_whom_rows_are_of_is_pointed_out_as_a_group_and_taken_as_one_when_asked() -> None:
    patients = [f"P{at // 4:03}" for at in range(ROWS)]
    found = inferred(table(patient_id=patients))
    assert found.spec.group is None
    assert "--group 'patient_id'" in notes_on(found, "patient_id")
    assert found.spec.columns["patient_id"].ignored is not None
    asked = inferred(table(patient_id=patients), group="patient_id")
    assert asked.spec.group == "patient_id"
    assert asked.spec.columns["patient_id"].ignored is not None
    assert "30 groups" in asked.comments["group",][0]
    assert inferred(table(households=[at % 50 for at in range(ROWS)])).spec.columns["households"].ignored is None


def test_a_date_is_pointed_out_as_a_time_and_taken_as_one_when_asked() -> None:
    days = [f"2024-{1 + at % 12:02}-{1 + at % 28:02}" for at in range(ROWS)]
    assert "--time 'day'" in notes_on(inferred(table(day=days)), "day")
    asked = inferred(table(day=days), time="day")
    assert asked.spec.time == "day"
    assert notes_on(asked, "day") == ""


def test_doubles_of_the_target_are_pointed_out() -> None:
    price = RNG.normal(100, 10, ROWS).round(2)
    found = inferred(table(price=price, price_usd=(1.1 * price + 1).round(3)), "price")
    assert "goes with the target almost exactly" in notes_on(found, "price_usd")
    assert notes_on(found, "x") == ""
    classes = base_columns()["bought"]
    coded = inferred(table(bought=classes, code=np.where(classes == "yes", "J", "N")))
    assert "goes with the target almost exactly" in notes_on(coded, "code")
    assert notes_on(coded, "colour") == ""


def test_what_people_should_not_be_judged_by_is_pointed_out() -> None:
    assert "sensitive: <why>" in notes_on(inferred(table(Gender=["f", "m"] * (ROWS // 2))), "Gender")


def test_rare_classes_are_pointed_out_and_lower_the_folds_only_as_far_as_needed() -> None:
    def classes(rare: int) -> Inference:
        return inferred(table(y=["a"] * (ROWS - rare) + ["b"] * rare), "y")

    assert classes(40).spec.folds == 5
    assert "imbalance: class 'b' has 5 rows, 4.17% of them" in notes_on(classes(5), "y")
    for rare, folds in ((7, 5), (6, 4), (5, 4), (4, 3), (3, 2)):
        found = classes(rare)
        assert found.spec.folds == folds
        target = next(outcome for outcome in check_table(found.spec, found.table) if outcome.name == "target")
        assert target.passed, target.summary
    hopeless = classes(2)
    assert "fewer than 3 rows cannot be learnt and tested" in notes_on(hopeless, "y")
    assert hopeless.spec.folds == 5


@pytest.mark.parametrize("rows", [10, 12, 20, 49, 50])
@pytest.mark.parametrize("task", list(Task))
def test_small_tables_are_split_so_that_the_checks_let_them_pass(rows: int, task: Task) -> None:
    frame = pl.DataFrame(base_columns()).head(rows).select(pl.all().cast(pl.String))
    source = SourceFile(name="t.csv", path="/nowhere/t.csv", header=True)
    target = "bought" if task is Task.CLASSIFICATION else "x"
    found = infer(OpenedTable(source, frame, tuple(frame.columns)), Wishes("t", target))
    assert found.spec.task is task
    assert all(outcome.passed for outcome in check_table(found.spec, found.table) if outcome.blocking)


def test_copies_of_rows_are_counted_with_room_and_pointed_out() -> None:
    opened = table()
    twice = OpenedTable(opened.source, pl.concat([opened.frame, opened.frame.head(30)]), opened.header)
    found = inferred(twice)
    assert 0.2 < found.spec.duplicate_share < 0.5
    assert "20.0% of the rows repeat an earlier one exactly" in notes_on(found, "")
    assert inferred(opened).spec.duplicate_share == 0.01


def test_rows_without_a_target_are_pointed_out_and_allowed() -> None:
    found = inferred(table(bought=["yes", "no", None] * (ROWS // 3)))
    assert found.spec.columns["bought"].missing_share >= 1 / 3
    assert "40 rows without a target take no part in training" in notes_on(found, "bought")


def test_columns_keep_their_names_unless_the_pipeline_or_yaml_cannot_have_them() -> None:
    names = column_names(
        ["a b", 'x "y" [z], {q}: #1', "größe", "batch", "two\nlines", "two lines", "\u200b", "*", "^a$"]
    )
    assert names == {
        "a b": "a b",
        'x "y" [z], {q}: #1': 'x "y" [z], {q}: #1',
        "größe": "größe",
        "batch": "batch_column",
        "two\nlines": "two lines_column",
        "two lines": "two lines",
        "\u200b": "column_7",
        "*": "*_column",
        "^a$": "^a$_column",
    }
    found = inferred(table(batch=RNG.choice(["p", "q"], ROWS)), "batch")
    assert found.spec.target == "batch_column"
    assert found.spec.columns["batch_column"].source_name == "batch"


def test_names_that_differ_only_in_how_accents_are_encoded_are_refused_at_once() -> None:
    with pytest.raises(ContractViolation, match=r"shop\.csv: column 'é.*' is there twice"):
        inferred(table(**{"\u00e9": ["a", "b"] * (ROWS // 2), "e\u0301": ["c", "d"] * (ROWS // 2)}))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.text(min_size=1, max_size=8) | st.sampled_from([*sorted(RESERVED), "*", "^a$"]), unique=True, max_size=8
    )
)
def test_every_header_gets_names_that_a_contract_may_have(header: list[str]) -> None:
    names = column_names(header)
    assert list(names) == header
    assert len(set(names.values())) == len(header)
    for name in names.values():
        assert name == name.strip() != ""
        assert name.isprintable()
    columns = {name: {"dtype": "category"} for name in [*names.values(), "goal"]}
    contract = {"name": "t", "title": "T", "task": "classification", "target": "goal", "columns": columns}
    if header:
        DatasetSpec.model_validate({**contract, "sources": [{"name": "t", "path": "/t"}]})


@pytest.mark.parametrize(
    ("asked", "origin", "query", "name"),
    [
        (None, "/data/Häuser 2024.final.csv.gz", None, "hauser_2024"),
        (None, "2024.csv", None, "table_2024"),
        (None, "x" * 90 + ".csv", None, "x" * 63),
        (None, "sqlite:///shop.db", 'select * from public."Orders" where 1', "orders"),
        ("mine", "2024.csv", None, "mine"),
    ],
)
def test_a_dataset_is_named_after_its_file_or_queried_table(
    asked: str | None, origin: str, query: str | None, name: str
) -> None:
    assert dataset_name(asked, origin, query) == name


@pytest.mark.parametrize("asked", ["../up", "a/b", "Iris", "1a", "", "a b", "a" * 64, "über", "a\n"])
def test_odd_names_are_refused_with_the_rule(asked: str) -> None:
    with pytest.raises(SettingError, match="cannot be the name of a dataset: give lower-case letters, digits and _"):
        dataset_name(asked, "t.csv", None)


def test_a_file_without_a_usable_name_asks_for_one() -> None:
    with pytest.raises(SettingError, match="give one with --name"):
        dataset_name(None, "价格.csv", None)
    with pytest.raises(SettingError, match="give one with --name"):
        dataset_name(None, "sqlite:///shop.db", "SELECT 1")


def test_words_of_names_are_told_apart() -> None:
    assert words_of("customerID") == words_of("customer_id") == words_of("Customer id") == ("customer", "id")
    assert words_of("NOx2") == ("n", "ox", "2")


def test_every_column_and_decision_has_a_comment() -> None:
    found = inferred(table(order_id=range(5, ROWS + 5)))
    for name in found.spec.columns:
        assert found.comments["columns", name]
    for key in ("task", "sources", "columns", "row_count", "key", "duplicate_share", "test_share"):
        assert found.comments[key,]
    written = contract_text(found.spec, found.comments)
    for sentences in found.comments.values():
        for sentence in sentences:
            assert sentence.split()[0] in written


KNOWN = "NA - ? 0 1 2.5 1,5 -999 1e400 inf nan yes no 2024-01-31 31/12/2024 01/02/2024 007 a b =A1 ü 20240131 # :"
characters = st.characters(codec="utf-8", exclude_characters="\0")
cells = st.sampled_from([*KNOWN.split(), "", "12 kg", "two\nlines", " x ", "\u2028"]) | st.text(characters, max_size=6)
headers = st.lists(st.text(characters, min_size=1, max_size=6), min_size=1, max_size=4, unique=True)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_table_becomes_a_contract_that_keeps_it_or_a_clear_error(data: st.DataObject) -> None:
    header = [name.strip() for name in data.draw(headers)]
    rows = data.draw(st.integers(1, 30))
    columns = {name: data.draw(st.lists(cells, min_size=rows, max_size=rows)) for name in dict.fromkeys(header)}
    frame = pl.DataFrame({**columns, "y": ["p", "q", "p"] * 10 if rows == 30 else [*"pqpqpqpqpq" * 3][:rows]})
    source = SourceFile(name="t.csv", path="/nowhere/t.csv", header=True)
    opened = OpenedTable(source, frame, tuple(frame.columns))
    try:
        found = infer(opened, Wishes("t", "y"))
    except UserError:
        return
    text = contract_text(found.spec, found.comments, heading=[str(note) for note in found.notes])
    assert parse_contract(text, origin="t.yaml") == found.spec
    broken = [cell for cell in bad_rows(found.spec, found.table) if cell.rule != "formula"]
    assert not broken
    for name, column in found.spec.columns.items():
        assert found.table[name].null_count() <= column.missing_share * found.table.height
