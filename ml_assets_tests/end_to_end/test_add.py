"""A person's own table: added by one line, in the graph, checked, trained through to a champion, and out again."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result

from ml_assets.cli import cli
from ml_assets.datasets.contracts import load_contracts, parse_contract
from ml_assets.datasets.own_contracts import made_folders
from ml_assets.definitions import build_defs
from ml_assets.errors import UserError
from ml_assets.home import Home
from ml_assets_tests.commands import run_in
from ml_assets_tests.datasets.postgres_worlds import SECRET, Server, binaries, running_server

ROWS = 240
WORDS = "parcel came late but the seller was kind and gave money back after a week of waiting"
RNG = np.random.default_rng(3)


def gappy(values: list[str], *, gap: str = "") -> list[str]:
    """Every ninth value missing."""
    return [gap if at % 9 == 4 else value for at, value in enumerate(values)]


def messy_table() -> pl.DataFrame:
    """A column of every type, gaps in each, names that need quotes, and a target of text labels."""
    likes = RNG.random(ROWS) < 0.5
    days = [dt.date(2022, 1, 1) + dt.timedelta(days=int(day)) for day in RNG.integers(0, 700, ROWS)]
    return pl.DataFrame(
        {
            "Customer ID": [f"C-{at * 7919 % 100_000:05}" for at in range(ROWS)],
            "Größe (cm)": gappy([f"{v:.1f}" for v in RNG.normal(170, 9, ROWS)], gap="n/a"),
            'visits "per week" [n]': gappy([str(v) for v in RNG.poisson(3, ROWS) + 2 * likes]),
            "city; quartier": gappy([f"city {v}" for v in RNG.zipf(1.5, ROWS) % 90]),
            "colour": gappy(list(RNG.choice(["red", "green", "blue"], ROWS))),
            "newsletter?": gappy(list(np.where(RNG.random(ROWS) < 0.3 + 0.4 * likes, "yes", "no"))),
            "first order": gappy([day.strftime("%d/%m/%Y") for day in days]),
            "remark": gappy([" ".join(RNG.choice(WORDS.split(), 9)) for _ in range(ROWS)]),
            "batch": ["7"] * ROWS,
            "likes, or not": np.where(likes, "does like it", 'doesn\'t: "no"'),
        }
    )


@pytest.fixture(scope="module")
def messy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("messy") / "Kunden 2024.csv"
    messy_table().write_csv(file, separator=";")
    return file


@pytest.fixture
def type_in(home: Path) -> Callable[..., Result]:
    """Runs a command in this process."""

    def run(*words: str) -> Result:
        return CliRunner().invoke(cli, list(words))

    return run


def test_the_test_share_is_the_one_asked_for(messy: Path, type_in: Callable[..., Result]) -> None:
    words = ("add", str(messy), "--target", "likes, or not", "--name", "few_tests", "--test-share")
    assert type_in(*words, "0.1").exit_code == 0
    assert load_contracts()["few_tests"].test_share == 0.1
    refused = type_in(*words, "1.5", "--replace")
    assert isinstance(refused.exception, UserError) or refused.exit_code == 2
    assert load_contracts()["few_tests"].test_share == 0.1


def test_copies_become_what_was_asked_for(messy: Path, type_in: Callable[..., Result]) -> None:
    words = ("add", str(messy), "--target", "likes, or not", "--name", "repeats", "--duplicates")
    assert type_in(*words, "independent").exit_code == 0
    assert load_contracts()["repeats"].duplicates == "independent"
    assert type_in(*words, "ignore", "--replace").exit_code == 2


@pytest.fixture
def shop(home: Path, type_in: Callable[..., Result], tmp_path: Path) -> Path:
    """A small table that was added as `shop`."""
    file = tmp_path / "shop.csv"
    price = RNG.normal(10, 2, 60).round(2)
    pl.DataFrame({"price": price, "colour": ["red", "blue", "blue"] * 20, "sold": ["no", "yes"] * 30}).write_csv(file)
    done = type_in("add", str(file), "--target", "sold")
    assert done.exit_code == 0, done.output
    return file


def failure(result: Result) -> str:
    """The message of a command that ends with exit code 2."""
    assert isinstance(result.exception, UserError), result.output
    assert result.exception.exit_code == 2
    return str(result.exception)


@pytest.fixture(scope="module")
def added(messy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A home into which the messy table was added as a person would, and what was printed."""
    place = tmp_path_factory.mktemp("added")
    done = run_in(place, "ml_assets", "add", str(messy), "--target", "likes, or not")
    assert done.returncode == 0, done.stderr
    return place, done.stdout


