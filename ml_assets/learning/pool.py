"""The process pool that fits run in: workers that can be killed alone. What they run belongs in `worker`."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ml_assets.learning.worker import TrainingRows, start
from ml_assets.processes import WORKER_MODULES, one_thread_each

if TYPE_CHECKING:
    from pebble import ProcessPool


@contextmanager
def worker_pool(rows: TrainingRows, *, workers: int) -> Iterator[ProcessPool]:
    """A pool of `workers` processes of one thread each that hold `rows`; on leaving, what still runs is killed.

    `pool.schedule(function, args=…, timeout=seconds)` returns a `concurrent.futures.Future`; past its time-out a
    task's worker is killed and replaced, the others go on.
    """
    from pebble import ProcessPool

    one_thread_each()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(WORKER_MODULES))
    pool = ProcessPool(max_workers=workers, initializer=start, initargs=(rows,), context=context)
    try:
        yield pool
    finally:
        pool.stop()
        pool.join()
