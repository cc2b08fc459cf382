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

    Each core is a lock file in `folder`; the operating system frees the locks of a killed process. Whoever waits
    holds the gate, so requests are served in turn and a request for many cores is not starved by small ones.
    """
    count = max(1, min(count, total))
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        with FileLock(folder / "cores.gate"):
            free = [FileLock(folder / f"core-{i}.lock") for i in range(total)]
            while count > total - len(free):
                free = [lock for lock in free if not _take(lock, held, needed=count > total - len(free))]
                if count > total - len(free):
                    time.sleep(_POLL_SECONDS)
        yield count


def _take(lock: FileLock, held: ExitStack, *, needed: bool) -> bool:
    if not needed:
        return False
    try:
        held.enter_context(lock.acquire(blocking=False))
    except Timeout:
        return False
    return True
