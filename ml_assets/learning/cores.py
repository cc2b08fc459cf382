"""Cores shared out between the processes of one home, so that they neither idle nor fight."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ml_assets.artifacts import storage_errors

_POLL_SECONDS = 0.05


@contextmanager
def hold_cores(count: int, *, total: int, folder: Path) -> Iterator[int]:
    """Waits until `count` of the `total` cores are free and holds them; yields how many it holds.

    Each core is a lock file in `folder`; the operating system frees the locks of a killed process. Only who has
    passed the gate takes cores, and keeps the gate until it has them all: two requests never wait for each other,
    and one for all cores is not starved by small ones that come later.
    """
    count = max(1, min(count, total))
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        with FileLock(folder / "cores.gate"):
            others = [FileLock(folder / f"core-{i}.lock") for i in range(total)]
            missing = count
            while missing:
                for lock in others[:]:
                    if missing and _take(lock, held):
                        others.remove(lock)
                        missing -= 1
                if missing:
                    time.sleep(_POLL_SECONDS)
        yield count


def _take(lock: FileLock, held: ExitStack) -> bool:
    try:
        held.enter_context(lock.acquire(blocking=False))
    except Timeout:
        return False
    return True
