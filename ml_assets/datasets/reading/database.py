"""Rows of a query to SQLite or PostgreSQL, which cannot change anything there. What columns mean belongs in `cells`.

An address may hold a password: it comes from the environment then, and neither an error nor a contract shows it.
"""

from __future__ import annotations

import os
import re
import sqlite3
import urllib.parse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from ml_assets.datasets.reading.columns import checked_header
from ml_assets.datasets.reading.delimited import FoundTable
from ml_assets.datasets.reading.files import below_home
from ml_assets.datasets.reading.parquet import MAX_TABLE_BYTES
from ml_assets.datasets.reading.values import column_of, joined
from ml_assets.datasets.reading.wording import plain, shortened
from ml_assets.errors import SourceError

BATCH_ROWS: Final = 20_000
CONNECT_SECONDS: Final = 20
SECRET_OPTIONS: Final = frozenset({"password", "passwd", "pwd", "sslpassword"})

_VARIABLE: Final = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)
_READS: Final = re.compile(r"(?is)(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/|\()*(?:select|with)\b.*")


def read_query(address: str, query: str, *, home: Path | None, origin: str) -> FoundTable:
    """The rows that `query` gives, in its order: numbers, booleans, texts, and dates naive in UTC.

    SQLite files are opened read-only; PostgreSQL is asked in a transaction that is READ ONLY.

    Args:
        address: `sqlite:///file` (relative to `home`), `postgresql://user@host/name`, or `$NAME` of an environment
            variable that holds one.
        query: one SELECT, or WITH and a SELECT.
        home: root of the home.
        origin: the source, for messages.

    Raises:
        SourceError: no such database, a query that is none or fails, or rows that are no table.
    """
    statement = _one_statement(query, origin)
    url = _url(address, origin)
    with (
        _failures(url, origin),
        _connected(url, home, origin) as connection,
        closing(connection.exec_driver_sql(statement)) as result,
    ):
        names = checked_header(list(map(str, result.keys())), origin=origin)
        parts: list[list[pl.Series]] = []
        size = 0
        while rows := result.fetchmany(BATCH_ROWS):
            cells = zip(*rows, strict=True)
            parts.append([column_of(name, values, origin=origin) for name, values in zip(names, cells, strict=True)])
            size += sum(int(column.estimated_size()) for column in parts[-1])
            if size > MAX_TABLE_BYTES:
                raise SourceError(f"{origin}: the query gives more than {MAX_TABLE_BYTES >> 30} GiB: ask for less")
    if not parts:
        raise SourceError(f"{origin}: the query gives no rows: widen it")
    whole = [joined(name, [part[at] for part in parts]) for at, name in enumerate(names)]
    numbers = pl.Series("number", np.arange(1, len(whole[0]) + 1, dtype=np.uint32))
    return FoundTable(pl.DataFrame(whole), numbers)


def storable_address(address: str) -> str:
    """`address` as a contract may hold it: without a password, and to a file by its absolute path.

    Raises:
        SourceError: it holds a password, or is no address.
    """
    if _VARIABLE.fullmatch(address):
        return address
    if "://" not in address:
        return f"sqlite:///{Path(address).expanduser().absolute()}"
    url = _url(address, "the database")
    if url.get_backend_name() != "sqlite" or not url.database or Path(url.database).is_absolute():
        return address
    return f"sqlite:///{Path(url.database).absolute()}"


def _url(address: str, origin: str) -> sa.URL:
    """The parsed address, taken from the environment where it says so; only from there with a password in it."""
    variable = _VARIABLE.fullmatch(address)
    text = os.environ.get(variable[1] or variable[2], "") if variable else address
    if variable and not text:
        raise SourceError(f"{origin}: the environment variable {address} is not set: set it to the database's address")
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        shown = f"{address} holds" if variable else "this is"
        raise SourceError(
            f"{origin}: {shown} no database address: write it as sqlite:///file.db or postgresql://user@host/name"
        ) from None
    if not variable and _secrets(url):
        raise SourceError(
            f"{origin}: the database's address holds a password: put the address into an environment variable, and "
            "its name, as $NAME, in its place"
        )
    if url.get_backend_name() not in ("sqlite", "postgresql", "postgres"):
        raise SourceError(
            f"{origin}: {shortened(url.get_backend_name())} is no database that is read: use sqlite or postgresql"
        )
    return url


def _one_statement(query: str, origin: str) -> str:
    statement = query.strip().removesuffix(";").strip()
    if not _READS.fullmatch(statement) or "\0" in statement:
        raise SourceError(f"{origin}: only SELECT, or WITH and a SELECT, is run, and this is {shortened(query)}")
    if ";" in statement:
        raise SourceError(
            f"{origin}: a query is one statement without ';' in it, even in a text (chr(59) stands for it)"
        )
    return statement


@contextmanager
def _connected(url: sa.URL, home: Path | None, origin: str) -> Iterator[sa.Connection]:
    engine = _sqlite(url, home, origin) if url.get_backend_name() == "sqlite" else _postgresql(url, origin)
    try:
        with engine.connect() as connection:
            yield connection.execution_options(stream_results=True, no_parameters=True)
    finally:
        engine.dispose()


def _sqlite(url: sa.URL, home: Path | None, origin: str) -> sa.Engine:
    if not url.database or url.database == ":memory:" or url.query:
        raise SourceError(f"{origin}: name the database's file alone, as sqlite:///folder/file.db")
    path = Path(url.database) if home is None else below_home(url.database, home)
    if not path.is_file():
        raise SourceError(f"{origin}: the database file {path} does not exist: check the path")

    def opened() -> sqlite3.Connection:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=CONNECT_SECONDS)
        connection.execute("PRAGMA query_only = ON")
        return connection

    return sa.create_engine("sqlite://", creator=opened, poolclass=NullPool)


def _postgresql(url: sa.URL, origin: str) -> sa.Engine:
    try:
        engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            poolclass=NullPool,
            connect_args={"connect_timeout": CONNECT_SECONDS},
            hide_parameters=True,
        )
    except ImportError:
        raise SourceError(f"{origin}: PostgreSQL needs psycopg: install ml-assets[postgres]") from None

    @sa.event.listens_for(engine, "connect")
    def _refuse_writing(connection: Any, _: Any) -> None:
        connection.read_only = True

    return engine


@contextmanager
def _failures(url: sa.URL, origin: str) -> Iterator[None]:
    """Errors of databases without what may be secret in them, and without the chain that would show it."""
    try:
        yield
    except (sa.exc.SQLAlchemyError, sqlite3.Error, OSError, ValueError) as error:
        cause = getattr(error, "orig", None) or error
        told = plain(str(cause))
        for secret in _secrets(url):
            for spelling in {secret, urllib.parse.quote(secret), urllib.parse.quote_plus(secret)}:
                told = told.replace(spelling, "***")
        raise SourceError(
            f"{origin}: the database cannot answer ({told[:300]}): check its address and the query"
        ) from None


def _secrets(url: sa.URL) -> list[str]:
    """Passwords of an address, longest first, so that none is left in part."""
    options = [value for name, value in url.query.items() if name.lower() in SECRET_OPTIONS]
    found = [str(url.password)] if url.password is not None else []
    for value in options:
        found += [value] if isinstance(value, str) else list(value)
    return sorted(filter(None, found), key=len, reverse=True)
