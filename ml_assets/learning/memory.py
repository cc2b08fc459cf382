"""A limit on the memory of a worker, so that a fit that eats it fails alone and the machine goes on."""

from __future__ import annotations

import resource
from pathlib import Path

FREE_SHARE = 0.9
"""Part of the memory that is free which all workers together may take."""


def memory_for_each(workers: int) -> int | None:
    """Bytes that each of some workers may take beyond what it has; None where the system does not tell what is free."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return None
    free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    return int(free * FREE_SHARE / max(workers, 1))


def limit_memory(more: int | None) -> None:
    """From now on this process gets `more` bytes of memory of its own at most; None sets no limit."""
    if more is None:
        return
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