def test_add_prints_what_it_decided_what_to_look_at_and_what_to_type_next(added: tuple[Path, str]) -> None:
    home, told = added
    assert told.startswith(f"kunden_2024: {ROWS} rows and 10 columns of Kunden 2024.csv")
    for line in (
        "predicts    likes, or not: a class: ",
        "from        2 category, 1 float, 1 integer, 1 boolean, 1 date, 1 text",
        "leaves out  Customer ID (identifier: another one in every row); batch_column (the same value in every row)",
        "key         Customer ID",
        "splits      20% to test with, 5 folds",
        "- first order: is a date: if later rows are to be predicted from earlier ones, --time 'first order'",
        f"Contract  {home / 'datasets' / 'kunden_2024.yaml'}",
        "ml-assets check kunden_2024",
        "ml-assets run kunden_2024",
    ):
        assert line in told
    assert "\x1b[" not in told


def test_the_contract_says_why_beside_each_guess_and_reads_back(added: tuple[Path, str]) -> None:
    text = (added[0] / "datasets" / "kunden_2024.yaml").read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=contract.schema.json\n")
    assert json.loads((added[0] / "datasets" / "contract.schema.json").read_text())["title"] == "DatasetSpec"
    spec = parse_contract(text, origin="kunden_2024.yaml")
    assert {name: column.dtype for name, column in spec.columns.items()} == {
        "Customer ID": "category",
        "Größe (cm)": "float",
        'visits "per week" [n]': "integer",
        "city; quartier": "category",
        "colour": "category",
        "newsletter?": "boolean",
        "first order": "date",
        "remark": "text",
        "batch_column": "integer",
        "likes, or not": "category",
    }
    lines = text.splitlines()
    for name in spec.columns:
        at = next(
            at
            for at, line in enumerate(lines)
            if line.startswith((f"  {name}:", f'  "{name}"', "  " + json.dumps(name, ensure_ascii=False)))
        )
        assert lines[at - 1].startswith("  # "), name


