"""Running the project's commands as a person would: in processes of their own, with a home of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
CHECKOUT = Path(__file__).resolve().parent.parent


def inherited() -> dict[str, str]:
    """This process's environment, but for the address that MLflow writes into it once it was used here."""
    return {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}


def run_in(home: Path, *words: str, timeout: float = 280, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a module of Python (`ml_assets.cli`, `dagster`, …) with `home` as the home, as a person would."""
    own = {"ML_ASSETS_HOME": str(home), "DAGSTER_HOME": str(home / ".dagster"), "PYTHONWARNINGS": "ignore"}
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=CHECKOUT,
        env={**inherited(), **own, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@contextmanager
def started(home: Path, *words: str, log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A module of Python running beside the test, its output in `log`; its whole process group ends with the block."""
    own = {"ML_ASSETS_HOME": str(home), "DAGSTER_HOME": str(home / ".dagster"), "PYTHONWARNINGS": "ignore"}
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=CHECKOUT,
            env={**inherited(), **own, **environment},
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def eventually(look: Callable[[], T | None], *, seconds: float, what: str) -> T:
    """What `look` returns as soon as it is neither None nor False; fails with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError(f"not within {seconds:g} s: {what}")
