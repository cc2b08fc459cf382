"""Queries to real databases: SQLite files, and a PostgreSQL server started for these tests."""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest
from postgres_worlds import SECRET, Server, binaries, running_server

from ml_assets.datasets.reading.database import read_query, storable_address
from ml_assets.datasets.reading.opening import open_table
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.datasets.tables import load_raw_table, source_fingerprint
from ml_assets.errors import ContractViolation, SourceError

ROWS = [
    (1, "Zoë; 'the \"first\"'", 12.5, "2024-01-31", 1, "kept"),
    (2, None, None, "2024-02-29 10:30:00", 0, "left"),
    (3, "100 % — naïve", -3.0, None, None, "kept"),
]
SHOP = {
    "name": "shop",
    "title": "Shop",
    "task": "classification",
    "target": "outcome",
    "columns": {
        "id": {"dtype": "integer"},
        "note": {"dtype": "text", "missing_share": 1.0, "source_name": "the note"},
        "amount": {"dtype": "float", "missing_share": 1.0},
        "day": {"dtype": "date", "missing_share": 1.0},
        "member": {"dtype": "boolean", "missing_share": 1.0},
        "outcome": {"dtype": "category", "allowed": ["kept", "left"]},
    },
}
EVERYTHING = 'SELECT id, note AS "the note", amount, day, member, outcome FROM orders ORDER BY id'
EXPECTED = pl.DataFrame(
    {
        "id": [1, 2, 3],
        "note": ["Zoë; 'the \"first\"'", None, "100 % — naïve"],
        "amount": [12.5, None, -3.0],
        "day": [dt.datetime(2024, 1, 31), dt.datetime(2024, 2, 29, 10, 30), None],
        "member": [True, False, None],
        "outcome": ["kept", "left", "kept"],
        "batch": ["orders"] * 3,
    },
    schema_overrides={"day": pl.Datetime("us")},
)


def shop(address: str, query: str = EVERYTHING) -> DatasetSpec:
    source = {"name": "orders", "database": address, "query": query}
    return DatasetSpec.model_validate({**SHOP, "sources": [source]})


def table_of(spec: DatasetSpec, home: Path) -> pl.DataFrame:
    return load_raw_table(spec, mode="embedded", cache=home / "cache", home=home)


@pytest.fixture
def sqlite_home(tmp_path: Path) -> Path:
    """A home with shop.db in it."""
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute(
            "CREATE TABLE orders (id INTEGER, note TEXT, amount REAL, day TEXT, member INTEGER, outcome TEXT)"
        )
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?)", ROWS)
    connection.close()
    return tmp_path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A server with the table of orders."""
    programs = binaries()
    if programs is None:
        pytest.skip("no PostgreSQL is installed: initdb and postgres were not found")
    with running_server(programs) as server, server.connect() as connection:
        connection.execute(
            "CREATE TABLE orders (id bigint PRIMARY KEY, note text, amount numeric, day timestamp, member boolean, "
            "outcome varchar, at timestamptz, tags text[], document jsonb, picture bytea)"
        )
        for row in ROWS:
            values = (*row[:4], None if row[4] is None else bool(row[4]), row[5])
            connection.execute("INSERT INTO orders VALUES (%s, %s, %s, %s, %s, %s)", values)
        connection.execute(
            "UPDATE orders SET at = '2024-06-01 12:00:00+02', tags = '{a}', document = '{}', picture = 'x'"
        )
        yield server


@pytest.fixture
def secret(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a variable that holds the server's address and password."""
    monkeypatch.setenv("SHOP_DATABASE", postgres.secret_address)
    return "$SHOP_DATABASE"


def test_an_sqlite_query_gives_the_raw_table(sqlite_home: Path) -> None:
    assert table_of(shop("sqlite:///shop.db"), sqlite_home).equals(EXPECTED)
    assert table_of(shop(f"sqlite:///{sqlite_home}/shop.db"), Path("/elsewhere")).equals(EXPECTED)


def test_a_postgresql_query_gives_the_same_table(secret: str, tmp_path: Path) -> None:
    assert table_of(shop(secret), tmp_path).equals(EXPECTED)