def test_an_added_table_is_in_the_graph_at_the_next_load(
    added: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ML_ASSETS_HOME", str(added[0]))
    assert set(load_contracts()) > {"kunden_2024", "iris"}
    graph = build_defs().resolve_asset_graph()
    made = {key.path[-1] for key in graph.get_all_asset_keys() if key.path[0] == "kunden_2024"}
    assert made == {key.path[-1] for key in graph.get_all_asset_keys() if key.path[0] == "iris"}


def test_the_raw_table_of_an_added_table_passes_its_checks_in_a_run(
    added: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ML_ASSETS_HOME", str(added[0]))
    defs = build_defs(contracts={"kunden_2024": load_contracts()["kunden_2024"]}, executor=dg.in_process_executor)
    run = defs.resolve_job_def("data_preprocessing").execute_in_process()
    evaluations = {(e.asset_key.path[-1], e.check_name): e for e in run.get_asset_check_evaluations()}
    assert ("raw_table", "ranges") in evaluations
    assert [name for name, e in evaluations.items() if not e.passed and e.blocking] == []


@pytest.mark.slow
def test_an_added_table_trains_through_to_a_champion_that_predicts(messy: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert run_in(home, "ml_assets", "add", str(messy), "--target", "likes, or not").returncode == 0
    families = "linear,hist_gradient_boosting,xgboost"
    words = ("run", "kunden_2024", "--trials", "1", "--families", families)
    done = run_in(home, "ml_assets", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(family in done.stdout for family in families.split(","))
    assert done.stdout.count("winner") == 1
    assert (home / "data" / "reports" / "kunden_2024" / "model_card.html").is_file()
    answered = run_in(home, "ml_assets", "predict", "kunden_2024", str(messy), "-o", str(tmp_path / "answers.csv"))
    assert answered.returncode == 0, answered.stderr
    answers = pl.read_csv(tmp_path / "answers.csv")
    assert answers.height == ROWS
    assert set(answers["prediction"]) <= set(messy_table()["likes, or not"])
    removed = run_in(home, "ml_assets", "remove", "kunden_2024", "--data")
    assert removed.returncode == 0, removed.stderr
    assert made_folders(Home(home), "kunden_2024") == ()
    assert run_in(home, "ml_assets", "add", str(messy), "--target", "likes, or not").returncode == 0
    status = json.loads(run_in(home, "ml_assets", "status", "--json").stdout)
    (row,) = (row for row in status["datasets"] if row["dataset"] == "kunden_2024")
    assert row["champion"] == "none yet", "nothing names what was removed"


def test_an_added_table_is_told_apart_from_its_mistakes(shop: Path, type_in: Callable[..., Result]) -> None:
    home = Home.current()
    before = (home.contracts / "shop.yaml").read_text()
    assert "there is a dataset shop already" in failure(type_in("add", str(shop), "--target", "sold"))
    assert "iris is a dataset that comes with ml_assets" in failure(
        type_in("add", str(shop), "--target", "sold", "--name", "iris")
    )
    assert "did you mean 'sold'?" in failure(type_in("add", str(shop), "--target", "slod", "--name", "b"))
    assert "cannot be the name of a dataset" in failure(type_in("add", str(shop), "--target", "sold", "--name", "../x"))
    assert "does not exist" in failure(type_in("add", str(shop.parent / "no.csv"), "--target", "sold"))
    assert "a regression needs numbers" in failure(
        type_in("add", str(shop), "--target", "sold", "--name", "b", "--task", "regression")
    )
    assert {file.name for file in home.contracts.iterdir()} == {"contract.schema.json", "shop.yaml"}
    assert (home.contracts / "shop.yaml").read_text() == before


def test_a_file_that_the_next_run_would_take_away_is_no_source(home: Path, type_in: Callable[..., Result]) -> None:
    file = home / "data" / "incoming" / "iris" / "t.csv"
    file.parent.mkdir(parents=True)
    file.write_text("a,b\n1,2\n")
    assert "from where runs take files away: move it elsewhere first" in failure(
        type_in("add", str(file), "--target", "b")
    )


def test_replacing_a_contract_puts_the_old_one_aside(shop: Path, type_in: Callable[..., Result]) -> None:
    contracts = Home.current().contracts
    (contracts / "shop.yaml").write_text("# mine\n")
    assert type_in("add", str(shop), "--target", "price", "--replace").exit_code == 0
    assert load_contracts()["shop"].target == "price"
    assert [file.read_text() for file in (contracts / ".removed").iterdir()] == ["# mine\n"]


def test_a_contract_of_ones_own_takes_the_place_of_a_built_in_one_and_gives_it_back(
    shop: Path, type_in: Callable[..., Result]
) -> None:
    assert type_in("add", str(shop), "--target", "sold", "--name", "iris", "--replace").exit_code == 0
    assert load_contracts()["iris"].target == "sold"
    assert type_in("remove", "iris").exit_code == 0
    assert load_contracts()["iris"].target == "species"


def test_a_query_to_a_database_is_a_table_too(home: Path, type_in: Callable[..., Result], tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as database:
        pl.DataFrame({"n": range(40), "kind": ["a", "b"] * 20}).to_pandas().to_sql("Orders", database, index=False)
    address = f"sqlite:///{tmp_path / 'shop.db'}"
    assert "needs a query" in failure(type_in("add", address, "--target", "kind", "--name", "b"))
    done = type_in("add", address, "--target", "kind", "--query", "SELECT n * n AS m, kind FROM Orders")
    assert done.exit_code == 0, done.output
    assert load_contracts()["orders"].sources[0].database == address
    assert type_in("check", "orders").exit_code == 0


def test_a_password_is_written_nowhere(
    home: Path, type_in: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = binaries()
    if programs is None:
        pytest.skip("no PostgreSQL is installed: initdb and postgres were not found")
    monkeypatch.setenv("ML_ASSETS_ORDERS_DATABASE", "")
    with running_server(programs) as server:
        fill(server)
        words = (
            "add",
            server.secret_address,
            "--target",
            "kind",
            "--query",
            "SELECT half, kind FROM orders ORDER BY n",
        )
        done = type_in(*words)
        assert done.exit_code == 0, done.output
        assert "export ML_ASSETS_ORDERS_DATABASE=" in done.output
        assert load_contracts()["orders"].sources[0].database == "$ML_ASSETS_ORDERS_DATABASE"
        assert type_in("check", "orders").exit_code == 0, "the variable is set in this process"
    texts = [done.output, *(file.read_text() for file in home.rglob("*") if file.is_file() and file.suffix == ".yaml")]
    assert not any(secret in text for secret in (SECRET, "p%40ss") for text in texts)


def fill(server: Server) -> None:
    with server.connect() as connection:
        connection.execute(
            "CREATE TABLE orders AS SELECT n, n * 0.5 AS half, chr(97 + n % 2) AS kind FROM generate_series(1, 40) n"
        )


def test_check_of_a_dataset_prints_every_check_and_fails_when_one_refuses(
    shop: Path, type_in: Callable[..., Result]
) -> None:
    done = type_in("check", "shop")
    assert done.exit_code == 0
    assert done.output.count("✓") >= 8
    contract = Home.current().contracts / "shop.yaml"
    contract.write_text(contract.read_text().replace("row_count: {minimum: 30}", "row_count: {minimum: 1000}"))
    failed = type_in("check", "shop")
    assert "✗ row_count" in failed.output
    assert "shop: row_count would refuse the table" in failure(failed)
    document = json.loads(type_in("check", "shop", "--json").stdout)
    outcomes = {check["name"]: check for check in document["checks"]}
    assert not outcomes["row_count"]["passed"]
    assert outcomes["ranges"]["passed"]
    assert not made_folders(Home.current(), "shop"), "checking makes nothing"


def test_check_of_a_built_in_dataset_needs_no_home(home: Path, type_in: Callable[..., Result]) -> None:
    assert type_in("check", "iris").exit_code == 0
    assert not home.exists()


def test_check_of_a_file_finds_its_dataset_and_tells_each_bad_cell(shop: Path, type_in: Callable[..., Result]) -> None:
    good = type_in("check", str(shop))
    assert good.exit_code == 0
    assert "✓ shop.csv as shop: 60 of 60 rows keep the contract" in good.output
    bad = shop.parent / "monday.csv"
    bad.write_text(shop.read_text() + "cheap,red,no\n999,red,no\n5,pink,maybe\n")
    done = type_in("check", str(bad))
    assert "60 of 63 rows keep the contract" in done.output
    for told in (
        "row 61: column 'price' holds 'cheap'",
        "row 62: column 'price' holds '999.0'",
        "row 63: column 'sold' holds 'maybe'",
    ):
        assert told in done.output
    assert "shop: 3 rows would be refused" in failure(done)
    document = json.loads(type_in("check", str(bad), "--dataset", "shop", "--json").stdout)
    assert (document["rows"], document["refused"], document["whole_file_refused"]) == (63, 3, None)
    assert {reason["row"] for reason in document["reasons"]} == {61, 62, 63}
    assert bad.is_file()
    assert not (Home.current().data / "incoming").exists()


def test_check_of_a_file_with_other_columns_says_so(shop: Path, type_in: Callable[..., Result]) -> None:
    other = shop.parent / "other.csv"
    other.write_text("a,b\n1,2\n")
    assert "other.csv has the columns of no dataset: name one with --dataset" in failure(type_in("check", str(other)))
    assert "column 'price' is missing" in failure(type_in("check", str(other), "--dataset", "shop"))
    assert "did you mean 'shop'?" in failure(type_in("check", "shp"))
    assert "shp.csv does not exist" in failure(type_in("check", "shp.csv"))


def test_check_of_a_file_that_may_be_of_two_datasets_asks_which(shop: Path, type_in: Callable[..., Result]) -> None:
    assert type_in("add", str(shop), "--target", "sold", "--name", "market").exit_code == 0
    assert "shop.csv may be of market or shop: say which with --dataset" in failure(type_in("check", str(shop)))


def test_remove_takes_the_dataset_out_and_loses_nothing(shop: Path, type_in: Callable[..., Result]) -> None:
    home = Home.current()
    before = (home.contracts / "shop.yaml").read_text()
    made, waiting = home.data / "raw" / "shop", home.incoming / "shop"
    for folder in (made, waiting, home.data / "raw" / "iris"):
        folder.mkdir(parents=True)
        (folder / "a.csv").write_text("a")
    done = type_in("remove", "shop")
    assert done.exit_code == 0
    assert "shop" not in load_contracts()
    assert [file.read_text() for file in (home.contracts / ".removed").iterdir()] == [before]
    assert shop.is_file()
    assert made.is_dir()
    assert f"{made}\n" in done.output
    assert f"kept     {waiting}" in done.output
    assert type_in("remove", "shop", "--data").exit_code == 0, "what was left can be removed later"
    assert not made.exists()
    assert waiting.is_dir()
    assert (home.data / "raw" / "iris").is_dir()


def test_remove_with_data_keeps_files_that_were_handed_in(shop: Path, type_in: Callable[..., Result]) -> None:
    home = Home.current()
    batch = home.data / "batches" / "shop" / "000001-monday"
    batch.mkdir(parents=True)
    (batch / "original.csv").write_text("1,2")
    done = type_in("remove", "shop", "--data")
    assert done.exit_code == 0, done.output
    assert not batch.exists()
    (kept,) = (home.contracts / ".removed").rglob("original.csv")
    assert kept.read_text() == "1,2"


@pytest.mark.parametrize("name", ["iris", "shp", "../shop", "", "data/raw"])
def test_remove_refuses_what_is_not_ones_own(name: str, shop: Path, type_in: Callable[..., Result]) -> None:
    for words in ((), ("--data",)):
        told = failure(type_in("remove", name, *words))
        assert ("comes with ml_assets and cannot be removed" in told) == (name == "iris")
        assert name == "iris" or "unknown dataset of your own" in told
    assert (Home.current().contracts / "shop.yaml").is_file()


def test_file_names_that_would_break_out_of_comments_do_not(
    home: Path, type_in: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "shop\nname: evil.csv"
    pl.DataFrame({"n": range(40), "kind": ["a", "b", "b", "a"] * 10, "x": RNG.random(40)}).write_csv(file)
    done = type_in("add", str(file), "--target", "kind", "--name", "shop")
    assert done.exit_code == 0, done.output
    assert load_contracts()["shop"].sources[0].path == str(file)
