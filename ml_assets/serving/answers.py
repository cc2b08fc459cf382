"""One request from its bytes to its answer, logged either way. HTTP belongs in `app`.

A log that cannot be written does not stop answers: the prediction is right, its caller waits, and a full disk
must not take every model down. But the answer says `logged: false` (no label can be joined to it later), the
failure is counted, and `/health` is degraded and shows it, so that nobody takes the monitoring figures for
complete. A label is different: nothing but the log wants it, so a label that cannot be written is refused,
and its sender can try again.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ml_assets.errors import ServingError, StorageError, UnknownNameError, UserError
from ml_assets.serving.prediction_log import ANSWERED, FAILED, REFUSED, Label, LoggedRequest, PredictionLog
from ml_assets.serving.rows import LabelValidator, RowProblem, RowsError, RowValidator, rows_to_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.serving.host import ChampionRef, ModelHost

logger = logging.getLogger(__name__)


class NoChampionError(ServingError):
    """A dataset that has no model to answer with yet."""


class _LateLabel(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    request_id: str = Field(max_length=64)
    position: int = Field(ge=0)
    label: Any


@dataclass(frozen=True)
class LogFailures:
    """Writes to the prediction log that failed since the server started."""

    count: int = 0
    last: str | None = None


@dataclass
class _Call:
    """A request under way: what its log entry will say."""

    request_id: str
    dataset: str
    received_at: float
    started: float = field(default_factory=time.perf_counter)
    champion: ChampionRef | None = None
    row_count: int = 0

    def entry(self, status: str, reason: str | None = None) -> LoggedRequest:
        return LoggedRequest(
            request_id=self.request_id,
            dataset=self.dataset,
            model_version=self.champion.version if self.champion else None,
            received_at=self.received_at,
            latency_ms=1000 * (time.perf_counter() - self.started),
            row_count=self.row_count,
            status=status,
            reason=reason[:500] if reason else None,
        )


class Answerer:
    """Answers requests for the datasets of `specs` with the champions of `host`, from any thread."""

    def __init__(
        self,
        host: ModelHost,
        log: PredictionLog,
        specs: Mapping[str, DatasetSpec],
        *,
        clock: Callable[[], float],
    ) -> None:
        self._host = host
        self._log = log
        self._specs = specs
        self._clock = clock
        self._rows = {name: RowValidator(spec) for name, spec in specs.items()}
        self._labels = {name: LabelValidator(spec) for name, spec in specs.items()}
        self._counting = threading.Lock()
        self._failures = LogFailures()

    @property
    def log_failures(self) -> LogFailures:
        """Writes to the log that failed so far."""
        return self._failures

    def predict(self, dataset: str, body: bytes, *, request_id: str, coverage: float | None = None) -> dict[str, Any]:
        """The answer to the JSON text `{"rows": [{…}]}`, with intervals or sets where a `coverage` is asked for.

        Raises:
            UnknownNameError: no such dataset.
            RowsError: the rows break the contract.
            SettingError: the model cannot promise that coverage.
            NoChampionError: there is no model yet.
            PredictionError: the model could not predict these rows.
        """
        self._known(dataset)
        call = _Call(request_id, dataset, self._clock())
        try:
            rows, answers = self._answer(call, body, coverage)
        except UserError as error:
            self._write(call.entry(REFUSED, str(error)))
            raise
        except Exception as error:
            self._write(call.entry(FAILED, str(error)))
            raise
        logged = self._write(call.entry(ANSWERED), rows, answers)
        return {
            "request_id": request_id,
            "dataset": dataset,
            "model": model_document(call.champion),
            "logged": logged,
            "predictions": answers,
        }

    def refuse(self, dataset: str, reason: str, *, request_id: str) -> None:
        """Logs a request whose body was refused unread."""
        self._known(dataset)
        self._write(_Call(request_id, dataset, self._clock()).entry(REFUSED, reason))

    def add_label(self, dataset: str, body: bytes) -> dict[str, Any]:
        """Takes the JSON text `{"request_id": …, "position": …, "label": …}`; returns what was written.

        Raises:
            UnknownNameError: no such dataset.
            RowsError: the text is no such JSON, or the target cannot take the label.
            UserError: the label names a row that was not answered for this dataset.
            StorageError: the log cannot be written.
        """
        self._known(dataset)
        try:
            late = _LateLabel.model_validate_json(body)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
            problems = [RowProblem(None, ".".join(map(str, e["loc"])) or None, e["msg"]) for e in found]
            raise RowsError(dataset, problems) from error
        value = self._labels[dataset].check(late.label)
        try:
            self._log.add_labels(dataset, [Label(late.request_id, late.position, value)], received_at=self._clock())
        except StorageError as error:
            self._count_failure(error)
            raise
        return {"request_id": late.request_id, "position": late.position, "label": value}

    def _answer(
        self, call: _Call, body: bytes, coverage: float | None
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        rows = self._rows[call.dataset].parse(body)
        call.row_count = len(rows)
        hosted = self._host.hosted(call.dataset)
        if hosted.champion is None or hosted.predictor is None:
            raise NoChampionError(f"{call.dataset}: {hosted.error or 'no champion yet'}")
        call.champion = hosted.champion
        predictions = hosted.predictor.predict(rows_to_frame(self._specs[call.dataset], rows), coverage)
        return rows, list(predictions.answers())

    def _known(self, dataset: str) -> None:
        if dataset not in self._specs:
            raise UnknownNameError("dataset", dataset, self._specs)

    def _write(
        self,
        entry: LoggedRequest,
        rows: Sequence[dict[str, Any]] = (),
        answers: Sequence[dict[str, Any]] = (),
    ) -> bool:
        try:
            self._log.record(entry, rows, answers)
        except StorageError as error:
            self._count_failure(error)
            return False
        return True

    def _count_failure(self, error: StorageError) -> None:
        with self._counting:
            self._failures = LogFailures(self._failures.count + 1, str(error))
        logger.error("not logged: %s", error)


def model_document(champion: ChampionRef | None) -> dict[str, str] | None:
    """What an answer says of the model it came from."""
    if champion is None:
        return None
    return {name: getattr(champion, name) for name in ("version", "family", "sha256", "run_id", "data_hash")}
