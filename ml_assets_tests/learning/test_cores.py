import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from ml_assets.errors import StorageError
from ml_assets.learning.cores import hold_cores

FORK = multiprocessing.get_context("fork")
TOTAL = 3


def _hammer(folder: Path, count: int, until: float, held: Any, most: Any, turns: Any) -> None:
    while time.monotonic() < until:
        with hold_cores(count, total=TOTAL, folder=folder) as cores:
            with held.get_lock():
                held.value += cores
                most.value = max(most.value, held.value)
            time.sleep(0.005)
            with held.get_lock():
                held.value -= cores
            turns.value += 1


def test_never_more_than_all_cores_are_held_and_nobody_starves(tmp_path: Path) -> None:
    held, most = FORK.Value("i", 0), FORK.Value("i", 0)
    turns = [FORK.Value("i", 0) for _ in range(5)]
    until = time.monotonic() + 3
    wanted = [1, 1, 1, 2, TOTAL]
    processes = [
        FORK.Process(target=_hammer, args=(tmp_path, count, until, held, most, turn))
        for count, turn in zip(wanted, turns, strict=True)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(20)
    assert [p.exitcode for p in processes] == [0] * 5, "a deadlock"
    assert held.value == 0
    assert most.value == TOTAL
    assert min(turn.value for turn in turns) >= 3


def test_who_wants_one_core_takes_one(tmp_path: Path) -> None:
    with hold_cores(1, total=2, folder=tmp_path), hold_cores(1, total=2, folder=tmp_path) as cores:
        assert cores == 1


def _hold(folder: Path, ready: Any) -> None:
    with hold_cores(TOTAL, total=TOTAL, folder=folder):
        ready.set()
        time.sleep(60)


def test_cores_of_a_killed_holder_are_free_again(tmp_path: Path) -> None:
    ready = FORK.Event()
    holder = FORK.Process(target=_hold, args=(tmp_path, ready))
    holder.start()
    assert ready.wait(20)
    os.kill(holder.pid or 0, signal.SIGKILL)
    started = time.monotonic()
    with hold_cores(TOTAL, total=TOTAL, folder=tmp_path) as cores:
        assert cores == TOTAL
    holder.join()
    assert time.monotonic() - started < 5


def test_cores_are_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), hold_cores(2, total=2, folder=tmp_path):
        raise ZeroDivisionError
    with hold_cores(2, total=2, folder=tmp_path) as cores:
        assert cores == 2


@pytest.mark.parametrize(("asked", "given"), [(0, 1), (1, 1), (9, 2)])
def test_a_request_is_brought_into_what_there_is(tmp_path: Path, asked: int, given: int) -> None:
    with hold_cores(asked, total=2, folder=tmp_path) as cores:
        assert cores == given


def test_a_folder_that_cannot_be_made_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("")
    with (
        pytest.raises(StorageError, match="a file is where a folder should be"),
        hold_cores(1, total=1, folder=tmp_path / "locks"),
    ):
        pass
