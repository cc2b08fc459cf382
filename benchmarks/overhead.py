"""What the graph adds: to the import of Dagster, and to the same fits in one plain script with the same pool."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
RUN_MINUTES_GOAL = 5.0
LOADING_GOAL = 1.5
GRAPH_GOAL = 1.25
PEAK_GIB_GOAL = 1.5
VERDICT_GOAL = 0.2
VERDICT_STEPS = ("evaluation", "comparison", "explanations", "model_card")
"""Steps that judge the models of a run and tell of it."""
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Measured:
    """One figure beside its goal; smaller is better."""

    what: str
    value: float
    goal: float


def loading(repeats: int) -> Measured:
    """Seconds to load the definitions over seconds of `import dagster`, medians of alternating processes."""
    alone, whole = [], []
    for _ in range(repeats):
        alone.append(_timed([sys.executable, "-W", "ignore", "-c", "import dagster"])[0])
        whole.append(_timed([sys.executable, "-W", "ignore", "-c", "import ml_assets; ml_assets.defs"])[0])
    ratio = statistics.median(whole) / statistics.median(alone)
    return Measured("loading the definitions / import dagster", ratio, LOADING_GOAL)


def whole_run(datasets: Sequence[str], *, budget: float, folder: Path) -> list[Measured]:
    """The graph over all `datasets` in a fresh home: against the plain script, in minutes, and its peak memory.

    Of a dataset that has the cores to itself, the share of its budget that the verdict on its models takes as well.
    """
    names, seconds = list(datasets), str(budget)
    plain, _ = _timed([sys.executable, "-m", "benchmarks.plain", seconds, str(folder / "plain"), *names])
    command = [sys.executable, "-m", "ml_assets", "run", *names, "--budget", seconds]
    with PeakMemory() as memory:
        graph, told = _timed(command, ML_ASSETS_HOME=str(folder / "home"))
    again, _ = _timed(command, ML_ASSETS_HOME=str(folder / "home"))
    dagster, _ = _timed([sys.executable, "-W", "ignore", "-c", "import dagster"])
    measured = [
        Measured("the graph / the same fits in a plain script", graph / plain, GRAPH_GOAL),
        Measured("minutes of the whole run", graph / 60, RUN_MINUTES_GOAL),
        Measured("GiB of the largest process", memory.largest_gib, PEAK_GIB_GOAL),
        Measured("a second run, nothing changed / import dagster", again / dagster, 10.0),
    ]
    return [*measured, _verdict(told, names[0], budget)] if len(names) == 1 else measured


def verdict(dataset: str, *, budget: float, folder: Path) -> Measured:
    """Share of the budget that the verdict on the models of one dataset takes, run alone in a fresh home."""
    command = [sys.executable, "-m", "ml_assets", "run", dataset, "--budget", str(budget)]
    return _verdict(_timed(command, ML_ASSETS_HOME=str(folder / dataset))[1], dataset, budget)


def _verdict(told: str, dataset: str, budget: float) -> Measured:
    """The same from what the command printed."""
    steps = dict(re.findall(rf"^{dataset}: (\w+) done in ([\d.]+) s", told, flags=re.MULTILINE))
    share = sum(float(steps[step]) for step in VERDICT_STEPS) / budget
    return Measured(f"{dataset} alone: {', '.join(VERDICT_STEPS)} / budget", share, VERDICT_GOAL)


def _timed(command: list[str], **environment: str) -> tuple[float, str]:
    """Seconds of a command, and what it printed."""
    # A registry of the caller's must not be written to, and would hold champions that the fresh home knows nothing of.
    inherited = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    started = time.perf_counter()
    done = subprocess.run(
        command, cwd=CHECKOUT, env={**inherited, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - started, done.stdout


class PeakMemory:
    """Largest resident memory of any one process below this one while the block runs, from /proc."""

    def __init__(self) -> None:
        self.largest_gib = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(POLL_SECONDS):
            for kib in _descendants_kib(os.getpid()):
                self.largest_gib = max(self.largest_gib, kib / 2**20)


def _descendants_kib(root: int) -> list[int]:
    """High-water marks of resident memory, in KiB, of all processes below `root`."""
    parents, sizes = {}, {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        except (FileNotFoundError, ProcessLookupError):
            continue
        pid = int(status.parent.name)
        parents[pid] = int(lines["PPid"])
        sizes[pid] = int(lines.get("VmHWM", "0 kB").split()[0])
    below = {root}
    while grown := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= grown
    return [sizes[pid] for pid in below - {root}]
