"""Contracts from their files: those of the package and of the home, and what a mistake in one is told by."""

from __future__ import annotations

from pathlib import Path

import pytest

from ml_assets.datasets.contracts import home_contracts, load_contract, load_contracts, parse_contract
from ml_assets.errors import ContractError, UnknownNameError

GOOD = """\
name: shop
title: Shop
task: classification
target: bought
sources:
  - name: shop.csv
    path: /tables/shop.csv
    header: true
columns:
  price: {dtype: float, range: [0, 100]}
  day: {dtype: date}
  bought:
    dtype: category
    allowed: ["no", "yes"]
"""


@pytest.fixture
def contracts(home: Path) -> Path:
    """The folder of the home's own contracts."""
    folder = home / "datasets"
    folder.mkdir(parents=True)
    return folder


def mistake(old: str, new: str) -> str:
    """What is told of the good contract with `old` in place of `new`."""
    assert old in GOOD
    with pytest.raises(ContractError) as caught:
        parse_contract(GOOD.replace(old, new, 1), origin="shop.yaml")
    return str(caught.value)


def test_a_good_contract_is_read() -> None:
    spec = parse_contract(GOOD, origin="shop.yaml")
    assert spec.feature_columns == ("price", "day")
    assert spec.labels == ("no", "yes")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title: Shop", "titel: Shop", "shop.yaml, line 2: titel: unknown key: did you mean 'title'?"),
        ("task: class", "task: clus", "shop.yaml, line 3: task: "),
        (
            "target: bought",
            "target: bougth",
            "shop.yaml, line 4: target: unknown column 'bougth': did you mean 'bought'?",
        ),
        ("header: true", "haeder: true", "line 8: sources.0.haeder: unknown key: did you mean 'header'?"),
        ("range: [", "rnage: [", "line 10: columns.price.rnage: unknown key: did you mean 'range'?"),
        ("dtype: float", "dtype: flaot", "line 10: columns.price.dtype: "),
        ("range: [0, 100]", "range: [0]", "line 10: columns.price.range.1: is missing"),
        ("range: [0, 100]", "range: [low, 100]", "line 10: columns.price.range.0: "),
        ("dtype: category", "dtype: float", "line 4: target: target 'bought' is of dtype float, which does not suit"),
        ("  price: {", "  batch: {", "line 10: columns.batch: column name 'batch' is used by the pipeline itself"),
        (
            "  price: {",
            '  " price": {',
            "line 10: columns. price: column name ' price' is empty or has blanks around it",
        ),
        ("path: /tables/shop.csv", "encoding: utf-8", "a source needs one of `embedded`, `path` and `database`"),
        ("target: bought", "target: bought\ntime: price", "line 5: time: column 'price' is no date"),
        ("target: bought", "target: bought\nfolds: 1", "line 5: folds: "),
        (
            "target: bought",
            "target: bought\nkey: [prize]",
            "line 5: key.0: unknown column 'prize': did you mean 'price'?",
        ),
        (
            "target: bought",
            "target: bought\nrow_count: {minimun: 3}",
            "row_count.minimun: unknown key: did you mean 'minimum'?",
        ),
        ("target: bought", "target: bought\nchecks: {ranges: blok}", "line 5: checks.ranges: "),
        (
            "target: bought",
            "target: bought\ntarget: day",
            "shop.yaml, line 5: key 'target' is there twice: keep one of them",
        ),
        ("  day: {dtype: date}", "  price: {dtype: date}", "shop.yaml, line 11: key 'price' is there twice"),
        (
            "target: bought",
            "target: bought\ndecision: {costs: {'yes': {'on': 5}}}",
            "line 5: decision.costs.yes.on: unknown label 'on': known: no, yes",
        ),
        (
            "target: bought",
            "target: bought\ndecision: {costs: {'yess': {'no': 5}}}",
            "line 5: decision.costs.yess: unknown label 'yess': did you mean 'yes'?",
        ),
        (
            "target: bought",
            "target: bought\ndecision: {costs: {yes: {'no': 5}}}",
            "decision.costs: label true is no text: YAML reads yes, no, on and off as true and false: put it in quotes",
        ),
        ("target: bought", "target: bought\ndecision: {costs: {'yes': {'yes': 1}}}", "'yes' has to cost 0"),
        ("target: bought", "target: bought\ndecision: {costs: {'yes': {'no': -1}}}", "decision.costs.yes.no: "),
        ("target: bought", "target: bought\ndecision: {costs: {'yes': {'no': .inf}}}", "decision.costs.yes.no: "),
        (
            "target: bought",
            "target: bought\ndecision: {class_weight: balansed}",
            "line 5: decision.class_weight: Input should be 'none' or 'balanced': did you mean 'balanced'?",
        ),
        (
            "task: classification\ntarget: bought",
            "task: regression\ntarget: price\ndecision: {class_weight: balanced}",
            "line 5: decision: a decision is between classes, and a regression has none",
        ),
        (
            "task: classification\ntarget: bought",
            "task: regression\ntarget: price\nordinal: true",
            "line 5: ordinal: an ordinal target is of dtype integer or category, and 'price' is float",
        ),
        (
            '    allowed: ["no", "yes"]\n',
            "ordinal: true\n",
            "ordinal: the order of ordinal classes is that of `allowed`, which column 'bought' lacks",
        ),
        ("title: Shop\n", "", "shop.yaml, line 1: title: is missing"),
        ("title: Shop", "title: [Shop", "shop.yaml: not valid YAML: "),
        ("title: Shop", "\ttitle: Shop", "shop.yaml: not valid YAML: "),
    ],
)
def test_a_mistake_is_told_by_file_line_key_and_the_nearest_valid_key(old: str, new: str, message: str) -> None:
    assert message in mistake(old, new)


