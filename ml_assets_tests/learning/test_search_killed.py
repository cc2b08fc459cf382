"""What a search leaves when it is killed, and what the next one makes of it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from process_tree import Process, below, gone, wait_until
from search_worlds import training_rows

from ml_assets.learning.journal import BestTrial, SearchJournal, TrialRecord
from ml_assets.learning.race import Budget
from ml_assets.learning.search import search
from ml_assets.learning.search_result import Trial

SEARCH = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from search_worlds import training_rows
from ml_assets.learning.race import Budget
from ml_assets.learning.search import search

if __name__ == "__main__":
    search(training_rows("iris"), ["linear", "svm"], budget=Budget(300), workers=2, folder=Path({folder!r}))
"""


@contextmanager
def _searching(folder: Path, script: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that searches, once both families have a score; killed with the block, its children are not."""
    script.write_text(SEARCH.format(tests=str(Path(__file__).parent), folder=str(folder)))
    process = subprocess.Popen([sys.executable, str(script)])
    try:
        lines = [folder / "linear.jsonl", folder / "svm.jsonl"]
        assert wait_until(lambda: all(f.exists() and len(f.read_text().splitlines()) > 2 for f in lines), 60)
        yield process
    finally:
        process.kill()
        process.wait()


def _trials(folder: Path, family: str) -> list[dict[str, object]]:
    return [json.loads(line)["trial"] for line in (folder / f"{family}.jsonl").read_text().splitlines()]


def test_a_killed_search_leaves_no_process_and_goes_on_from_its_journal(tmp_path: Path) -> None:
    folder = tmp_path / "search"
    with _searching(folder, tmp_path / "searching.py") as process:
        children: list[Process] = below(process.pid)
        assert len(children) >= 4, "fork server, resource tracker and two workers"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert gone([p.pid for p in children], within=10)
    before = {family: _trials(folder, family) for family in ("linear", "svm")}
    used = max(float(str(t["seconds"])) for trials in before.values() for t in trials)

    rows = training_rows("iris")
    seen: list[float] = []
    results = search(
        rows,
        ["linear", "svm"],
        budget=Budget(used + 60, trials=max(map(len, before.values())) + 4),
        workers=2,
        folder=folder,
        report=lambda p: seen.append(p.seconds),
    )
    assert seen[0] >= used
    for family, trials in before.items():
        numbers = [t.number for t in results[family].trials]
        assert numbers == sorted(set(numbers))
        assert {t["number"] for t in trials} < set(numbers)
        new = [t for t in results[family].trials if t.number > max(int(str(old["number"])) for old in trials)]
        drawn_before = [t["params"] for t in trials]
        assert all(dict(t.params) not in drawn_before for t in new), "the same draws again"
        best = min(float(str(t["score"])) for t in trials if t["score"] is not None)
        assert results[family].score <= best


def test_workers_end_with_a_search_that_is_killed_in_the_middle_of_a_fit(tmp_path: Path) -> None:
    with _searching(tmp_path / "search", tmp_path / "searching.py") as process:
        workers = [p for p in below(process.pid) if p.threads == 2]
        for worker in workers:
            os.kill(worker.pid, signal.SIGSTOP)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        for worker in workers:
            os.kill(worker.pid, signal.SIGCONT)
        assert gone([w.pid for w in workers], within=5)


def test_a_budget_that_is_used_up_gives_what_was_found(tmp_path: Path) -> None:
    rows, folder = training_rows("iris"), tmp_path / "search"
    first = search(rows, ["linear"], budget=Budget(60, trials=3), workers=1, folder=folder)["linear"]
    (folder / "finished").unlink()
    again = search(rows, ["linear"], budget=Budget(0.001), workers=1, folder=folder)["linear"]
    assert again.params == first.params
    assert again.trials == first.trials
    assert again.fold_scores == first.fold_scores
    np.testing.assert_array_equal(again.oof, first.oof)


def _record(number: int, score: float) -> TrialRecord:
    trial = Trial(number=number, params={"x": 0.5}, state="COMPLETE", score=score, seconds=1.0, fit_seconds=0.5)
    return TrialRecord(trial, (score,), {"x": 0.5}, {"x": "{}"})


def test_a_line_cut_short_is_dropped_and_the_next_one_stands_alone(tmp_path: Path) -> None:
    journal = SearchJournal.open(tmp_path / "s")
    journal.append("svm", _record(0, 1.0))
    journal.append("svm", _record(1, 2.0))
    file = tmp_path / "s" / "svm.jsonl"
    file.write_bytes(file.read_bytes()[:-9])
    assert journal.read("svm") == (_record(0, 1.0),)
    journal.append("svm", _record(1, 3.0))
    assert journal.read("svm") == (_record(0, 1.0), _record(1, 3.0))


def test_a_best_trial_whose_line_is_missing_gets_it(tmp_path: Path) -> None:
    journal = SearchJournal.open(tmp_path / "s")
    best = BestTrial(_record(4, 0.25), np.array([0.25]), np.array([1.0, 2.0]))
    journal.keep_best("svm", best)
    assert journal.read("svm") == (_record(4, 0.25),)
    assert journal.read("svm") == (_record(4, 0.25),)
    kept = journal.best("svm")
    assert kept is not None
    np.testing.assert_array_equal(kept.oof, best.oof)


@pytest.mark.parametrize("family", ["svm"])
def test_a_family_never_tried_has_an_empty_journal(tmp_path: Path, family: str) -> None:
    journal = SearchJournal.open(tmp_path / "s")
    assert journal.read(family) == ()
    assert journal.best(family) is None
