"""Runs one system on one split: same files, same cores, a clock around the whole process, an end to what hangs."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.quality.environments import Environments
from benchmarks.quality.records import Record, Status
from benchmarks.quality.splits import Split
from benchmarks.quality.systems import System

OVERRUN_SHARE, OVERRUN_SECONDS = 0.05, 5.0
"""What fitting may take beyond its budget: the larger of the two."""
KILLED_AT = 3.0
"""Times the budget after which a process is ended, with `SHORTEST_LIFE` as the least."""
SHORTEST_LIFE = 120.0
LEAST_PROBABILITY = 1e-15
THREADS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "BLIS")


@dataclass(frozen=True)
class Limits:
    """What every system is given: seconds to fit, and cores."""

    budget: float
    cores: int = 2

    @property
    def overrun(self) -> float:
        """Seconds of fitting beyond which the budget was not kept."""
        return self.budget + max(OVERRUN_SHARE * self.budget, OVERRUN_SECONDS)

    @property
    def killed_at(self) -> float:
        """Seconds after which the process group is ended."""
        return max(KILLED_AT * self.budget, SHORTEST_LIFE)


@dataclass(frozen=True)
class Ran:
    """How a process went: seconds until it had fitted, seconds from there, exit code (none: it was killed), words."""

    fit_seconds: float
    predict_seconds: float
    code: int | None
    output: str


def measure(system: System, split: Split, limits: Limits, environments: Environments, *, date: str) -> Record:
    """One system's error on the test rows, and the seconds it took to fit and to predict.

    Fitting counts from the start of the process, imports and reading included, to the mark that the script makes;
    predicting from there to the end of the process.
    """
    interpreter, versions = environments.interpreter(system), environments.versions(system)
    with tempfile.TemporaryDirectory(prefix="bench-quality-", ignore_cleanup_errors=True) as folder:
        place = Path(folder)
        train, test, out = place / "train.csv", place / "test.csv", place / "out.csv"
        split.train.to_csv(train, index=False)
        split.test.to_csv(test, index=False)
        told = max(1.0, limits.budget - system.reserve)
        words = [train, test, split.table.target, split.table.task, told, split.seed, out, *system.words]
        command = [*_pinned(limits.cores), interpreter, system.script, *words]
        environment = _environment(limits.cores, own=system.environment is None) | {
            "COMPARISON_DUPLICATES": split.duplicates
        }
        ran = _run([str(word) for word in command], place, out, environment, limits.killed_at)
        score, message = _scored(out, split, ran)
    return Record(
        system=system.name,
        table=split.table.name,
        task=split.table.task,
        unit=split.table.unit,
        duplicates=split.duplicates,
        seed=split.seed,
        budget=limits.budget,
        cores=limits.cores,
        reserve=system.reserve,
        rows=len(split.train),
        test_rows=len(split.test),
        status=_status(ran, score, limits),
        score=score,
        fit_seconds=round(ran.fit_seconds, 2),
        predict_seconds=round(ran.predict_seconds, 2),
        message=message,
        date=date,
        versions=versions,
    )


def log_loss(probabilities: pd.DataFrame, truth: pd.Series) -> float:
    """Mean negative logarithm of the probability of the true class, in nats; rows are scaled to one, then clipped.

    A class that has no column `probability_<label>` has probability 0.
    """
    shares = probabilities.div(probabilities.sum(axis=1), axis=0)
    labels = {str(name).removeprefix("probability_"): position for position, name in enumerate(shares)}
    columns = truth.map(labels)
    known = columns.notna().to_numpy()
    given = np.zeros(len(truth))
    given[known] = shares.to_numpy()[np.flatnonzero(known), columns[known].astype(int)]
    return float(-np.log(np.clip(given, LEAST_PROBABILITY, 1.0)).mean())


def root_mean_squared_error(predictions: pd.Series, truth: pd.Series) -> float:
    """In the unit of the target."""
    return float(np.sqrt(np.mean((predictions.to_numpy(dtype=float) - truth.to_numpy(dtype=float)) ** 2)))


def _scored(out: Path, split: Split, ran: Ran) -> tuple[float | None, str]:
    """The error, or none and why there is none."""
    if ran.code != 0:
        return None, ran.output[-500:]
    if not out.exists():
        return None, "no answer was written"
    answer = pd.read_csv(out)
    if len(answer) != len(split.truth):
        return None, f"{len(answer)} answers to {len(split.truth)} rows"
    if split.table.task == "classification":
        score = log_loss(answer.filter(regex="^probability_"), split.truth)
    else:
        score = root_mean_squared_error(answer["prediction"], split.truth) / split.table.scale
    return (score, "") if np.isfinite(score) else (None, "an answer that is no number")


def _status(ran: Ran, score: float | None, limits: Limits) -> Status:
    if ran.code is None:
        return "killed"
    if score is None:
        return "failed"
    return "overrun" if ran.fit_seconds > limits.overrun else "ok"


def _run(words: list[str], folder: Path, out: Path, environment: Mapping[str, str], seconds: float) -> Ran:
    log, mark = folder / "log.txt", out.with_name(out.name + ".fitted")
    begun, started = time.time(), time.perf_counter()
    environment = {**environment, "COMPARISON_STARTED": str(begun)}
    with log.open("wb") as sink:
        process = subprocess.Popen(
            words, cwd=folder, env=environment, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True
        )
        code: int | None
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            # Also after a good end: what a system left running would take cores from the next.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    whole = time.perf_counter() - started
    fitted = min(whole, mark.stat().st_mtime - begun) if mark.exists() else whole
    return Ran(fitted, whole - fitted, code, log.read_text(encoding="utf-8", errors="replace"))


def _pinned(cores: int) -> list[str]:
    """Words that keep a command to the first cores this process may use, where there is such a command."""
    if shutil.which("taskset") is None or not hasattr(os, "sched_getaffinity"):
        return []
    return ["taskset", "--cpu-list", ",".join(str(core) for core in sorted(os.sched_getaffinity(0))[:cores])]


def _environment(cores: int, *, own: bool) -> dict[str, str]:
    """This process's environment with a limit of threads; peers do not see this project's modules."""
    kept = {name: value for name, value in os.environ.items() if own or name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    limits = {f"{name}_NUM_THREADS": str(cores) for name in THREADS}
    return {**kept, **limits, "LOKY_MAX_CPU_COUNT": str(cores), "ML_ASSETS_CORES": str(cores)}
