"""This project as a user would take it: `ml-assets add`, `run` and `predict`, in a home of its own.

Run as the peers are: `python ours.py TRAIN TEST TARGET TASK BUDGET SEED OUT`, with the file `OUT.fitted` as the mark
between fitting and predicting.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
NAME = "compared"
TEST_SHARE = "0.05"


def main(train: str, test: str, target: str, task: str, budget: str, seed: str, out: str) -> None:
    """Adds the table, trains with the seconds that are left, and predicts."""
    started = time.monotonic()
    home = Path(out).parent / "home"
    # The comparison has test rows of its own; as other systems do, this one learns from nearly all that it is given.
    words = ["--name", NAME, "--target", target, "--task", task, "--test-share", TEST_SHARE]
    if os.environ.get("COMPARISON_DUPLICATES") == "in":
        # Other systems take it for granted that rows to predict repeat known ones; this one has to be told.
        words += ["--duplicates", "independent"]
    _ml_assets(home, "add", train, *words)
    left = max(1.0, float(budget) - (time.monotonic() - started))
    _run(home, "--budget", f"{left:.1f}", "--seed", seed, fitted=Path(out + ".fitted"))
    # The other scripts fill gaps that no row to learn from had; here that is asked for.
    _ml_assets(home, "predict", NAME, test, "--output", out, "--allow-missing")


def _run(home: Path, *words: str, fitted: Path) -> None:
    """Trains, and makes the mark as soon as the champion can predict; pictures and pages that come later are no fit."""
    command = [sys.executable, "-m", "ml_assets", "run", NAME, *words]
    with subprocess.Popen(command, cwd=CHECKOUT, env=_environment(home), stdout=subprocess.PIPE, text=True) as run:
        for line in run.stdout or ():
            print(line, end="", flush=True)
            if line.startswith(f"{NAME}: deployment done"):
                fitted.touch()
    if run.returncode:
        raise subprocess.CalledProcessError(run.returncode, command)
    if not fitted.exists():
        raise RuntimeError("the run did not tell when its champion was deployed")


def _ml_assets(home: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "ml_assets", *words], cwd=CHECKOUT, env=_environment(home), check=True)


def _environment(home: Path) -> dict[str, str]:
    # A registry of the caller's must not be written to, and would hold champions that the fresh home knows nothing of.
    inherited = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    return {**inherited, "ML_ASSETS_HOME": str(home)}


if __name__ == "__main__":
    main(*sys.argv[1:])
