"""How a run goes, shown while it goes: a bar a dataset on a terminal, plain lines elsewhere. It decides nothing."""

from __future__ import annotations

import json
import math
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ml_assets.artifacts import storage_errors
from ml_assets.automation.launch import INVOCATION
from ml_assets.cli.tables import score
from ml_assets.home import Home

if TYPE_CHECKING:
    import dagster as dg

    from ml_assets.automation.launch import RunPart

POLL_SECONDS = 0.4


@contextmanager
def quiet_processes(log: Path) -> Iterator[TextIO]:
    """Sends what this process and its children print to the file `log`; yields the terminal as it was."""
    with storage_errors(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    sys.stdout.flush()
    sys.stderr.flush()
    out, err = os.dup(1), os.dup(2)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    try:
        with os.fdopen(os.dup(out), "w") as terminal:
            yield terminal
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for saved, standard in ((out, 1), (err, 2)):
            os.dup2(saved, standard)
            os.close(saved)
        os.close(sink)


@dataclass
class _DatasetState:
    """What is known of one dataset's part of a run."""

    name: str
    steps: int
    done: int = 0
    running: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    search: dict[str, Any] = field(default_factory=dict)

    def best(self) -> str:
        """The best score so far, and after how many trials; empty before the first."""
        scores: dict[str, float] = self.search.get("best") or {}
        if not scores:
            return ""
        family = min(scores, key=lambda name: scores[name])
        return f"best {family} {score(scores[family])}, {self.search['trials']} trials"

    def describe(self) -> str:
        """What runs now, and the best score so far."""
        if self.failed:
            return f"failed: {', '.join(self.failed)}"
        doing = ", ".join(self.running) or ("done" if self.done >= self.steps else "waiting")
        told = self.best()
        if "raw_table" in self.running and "download" in self.search:
            return f"raw_table, {_download(self.search)}"
        if not told:
            return doing
        if "tuned_params" in self.running:
            of = f" of {self.search['budget']:.0f}" if math.isfinite(self.search["budget"]) else ""
            return f"tuned_params {self.search['seconds']:.0f}{of} s; {told}"
        return f"{doing}; {told}"


def _download(report: dict[str, Any]) -> str:
    received, total = report["received"], report["total"]
    share = f"{received / total:.0%} of {total / 1e6:.1f} MB" if total else f"{received / 1e6:.1f} MB"
    return f"downloading {report['download']}: {share}"


class _Watcher:
    """Reads Dagster's events of one run, and the search's own reports, every moment."""

    def __init__(self, instance: dg.DagsterInstance, home: Home, part: RunPart, invocation: str) -> None:
        self.instance = instance
        self.home = home
        self.invocation = invocation
        self.cursor: str | None = None
        self.run_id: str | None = None
        names = [key.path[0] for key in part.keys]
        self.datasets = {name: _DatasetState(name, names.count(name)) for name in dict.fromkeys(names)}

    def look(self) -> list[str]:
        """Takes in what happened since the last look; returns lines worth printing."""
        import dagster as dg

        if self.run_id is None:
            runs = self.instance.get_runs(filters=dg.RunsFilter(tags={INVOCATION: self.invocation}), limit=1)
            if not runs:
                return []
            self.run_id = runs[0].run_id
        kinds = {dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE}
        page = self.instance.get_records_for_run(self.run_id, cursor=self.cursor, of_type=kinds)
        self.cursor = page.cursor
        for state in self.datasets.values():
            self._read_search(state)
        entries = [record.event_log_entry.dagster_event for record in page.records]
        return [line for event in entries if event and (line := self._take(event))]

    def _take(self, event: dg.DagsterEvent) -> str:
        dataset, _, step = (event.step_key or "").partition("__")
        state = self.datasets.get(dataset)
        if state is None:
            return ""
        if event.is_step_start:
            state.running.append(step)
            return ""
        if step in state.running:
            state.running.remove(step)
        if event.is_step_failure:
            state.failed.append(step)
            return f"{dataset}: {step} failed"
        state.done += 1
        seconds = event.step_success_data.duration_ms / 1000
        told = f"; {state.best()}" if step == "tuned_params" and state.best() else ""
        return f"{dataset}: {step} done in {seconds:.1f} s ({state.done} of {state.steps}){told}"

    def _read_search(self, state: _DatasetState) -> None:
        try:
            state.search = json.loads((self.home.progress / str(self.run_id) / f"{state.name}.json").read_text())
        except FileNotFoundError:
            return


@contextmanager
def watch(
    instance: dg.DagsterInstance, home: Home, part: RunPart, invocation: str, *, terminal: TextIO
) -> Iterator[None]:
    """Shows on `terminal` how the run of `invocation` goes while the block runs."""
    watcher, over = _Watcher(instance, home, part, invocation), threading.Event()
    show = _show_bars if terminal.isatty() else _show_lines
    thread = threading.Thread(target=show, args=(watcher, over, terminal), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _show_lines(watcher: _Watcher, over: threading.Event, terminal: TextIO) -> None:
    while True:
        last = over.wait(POLL_SECONDS)
        for line in watcher.look():
            terminal.write(line + "\n")
        terminal.flush()
        if last:
            return


def _show_bars(watcher: _Watcher, over: threading.Event, terminal: TextIO) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.fields[name]}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    console = Console(file=terminal, highlight=False)
    # What this process prints goes to the log; rich would bring it to the terminal.
    with Progress(*columns, console=console, redirect_stdout=False, redirect_stderr=False) as bars:
        tasks = {
            state.name: bars.add_task("waiting", total=state.steps, name=state.name)
            for state in watcher.datasets.values()
        }
        while True:
            last = over.wait(POLL_SECONDS)
            watcher.look()
            for state in watcher.datasets.values():
                bars.update(tasks[state.name], completed=state.done, description=state.describe())
            if last:
                return
