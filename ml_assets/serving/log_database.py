"""The SQLite file under the prediction log: its schema, and safe use by many. Queries: see `prediction_log`.

Every call opens its own connection and is one transaction, so that threads and processes may share the file
and a killed process leaves a usable one. Write-ahead logging lets readers read while a writer writes.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from ml_assets.artifacts import storage_errors
from ml_assets.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUSY_SECONDS = 5.0
SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE requests (
    request_id TEXT PRIMARY KEY,
    dataset TEXT NOT NULL,
    model_version TEXT,
    received_at REAL NOT NULL,
    latency_ms REAL NOT NULL,
    row_count INTEGER NOT NULL,
    status TEXT NOT NULL,
    reason TEXT
);
CREATE INDEX requests_by_time ON requests (dataset, received_at);
CREATE TABLE rows (
    request_id TEXT NOT NULL REFERENCES requests,
    position INTEGER NOT NULL,
    features TEXT NOT NULL,
    prediction TEXT NOT NULL,
    PRIMARY KEY (request_id, position)
) WITHOUT ROWID;
CREATE TABLE labels (
    request_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    label TEXT NOT NULL,
    received_at REAL NOT NULL,
    PRIMARY KEY (request_id, position),
    FOREIGN KEY (request_id, position) REFERENCES rows
) WITHOUT ROWID;
"""


class LogDatabase:
    """The database in the file at `path`, made on first use; several processes may be first at once.

    Raises:
        StorageError: the file cannot be made, read or written, or is from a later version of ml_assets.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        if self._schema_version() == 0:
            self._create_schema()
        found = self._schema_version()
        if found != SCHEMA_VERSION:
            raise StorageError(
                f"{path} has schema version {found} and this ml_assets knows {SCHEMA_VERSION}: "
                "use the ml_assets that wrote it, or move the file away"
            )

    def read(self, query: str, **parameters: Any) -> list[sqlite3.Row]:
        """Rows that `query` finds."""
        with self._connection() as connection:
            return connection.execute(query, parameters).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection whose writes are kept together, or not at all if the block raises."""
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                yield connection

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            with closing(connection):
                connection.row_factory = sqlite3.Row
                connection.execute("PRAGMA synchronous = NORMAL")
                yield connection
        except sqlite3.Error as error:
            raise StorageError(
                f"prediction log {self.path}: {error}; see that the disk has space and the file may be "
                "written; if it is damaged, move it away and a new one is made"
            ) from error

    def _schema_version(self) -> int:
        with self._connection() as connection:
            return int(connection.execute("PRAGMA user_version").fetchone()[0])

    def _create_schema(self) -> None:
        with storage_errors(self.path), FileLock(f"{self.path}.lock"):
            if self._schema_version() != 0:
                return
            with self._connection() as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