def test_moments_with_an_offset_become_utc(secret: str) -> None:
    found = read_query(secret, "SELECT at FROM orders WHERE id = 1", home=None, origin="orders").frame
    assert found["at"].to_list() == [dt.datetime(2024, 6, 1, 10, 0)]


def test_percent_signs_and_colons_in_a_query_are_left_alone(secret: str, sqlite_home: Path) -> None:
    query = "SELECT id FROM orders WHERE note LIKE '100 %' AND note <> ':x'"
    for address in (secret, f"sqlite:///{sqlite_home}/shop.db"):
        assert read_query(address, query, home=None, origin="orders").frame["id"].to_list() == [3]


def test_many_rows_come_in_parts_and_are_whole(secret: str) -> None:
    query = "SELECT n, CASE WHEN n < 50000 THEN NULL ELSE n / 2.0 END AS half FROM generate_series(1, 50001) AS g(n)"
    found = read_query(secret, query, home=None, origin="numbers").frame
    assert found["n"].to_list() == list(range(1, 50002))
    assert found["half"].drop_nulls().to_list() == [25000.0, 25000.5]


@pytest.mark.parametrize("column", ["tags", "document", "picture"])
def test_values_that_hold_several_are_refused_by_column(secret: str, column: str) -> None:
    with pytest.raises(SourceError, match=f"orders, row 1: column '{column}' holds .*: spread it over columns"):
        read_query(secret, f"SELECT id, {column} FROM orders ORDER BY id", home=None, origin="orders")


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM orders",
        "DROP TABLE orders",
        "INSERT INTO orders (id) VALUES (9)",
        "-- SELECT\nDELETE FROM orders",
        "/* SELECT */ UPDATE orders SET id = 1",
        "SELECT 1; DELETE FROM orders",
        "SELECT 1; COMMIT; DELETE FROM orders",
        "ATTACH 'other.db' AS other",
        "PRAGMA query_only = OFF",
        "COPY orders TO '/tmp/orders'",
        "",
        ";",
        "selection",
    ],
)
def test_anything_but_one_select_is_not_run(secret: str, sqlite_home: Path, query: str) -> None:
    for address in (secret, f"sqlite:///{sqlite_home}/shop.db"):
        with pytest.raises(SourceError, match=r"only SELECT|one statement without ';'"):
            read_query(address, query, home=None, origin="orders")
        assert read_query(address, "SELECT id FROM orders", home=None, origin="orders").frame.height == 3


@pytest.mark.parametrize(
    "query",
    [
        "WITH gone AS (DELETE FROM orders RETURNING id) SELECT id FROM gone",
        "SELECT nextval('counter')",
        "SELECT 1 AS one INTO copied FROM orders",
    ],
)
def test_a_select_that_would_write_is_stopped_by_postgresql(postgres: Server, secret: str, query: str) -> None:
    with postgres.connect() as connection:
        connection.execute("CREATE SEQUENCE IF NOT EXISTS counter")
    with pytest.raises(SourceError, match=r"read-only transaction|not allowed here|must not contain data-modifying"):
        read_query(secret, query, home=None, origin="orders")
    assert read_query(secret, "SELECT id FROM orders", home=None, origin="orders").frame.height == 3


def test_what_a_function_makes_in_spite_of_that_is_rolled_back(postgres: Server, secret: str) -> None:
    with suppress(SourceError):
        read_query(secret, "SELECT lo_create(77) AS made", home=None, origin="orders")
    with postgres.connect() as connection:
        assert connection.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone() == (0,)


def test_an_insert_behind_with_is_stopped_by_sqlite(sqlite_home: Path) -> None:
    before = (sqlite_home / "shop.db").read_bytes()
    query = "WITH more AS (SELECT 9 AS id) INSERT INTO orders (id) SELECT id FROM more"
    with pytest.raises(SourceError, match=r"readonly database|query_only"):
        read_query(f"sqlite:///{sqlite_home}/shop.db", query, home=None, origin="orders")
    assert (sqlite_home / "shop.db").read_bytes() == before
    assert [path.name for path in sqlite_home.iterdir()] == ["shop.db"]


