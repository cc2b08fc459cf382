"""A run killed in the middle of its search goes on where it was, and leaves nothing half written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ml_assets_tests.commands import CHECKOUT, eventually, inherited, run_in


def ended_trials(home: Path) -> int:
    """Trials in the search's own progress report, 0 before the first."""
    reports = list((home / "data" / "progress").glob("*/iris.json"))
    return max((json.loads(report.read_text())["trials"] for report in reports), default=0)


@pytest.mark.slow
def test_run_after_a_kill_goes_on_from_the_journal(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "ml_assets", "run", "iris", "--budget", "40"]
    environment = {**inherited(), "ML_ASSETS_HOME": str(tmp_path)}
    with subprocess.Popen(
        words, cwd=CHECKOUT, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    ) as running:
        before = eventually(lambda: (n := ended_trials(tmp_path)) >= 3 and n, seconds=90, what="three trials")
        os.killpg(running.pid, signal.SIGKILL)
    assert not list((tmp_path / "data" / "models").rglob("pipeline.joblib"))

    done = run_in(tmp_path, "ml_assets", "run", "iris", "--budget", "40")
    assert done.returncode == 0, done.stderr
    assert "raw_table done" not in done.stdout, "what was finished is kept"
    assert "tuned_params done" in done.stdout
    searched = done.stdout.partition("tuned_params done in ")[2]
    assert float(searched.split(" s ")[0]) < 40 + 8, "the time used before the kill counts"
    assert int(searched.split(" trials")[0].split()[-1]) > before
