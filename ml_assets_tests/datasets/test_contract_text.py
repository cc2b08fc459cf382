"""Contracts as YAML: what is written reads back as the same contract, comments and all."""

from __future__ import annotations

import datetime as dt
import json
from importlib import resources
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_assets.datasets.contracts import SCHEMA_FILE, contract_schema, load_contracts, parse_contract
from ml_assets.datasets.inference.contract_text import MODELINE, contract_text
from ml_assets.datasets.own_contracts import packaged_names
from ml_assets.datasets.spec import RESERVED, Column, DatasetSpec

DOCUMENT: dict[str, Any] = {
    "name": "shop",
    "title": "Shop",
    "task": "regression",
    "target": "y",
    "sources": [{"name": "shop.csv", "path": "/tables/shop.csv", "header": True}],
    "columns": {"x": {"dtype": "float"}, "y": {"dtype": "integer"}},
}


def packaged_text(name: str) -> str:
    return (resources.files("ml_assets.datasets") / name).read_text(encoding="utf-8")


def spec(**more: Any) -> DatasetSpec:
    return DatasetSpec.model_validate({**DOCUMENT, **more})


def with_columns(columns: dict[str, dict[str, Any]], **more: Any) -> DatasetSpec:
    return spec(columns={**columns, **DOCUMENT["columns"]}, **more)


def again(contract: DatasetSpec, comments: Any = None, **more: Any) -> DatasetSpec:
    return parse_contract(contract_text(contract, comments, **more), origin="shop.yaml")


@pytest.mark.parametrize("name", sorted(packaged_names()))
def test_built_in_contracts_survive_being_written(name: str) -> None:
    contract = load_contracts()[name]
    assert again(contract) == contract


def test_a_contract_begins_with_the_line_that_editors_look_for() -> None:
    assert contract_text(spec()).splitlines()[0] == "# yaml-language-server: $schema=contract.schema.json"


def test_what_was_not_set_is_left_out_and_an_empty_text_that_was_set_is_shown() -> None:
    written = contract_text(with_columns({"a": {"dtype": "float", "unit": ""}}))
    assert 'a: {dtype: float, unit: ""}' in written
    for key in ("licence", "folds", "row_count", "key", "null", "~"):
        assert key not in written


def test_comments_stand_above_their_keys_and_are_wrapped() -> None:
    long = "word " * 60
    written = contract_text(
        spec(),
        {
            ("target",): ("Why this target.", "And how to change it."),
            ("columns",): ("Legend:", "  a   aligned", long),
            ("columns", "x"): ("About x.",),
            ("sources", 0): ("About the file.",),
            ("key",): ("No key yet.",),
        },
        heading=["Guessed.", f"  - {long}"],
    )
    lines = written.splitlines()
    assert lines[lines.index('target: "y"') - 1] == "# Why this target. And how to change it."
    assert lines[lines.index("  x: {dtype: float}") - 1] == "  # About x."
    assert "#   a   aligned" in lines
    assert "# No key yet." in lines
    assert "  # About the file." in lines
    assert max(map(len, lines)) <= 118
    assert parse_contract(written, origin="shop.yaml") == spec()


def test_a_comment_on_a_key_inside_puts_its_mapping_on_lines_of_its_own() -> None:
    contract = spec(row_count={"minimum": 5})
    lines = contract_text(contract, {("row_count", "minimum"): ("Half.",)}).splitlines()
    at = lines.index("row_count:")
    assert lines[at + 1 : at + 3] == ["  # Half.", "  minimum: 5"]
    assert again(contract, {("sources", 0, "path"): ("Where.",), ("sources", 0, "name"): ("Who.",)}) == contract


@pytest.mark.parametrize(
    "hostile", ["a\nname: evil", "a\rname: evil", "a\u2028name: evil", "a\x85name: evil", "\x00", "# "]
)
def test_no_comment_can_become_part_of_the_contract(hostile: str) -> None:
    comments = {("target",): (hostile, f"  {hostile}"), ("columns", "x"): (hostile,)}
    assert again(spec(), comments, heading=[hostile, f"  {hostile}"]) == spec()


WORDS = "yes No null ~ 1e3 0x1f 2024-01-31 12:30:45 1_000 { [x &a *a !t | > %x @a `a ' = << ü 😀 a] .inf y 6e8 a: on"
HARD = [
    "- a",
    "? b",
    "a: b",
    "a #b",
    '"',
    "\\",
    "a\tb",
    "a\nb",
    "a\r\nb",
    "\u2028",
    "\x85",
    "\ufeff",
    "\x7f",
    " a",
    "a ",
    "",
]