def test_a_query_waits_in_no_transaction_of_its_own(postgres: Server, secret: str) -> None:
    read_query(secret, "SELECT id FROM orders", home=None, origin="orders")
    with postgres.connect() as connection:
        others = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND state <> 'active' "
            "AND query LIKE '%orders%' AND pid <> pg_backend_pid() AND state <> 'idle'"
        ).fetchone()
    assert others == (0,)


def whole_story(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def test_a_password_reaches_no_message(postgres: Server, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spellings = (SECRET, "p%40ss%20word%2F1", "p@ss", "word/1")
    wrong = postgres.secret_address.replace("@/postgres", "@/nowhere")
    attempts = [
        (secret, "SELECT nothing FROM nowhere"),
        (secret, "SELECT 'p@ss word/1' / 0"),
        (postgres.secret_address, "SELECT 1"),
        (f"{postgres.address}&password={SECRET}", "SELECT 1"),
        ("$WRONG", "SELECT 1"),
        ("$BROKEN", "SELECT 1"),
        ("$OTHER", "SELECT 1"),
        ("$UNREACHABLE", "SELECT 1"),
    ]
    monkeypatch.setenv("WRONG", wrong)
    monkeypatch.setenv("BROKEN", f"postgresql:{SECRET}")
    monkeypatch.setenv("OTHER", f"mysql://me:{SECRET}@there/here")
    monkeypatch.setenv("UNREACHABLE", "postgresql://me:p%40ss%20word%2F1@127.0.0.1:1/x?sslpassword=p@ss")
    for address, query in attempts:
        with pytest.raises(SourceError) as caught:
            read_query(address, query, home=None, origin="orders")
        assert not any(spelling in whole_story(caught.value) for spelling in spellings)
    for address in (postgres.secret_address, f"{postgres.address}&password={SECRET}"):
        with pytest.raises(
            SourceError, match="holds a password: put the address into an environment variable"
        ) as caught:
            open_table(address, query="SELECT 1")
        assert not any(spelling in str(caught.value) for spelling in spellings)


def test_an_opened_query_is_stored_without_a_password(secret: str) -> None:
    opened = open_table(secret, query=EVERYTHING)
    assert opened.header == ("id", "the note", "amount", "day", "member", "outcome")
    assert opened.frame["member"].to_list() == [True, False, None]
    assert (opened.source.database, opened.source.query) == ("$SHOP_DATABASE", EVERYTHING)
    assert SECRET not in opened.source.model_dump_json()
    assert "p%40ss" not in opened.source.model_dump_json()


def test_an_opened_sqlite_file_is_stored_by_its_whole_path(sqlite_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sqlite_home)
    for origin in ("shop.db", "sqlite:///shop.db", str(sqlite_home / "shop.db")):
        opened = open_table(origin, query="SELECT id, note FROM orders")
        assert opened.source.database == f"sqlite:///{sqlite_home}/shop.db"
        assert opened.frame["note"].to_list() == [ROWS[0][1], None, ROWS[2][1]]
    assert storable_address("postgresql://me@there/here") == "postgresql://me@there/here"


def test_a_database_is_nothing_without_a_query(sqlite_home: Path) -> None:
    for origin in (str(sqlite_home / "shop.db"), f"sqlite:///{sqlite_home}/shop.db"):
        with pytest.raises(SourceError, match="query"):
            open_table(origin)


@pytest.mark.parametrize(
    ("address", "query", "reason"),
    [
        ("$UNSET_VARIABLE", "SELECT 1", r"variable \$UNSET_VARIABLE is not set: set it to the database's address"),
        ("shop", "SELECT 1", "is no database address: write it as"),
        ("oracle://there/here", "SELECT 1", "'oracle' is no database that is read: use sqlite or postgresql"),
        ("sqlite:///nowhere.db", "SELECT 1", r"the database file .*nowhere\.db does not exist"),
        ("sqlite:///../shop.db", "SELECT 1", "leads out of the home"),
        ("sqlite://", "SELECT 1", "name the database's file alone"),
        ("sqlite:///shop.db?mode=rwc", "SELECT 1", "name the database's file alone"),
        ("sqlite:///text.db", "SELECT * FROM orders", "file is not a database"),
        ("sqlite:///shop.db", "SELECT * FROM nowhere", "no such table: nowhere"),
        ("sqlite:///shop.db", "SELECT id FROM orders WHERE id > 99", "gives no rows"),
        ("sqlite:///shop.db", "SELECT id, id FROM orders", "column 'id' is there twice"),
        ("sqlite:///shop.db", "SELECT x'00ff' AS picture FROM orders", "column 'picture' holds bytes"),
        ("sqlite:///shop.db", "SELECT id AS ' ' FROM orders", "column 1 has no name"),
    ],
)
def test_what_is_wrong_with_a_database_or_query_is_told(
    sqlite_home: Path, address: str, query: str, reason: str
) -> None:
    (sqlite_home / "text.db").write_text("only some text, and no database at all")
    with pytest.raises(SourceError, match=reason):
        read_query(address, query, home=sqlite_home, origin="orders")


def test_cells_of_a_query_that_break_their_type_are_named(sqlite_home: Path) -> None:
    spec = shop("sqlite:///shop.db", EVERYTHING.replace("amount", "'many' AS amount"))
    with pytest.raises(
        SourceError, match=r"orders, row 1: column 'amount' holds 'many'.*2 more such cells \(rows 2, 3\)"
    ):
        table_of(spec, sqlite_home)
    with pytest.raises(ContractViolation, match="column 'amount' is missing"):
        table_of(shop("sqlite:///shop.db", EVERYTHING.replace("amount,", "")), sqlite_home)


def test_columns_of_mixed_kinds_become_texts(sqlite_home: Path) -> None:
    query = "SELECT CASE id WHEN 1 THEN 'one' WHEN 2 THEN 2 ELSE 3.5 END AS mixed FROM orders ORDER BY id"
    found = read_query("sqlite:///shop.db", query, home=sqlite_home, origin="orders").frame
    assert found["mixed"].to_list() == ["one", "2", "3.5"]


def changes_of(home: Path) -> list[Callable[[sqlite3.Connection], object]]:
    return [
        lambda c: c.execute("UPDATE orders SET amount = 12.25 WHERE id = 1"),
        lambda c: c.execute("DELETE FROM orders WHERE id = 3"),
        lambda c: c.execute("INSERT INTO orders (id, outcome) VALUES (4, 'kept')"),
    ]


def test_the_fingerprint_follows_the_rows_of_a_query_and_not_their_order(sqlite_home: Path) -> None:
    def fingerprint(query: str = EVERYTHING) -> str:
        spec = shop("sqlite:///shop.db").model_copy(update={"title": "the same"})
        source = spec.sources[0].model_copy(update={"query": query})
        return source_fingerprint(spec.model_copy(update={"sources": (source,)}), [], "embedded", home=sqlite_home)

    seen = [fingerprint()]
    for change in changes_of(sqlite_home):
        with sqlite3.connect(sqlite_home / "shop.db") as connection:
            change(connection)
        connection.close()
        seen.append(fingerprint())
    assert len(set(seen)) == 4
    with sqlite3.connect(sqlite_home / "shop.db") as connection:
        connection.execute("CREATE TABLE turned AS SELECT * FROM orders ORDER BY id DESC")
        connection.execute("DROP TABLE orders")
        connection.execute("ALTER TABLE turned RENAME TO orders")
    connection.close()
    unordered = EVERYTHING.removesuffix(" ORDER BY id")
    before = fingerprint(unordered)
    with sqlite3.connect(sqlite_home / "shop.db") as connection:
        connection.execute("CREATE TABLE turned AS SELECT * FROM orders ORDER BY id")
        connection.execute("DROP TABLE orders")
        connection.execute("ALTER TABLE turned RENAME TO orders")
    connection.close()
    assert fingerprint(unordered) == before


def test_a_server_for_tests_leaves_nothing_behind() -> None:
    programs = binaries()
    if programs is None:
        pytest.skip("no PostgreSQL is installed: initdb and postgres were not found")
    with running_server(programs) as server:
        folder, pid = server.folder, server.pid
        assert folder.is_dir()
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
