"""Sensors: new files, new live rows and decisions to retrain become one run each."""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import dagster as dg
from filelock import Timeout

from ml_assets.assets.policy import whole_range
from ml_assets.automation import selections
from ml_assets.datasets.incoming.arrivals import SETTLE_SECONDS, intake_lock, pending_files
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.errors import SettingError
from ml_assets.home import Home

INTERVAL_VARIABLE = "ML_ASSETS_SENSOR_SECONDS"
DEFAULT_INTERVAL_SECONDS = 30
NO_FILES = "none"
UNDER_WAY = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


def interval_seconds() -> int:
    """How often sensors look: `ML_ASSETS_SENSOR_SECONDS`, 30 by default.

    Raises:
        SettingError: the variable is no whole number from 1 up.
    """
    named = os.environ.get(INTERVAL_VARIABLE, str(DEFAULT_INTERVAL_SECONDS))
    if not named.isdecimal() or int(named) < 1:
        raise SettingError(f"{INTERVAL_VARIABLE} is '{named}'; give a whole number of seconds from 1 up")
    return int(named)


def build_sensors(specs: Mapping[str, DatasetSpec]) -> list[dg.SensorDefinition]:
    """All sensors over the datasets of `specs`; they run as soon as a daemon does."""
    return [_incoming_files(specs), _live_rows(list(specs)), _retrain_on_decision(list(specs))]


def _sensor(
    name: str,
    selection: dg.AssetSelection,
    evaluate: Callable[[dg.SensorEvaluationContext], Iterator[dg.RunRequest | dg.SkipReason]],
) -> dg.SensorDefinition:
    return dg.SensorDefinition(
        name=name,
        description=evaluate.__doc__,
        asset_selection=selection,
        evaluation_fn=evaluate,
        minimum_interval_seconds=interval_seconds(),
        default_status=dg.DefaultSensorStatus.RUNNING,
    )


def _incoming_files(specs: Mapping[str, DatasetSpec]) -> dg.SensorDefinition:
    def evaluate(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        """Takes new files in `data/incoming/<dataset>/` and re-trains, once for each new state of the folder."""
        from ml_assets.automation.staleness import source_reason

        home = Home.current()
        seen: dict[str, list[str | int]] = json.loads(context.cursor or "{}")
        for dataset, spec in specs.items():
            last, number = seen.get(dataset, [NO_FILES, 0])
            state = _settled_state(spec, home)
            if state is None or state == last or (state == NO_FILES and _being_made(context.instance, dataset)):
                continue
            seen[dataset] = [state, int(number) + 1]
            if source_reason(context.instance, spec, never_made=True):
                run_key = f"incoming/{dataset}/{state}/{seen[dataset][1]}"
                yield _request(dataset, selections.TRAINING, run_key, "incoming files")
        context.update_cursor(json.dumps(seen))

    return _sensor("incoming_files", dg.AssetSelection.all(), evaluate)


def incoming_state(files: Sequence[Path], *, now: float) -> str | None:
    """A short name for the files as they are, `NO_FILES` where there are none; None while one may still be growing."""
    stats = []
    for file in files:
        try:
            status = file.lstat()
        except FileNotFoundError:
            continue
        if abs(now - status.st_mtime) < SETTLE_SECONDS:
            return None
        stats.append((file.name, status.st_size, status.st_mtime))
    return hashlib.sha256(json.dumps(stats).encode()).hexdigest()[:16] if stats else NO_FILES


def _settled_state(spec: DatasetSpec, home: Home) -> str | None:
    """The state of the files that wait for a dataset; None while they are growing or being taken."""
    if not pending_files(spec, home):
        return NO_FILES
    try:
        with intake_lock(home, spec.name).acquire(timeout=0):
            return incoming_state(pending_files(spec, home), now=time.time())
    except Timeout:
        return None


def _being_made(instance: dg.DagsterInstance, dataset: str) -> bool:
    """Whether a run under way makes the raw table, and so may have taken the files that are gone."""
    key = dg.AssetKey([dataset, "raw_table"])
    runs = instance.get_runs(dg.RunsFilter(statuses=list(UNDER_WAY)))
    return any(run.asset_selection is None or key in run.asset_selection for run in runs)


def _live_rows(datasets: Sequence[str]) -> dg.SensorDefinition:
    def evaluate(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        """Looks at drift and live performance of a dataset once the server has logged more rows for it."""
        from ml_assets.resources.settings import default_settings
        from ml_assets.serving.prediction_log import PredictionLog

        log_file = Home.current().prediction_log
        if not log_file.exists():
            yield dg.SkipReason("no server has answered a request yet")
            return
        looked: dict[str, float] = json.loads(context.cursor or "{}")
        log, step = PredictionLog(log_file), default_settings().minimum_live_rows
        for dataset in datasets:
            latest, since = log.latest(dataset), math.nextafter(looked.get(dataset, 0.0), math.inf)
            if latest is not None and log.count_rows(dataset, since=since) >= step:
                looked[dataset] = latest.received_at
                yield _request(dataset, selections.LIVE, f"live/{dataset}/{latest.received_at}", "new live rows")
        context.update_cursor(json.dumps(looked))

    return _sensor("live_rows", selections.monitoring(list(datasets)), evaluate)


def _retrain_on_decision(datasets: Sequence[str]) -> dg.SensorDefinition:
    def evaluate(_: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        """Turns each decision to retrain into one run of that dataset, all families."""
        from ml_assets.assets.monitoring import last_decision

        for dataset in datasets:
            decision = last_decision(dataset)
            if decision is not None and decision.retrain:
                yield _request(
                    dataset, selections.TRAINING, f"retrain/{dataset}/{decision.decision_id}", decision.reason
                )

    return _sensor("retrain_on_decision", dg.AssetSelection.all(), evaluate)


def _request(dataset: str, assets: Sequence[str], run_key: str, reason: str) -> dg.RunRequest:
    """A run of all families; Dagster starts at most one for each `run_key`."""
    tags = {**whole_range(), "ml_assets/dataset": dataset, "ml_assets/reason": reason}
    return dg.RunRequest(run_key=run_key, asset_selection=selections.keys(dataset, assets), tags=tags)