@pytest.mark.parametrize("text", [*WORDS.split(), *HARD, "a, b", "x" * 2000])
def test_every_text_reads_back_as_it_was(text: str) -> None:
    column = {"dtype": "category", "description": text, "allowed": [text, "other"], "missing_texts": [text]}
    contract = with_columns({"a": column}, title=text, quirks=[text])
    assert again(contract) == contract


@pytest.mark.parametrize(
    "ends",
    [(0, 1), (-1e300, 1e300), (1e16, 1e17), (5e-324, 1.0), (0.1 + 0.2, 1e22), (-0.5, 123456.789), (1e-7, 2.5e-7)],
)
def test_every_number_reads_back_as_it_was(ends: tuple[float, float]) -> None:
    contract = with_columns({"a": {"dtype": "float", "range": ends}})
    assert again(contract) == contract
    loaded = yaml.safe_load(contract_text(contract))["columns"]["a"]["range"]
    assert all(isinstance(end, int | float) for end in loaded), "YAML 1.1 must see numbers, not texts"


def test_dates_read_back_as_they_were() -> None:
    period = (dt.datetime(2024, 1, 31), dt.datetime(2024, 12, 1, 10, 30, 0, 250000))
    contract = with_columns({"a": {"dtype": "date", "period": period, "date_format": "%d/%m/%Y: %H"}})
    assert "period: [2024-01-31, 2024-12-01 10:30:00.250000]" in contract_text(contract)
    assert again(contract) == contract


names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12).filter(
    lambda name: (
        name == name.strip()
        and name not in {"x", "y", "*"} | RESERVED
        and not (name.startswith("^") and name.endswith("$"))
    )
)
texts = st.text(st.characters(codec="utf-8"), max_size=20)
columns = st.builds(
    lambda **given: given,
    dtype=st.sampled_from(["float", "integer", "boolean", "category", "date", "text"]),
    description=texts,
    unit=texts,
    range=st.none() | st.tuples(st.floats(allow_nan=False), st.floats(allow_nan=False)),
    period=st.none() | st.tuples(st.datetimes(), st.datetimes()),
    allowed=st.none() | st.lists(texts, max_size=40),
    missing_share=st.floats(0, 1),
    missing_texts=st.lists(texts, max_size=3),
    ignored=st.none() | texts,
)


@settings(max_examples=120, deadline=None)
@given(st.dictionaries(names, columns, max_size=4), texts, st.lists(texts, max_size=3))
def test_any_contract_survives_being_written(more: dict[str, Any], title: str, comments: list[str]) -> None:
    contract = with_columns(more, title=title, quirks=comments)
    places = {("columns", name): comments for name in more} | {
        ("quirks",): comments,
        ("columns", "x", "dtype"): comments,
    }
    assert again(contract, places, heading=comments) == contract


def test_a_wide_contract_is_written_in_order() -> None:
    wide = with_columns({f"c{at}": {"dtype": "float", "range": [0, at]} for at in range(2000)})
    assert list(again(wide).columns) == list(wide.columns)
    assert isinstance(wide.columns["c0"], Column)


def test_the_schema_beside_the_contracts_is_that_of_the_model() -> None:
    assert packaged_text(SCHEMA_FILE) == contract_schema(), "write contract_schema() into contract.schema.json"
    assert SCHEMA_FILE in MODELINE


@pytest.mark.parametrize("name", sorted(packaged_names()))
def test_built_in_contracts_keep_the_schema(name: str) -> None:
    schema = json.loads(contract_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(packaged_text(f"{name}.yaml")), schema)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"taks": "regression"}, []),
        ({"task": "clustering"}, ["task"]),
        ({"columns": {"x": {"dtype": "flaot"}}}, ["columns", "x", "dtype"]),
        ({"columns": {"x": {"dtype": "float", "rnage": [0, 1]}}}, ["columns", "x"]),
        ({"folds": 1}, ["folds"]),
    ],
)
def test_the_schema_tells_editors_of_mistakes(change: dict[str, Any], path: list[str]) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(contract_schema()))
    assert not list(validator.iter_errors(DOCUMENT))
    assert path in [list(error.absolute_path) for error in validator.iter_errors({**DOCUMENT, **change})]
