"""The process pool that fits run in: workers that can be killed alone. What they run belongs in `worker`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ml_assets.learning.memory import memory_for_each
from ml_assets.learning.worker import TrainingRows, start
from ml_assets.processes import WORKER_MODULES, one_thread_each

if TYPE_CHECKING:
    from pebble import ProcessPool


@contextmanager
def worker_pool(rows: TrainingRows, *, workers: int, folder: Path | None = None) -> Iterator[ProcessPool]:
    """A pool of `workers` processes of one thread each that hold `rows`; on leaving, what still runs is killed.

    Features of folds are made once and shared through `folder`. Together the workers take at most the memory that is
    free; one that asks for more than its part fails alone.

    Workers also end when this process does, however it ends. `pool.schedule(function, args=…, timeout=seconds)`
    returns a `concurrent.futures.Future`; past its time-out a task's worker is killed and replaced, the others
    go on.
    """
    with process_pool(workers, start, (rows, folder, memory_for_each(workers))) as pool:
        yield pool


@contextmanager
def process_pool(workers: int, initializer: Callable[..., None], given: tuple[Any, ...]) -> Iterator[ProcessPool]:
    """A pool of processes that each run `initializer(*given)` first; on leaving, what still runs is killed."""
    from pebble import ProcessPool

    context = _context()
    begin_loading()
    pool = ProcessPool(max_workers=workers, initializer=initializer, initargs=given, context=context)
    try:
        yield pool
    finally:
        pool.stop()
        pool.join()


def begin_loading() -> None:
    """Starts the server that workers are forked from, and leaves it to load their libraries; a pool waits for it."""
    _context()
    forkserver.ensure_running()


def warm_up() -> None:
    """Starts the server that workers are forked from, and waits until it has loaded their libraries.

    A pool starts at once from then on. Call it before waiting for cores, so that none is held meanwhile.
    """
    first = _context().Process()
    first.start()
    first.join()


def _context() -> _WorkerContext:
    one_thread_each()
    context = _WorkerContext()
    context.set_forkserver_preload(list(WORKER_MODULES))
    return context


class _WorkerProcess(ForkServerProcess):
    """A worker that does not run the main script's imports again, as multiprocessing would have it do."""

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802  multiprocessing's name
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            return ForkServerProcess._Popen(process_obj)
        finally:
            sys.modules["__main__"] = main


class _WorkerContext(ForkServerContext):
    Process = _WorkerProcess
