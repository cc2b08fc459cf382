"""The prediction log: what was asked, answered and labelled later. Judging it belongs in monitoring.

Times are seconds since the epoch, UTC; periods include `since` and exclude `until`. How the file is opened
and shared belongs in `log_database`.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ml_assets.errors import ContractError, UserError
from ml_assets.serving.log_database import LogDatabase

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from ml_assets.datasets.spec import Column

ANSWERED, REFUSED, FAILED = "answered", "refused", "failed"
WINDOW_COLUMNS = ("prediction", "request_id", "position", "model_version", "received_at")
PERIOD = "dataset = :dataset AND received_at >= :since AND (:until IS NULL OR received_at < :until)"


@dataclass(frozen=True)
class LoggedRequest:
    """One request; `status` is answered, refused (the caller's mistake) or failed (ours), `reason` why."""

    request_id: str
    dataset: str
    model_version: str | None
    received_at: float
    latency_ms: float
    row_count: int
    status: str
    reason: str | None = None


@dataclass(frozen=True)
class Label:
    """What a predicted row turned out to be."""

    request_id: str
    position: int
    label: float | str


@dataclass(frozen=True)
class LogSummary:
    """Requests of a period; `rows` and latencies (milliseconds, None if there are none) of answered ones."""

    requests: int
    refused: int
    failed: int
    rows: int
    latency_p50_ms: float | None
    latency_p95_ms: float | None


class PredictionLog:
    """The log in the SQLite file at `path`, made on first use.

    Raises:
        StorageError: the file cannot be made, read or written, or is from a later version of ml_assets.
    """

    def __init__(self, path: Path) -> None:
        self._database = LogDatabase(path)

    def record(
        self,
        request: LoggedRequest,
        rows: Sequence[Mapping[str, Any]] = (),
        predictions: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Writes a request; an answered one with its rows and, in the same order, their predictions.

        Args:
            request: what was asked; `row_count` is that of `rows` if it was answered.
            rows: feature values by name; numbers, booleans, strings, dates or None.
            predictions: each with `prediction` and, for a class, `probabilities`.
        """
        numbered = [
            (request.request_id, i, json.dumps(row, default=dt.datetime.isoformat), json.dumps(answer))
            for i, (row, answer) in enumerate(zip(rows, predictions, strict=True))
        ]
        with self._database.transaction() as connection:
            connection.execute(
                """INSERT INTO requests VALUES (:request_id, :dataset, :model_version, :received_at,
                                                :latency_ms, :row_count, :status, :reason)""",
                vars(request),
            )
            connection.executemany("INSERT INTO rows VALUES (?, ?, ?, ?)", numbered)

    def add_labels(self, dataset: str, labels: Sequence[Label], *, received_at: float) -> None:
        """Writes labels that came after the answer, all or none; a row's later label replaces the earlier.

        Raises:
            UserError: a label names a row that was not answered for this dataset.
        """
        with self._database.transaction() as connection:
            for label in labels:
                self._check_answered(connection, dataset, label)
            connection.executemany(
                "INSERT OR REPLACE INTO labels VALUES (?, ?, ?, ?)",
                [(x.request_id, x.position, json.dumps(x.label), received_at) for x in labels],
            )

    def window(
        self, dataset: str, *, since: float, until: float | None = None, columns: Sequence[str] | Mapping[str, Column]
    ) -> pd.DataFrame:
        """Answered rows of a period, oldest first: `columns` (None if never logged), then `WINDOW_COLUMNS`.

        Args:
            dataset: whose rows.
            since: start of the period.
            until: its end, now if not given.
            columns: features; where their contract is given they have the dtypes of training, and a value that was
                logged under another contract and no longer fits is missing.

        Raises:
            ContractError: a feature is named like one of `WINDOW_COLUMNS`.
        """
        import pandas as pd

        from ml_assets.serving.rows import typed_column

        clashing = sorted(set(columns) & set(WINDOW_COLUMNS))
        if clashing:
            raise ContractError(
                f"{dataset}: a feature may not be called {', '.join(clashing)}: the window uses that name; "
                "rename the column in the contract (`source_name` keeps the file's name)"
            )
        found = self._answered_rows(dataset, since, until)
        features = [json.loads(row["features"]) for row in found]
        table: dict[str, Any] = {name: [values.get(name) for values in features] for name in columns}
        if isinstance(columns, Mapping):
            table = {name: typed_column(columns[name], values) for name, values in table.items()}
        table["prediction"] = [json.loads(row["prediction"])["prediction"] for row in found]
        for name in WINDOW_COLUMNS[1:]:
            table[name] = [row[name] for row in found]
        return pd.DataFrame(table)

    def labelled(self, dataset: str, *, since: float, until: float | None = None) -> pd.DataFrame:
        """Rows answered in a period whose label is known, oldest first.

        Columns: prediction, probabilities (dict, or None for a regression), interval (dict, or None where the caller
        asked for none), label, labelled_at and the last four of `WINDOW_COLUMNS`.
        """
        import pandas as pd

        found = self._answered_rows(dataset, since, until, join="JOIN labels USING (request_id, position)")
        answers = [json.loads(row["prediction"]) for row in found]
        table: dict[str, list[Any]] = {
            "prediction": [answer["prediction"] for answer in answers],
            "probabilities": [answer.get("probabilities") for answer in answers],
            "interval": [answer.get("interval") for answer in answers],
            "label": [json.loads(row["label"]) for row in found],
            "labelled_at": [row["labelled_at"] for row in found],
        }
        return pd.DataFrame(table | {name: [row[name] for row in found] for name in WINDOW_COLUMNS[1:]})

    def count_rows(self, dataset: str, *, since: float, until: float | None = None) -> int:
        """Number of rows answered in a period."""
        query = f"SELECT coalesce(sum(row_count), 0) AS n FROM requests WHERE {PERIOD} AND status = 'answered'"
        return int(self._database.read(query, dataset=dataset, since=since, until=until)[0]["n"])

    def latest(self, dataset: str) -> LoggedRequest | None:
        """The request answered last, or None if there was none."""
        query = """SELECT * FROM requests WHERE dataset = :dataset AND status = 'answered'
                   ORDER BY received_at DESC, rowid DESC LIMIT 1"""
        found = self._database.read(query, dataset=dataset)
        return LoggedRequest(**dict(found[0])) if found else None

    def summary(self, dataset: str, *, since: float, until: float | None = None) -> LogSummary:
        """Counts and latency percentiles (nearest rank) of a period."""
        query = f"SELECT status, latency_ms, row_count FROM requests WHERE {PERIOD}"
        found = self._database.read(query, dataset=dataset, since=since, until=until)
        statuses = [row["status"] for row in found]
        answered = [row for row in found if row["status"] == ANSWERED]
        latencies = sorted(row["latency_ms"] for row in answered)
        return LogSummary(
            requests=len(found),
            refused=statuses.count(REFUSED),
            failed=statuses.count(FAILED),
            rows=sum(row["row_count"] for row in answered),
            latency_p50_ms=_nearest_rank(latencies, 0.50),
            latency_p95_ms=_nearest_rank(latencies, 0.95),
        )

    def _answered_rows(self, dataset: str, since: float, until: float | None, join: str = "") -> list[sqlite3.Row]:
        labels = ", labels.label, labels.received_at AS labelled_at" if join else ""
        query = f"""
            SELECT rows.*, asked.model_version, asked.received_at {labels}
            FROM (SELECT *, rowid AS arrival FROM requests WHERE {PERIOD}) AS asked
            JOIN rows USING (request_id) {join}
            ORDER BY asked.received_at, asked.arrival, rows.position"""
        return self._database.read(query, dataset=dataset, since=since, until=until)

    @staticmethod
    def _check_answered(connection: sqlite3.Connection, dataset: str, label: Label) -> None:
        query = "SELECT row_count FROM requests WHERE request_id = ? AND dataset = ? AND status = 'answered'"
        found = connection.execute(query, (label.request_id, dataset)).fetchone()
        if found is None:
            raise UserError(
                f"{dataset}: no answered request '{label.request_id}' in the log; "
                "use the request_id of an answer of this dataset"
            )
        if not 0 <= label.position < found["row_count"]:
            raise UserError(
                f"{dataset}: request '{label.request_id}' has rows 0 to {found['row_count'] - 1}, "
                f"no row {label.position}"
            )


def _nearest_rank(ordered: Sequence[float], share: float) -> float | None:
    """Smallest value that at least `share` of the values do not exceed; None if there are none."""
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None