def test_labels_that_are_numbers_need_no_quotes_in_costs() -> None:
    text = GOOD.replace('["no", "yes"]', '["3", "4"]') + "decision:\n  costs:\n    3: {4: 2.5}\nordinal: true\n"
    spec = parse_contract(text, origin="shop.yaml")
    assert spec.decision.costs == {"3": {"4": 2.5}}
    assert spec.ordinal


@pytest.mark.parametrize(
    ("old", "new", "nearest"),
    [("task: classification", "task: clasification", "classification"), ("dtype: float", "dtype: flaot", "float")],
)
def test_a_mistyped_value_gets_the_nearest_valid_one(old: str, new: str, nearest: str) -> None:
    assert f"did you mean '{nearest}'?" in mistake(old, new)


def test_every_mistake_of_a_contract_is_told_at_once() -> None:
    told = mistake("title: Shop\ntask: classification", "titel: Shop\ntask: clasification")
    assert "line 2: titel" in told
    assert "line 3: task" in told
    assert "title: is missing" in told


@pytest.mark.parametrize("text", ["", "- a\n", "just words\n", "5\n"])
def test_what_is_no_mapping_is_no_contract(text: str) -> None:
    with pytest.raises(ContractError, match=r"shop\.yaml: a contract is a mapping of keys; see contract\.schema\.json"):
        parse_contract(text, origin="shop.yaml")


def test_contracts_of_the_home_join_those_of_the_package(contracts: Path) -> None:
    (contracts / "shop.yaml").write_text(GOOD)
    assert set(load_contracts()) == {"boston_housing", "california_housing", "iris", "shop", "wine_quality"}
    assert load_contract("shop").title == "Shop"


def test_a_contract_of_the_home_takes_the_place_of_the_packages(contracts: Path) -> None:
    (contracts / "iris.yaml").write_text(GOOD.replace("name: shop", "name: iris", 1))
    assert load_contract("iris").title == "Shop"


def test_a_changed_contract_is_read_again(contracts: Path) -> None:
    file = contracts / "shop.yaml"
    file.write_text(GOOD)
    assert load_contract("shop").title == "Shop"
    file.write_text(GOOD.replace("title: Shop", "title: My shop"))
    assert load_contract("shop").title == "My shop"


def test_a_mistake_in_the_home_names_the_whole_path(contracts: Path) -> None:
    file = contracts / "shop.yaml"
    file.write_text(GOOD.replace("title", "titel"))
    with pytest.raises(ContractError) as caught:
        load_contracts()
    assert f"{file}, line 2: titel: unknown key" in str(caught.value)


def test_a_contract_is_named_as_its_file(contracts: Path) -> None:
    (contracts / "market.yaml").write_text(GOOD)
    with pytest.raises(ContractError, match=r"market\.yaml, line 1: the contract is named 'shop': name the file"):
        load_contracts()


def test_a_file_that_is_no_text_is_named(contracts: Path) -> None:
    (contracts / "shop.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ContractError, match=r"shop\.yaml cannot be read .*: save it as UTF-8, or take it away"):
        load_contracts()


def test_only_yaml_files_of_the_folder_itself_are_contracts(contracts: Path) -> None:
    (contracts / "shop.yaml").write_text(GOOD)
    (contracts / ".shop.yaml.123").write_text("half")
    (contracts / ".hidden.yaml").write_text("half")
    (contracts / "contract.schema.json").write_text("{}")
    (contracts / ".removed").mkdir()
    (contracts / ".removed" / "old.yaml").write_text("old")
    assert [file.name for file in home_contracts()] == ["shop.yaml"]


def test_an_unknown_dataset_gets_the_nearest(contracts: Path) -> None:
    (contracts / "shop.yaml").write_text(GOOD)
    with pytest.raises(UnknownNameError, match="unknown dataset 'shp': did you mean 'shop'"):
        load_contract("shp")
