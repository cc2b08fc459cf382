"""What processes there are below one, read from /proc."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """One process as the kernel tells of it."""

    pid: int
    parent: int
    state: str
    threads: int


def processes() -> dict[int, Process]:
    """All processes by id."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            after_name = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        found[int(folder.name)] = Process(int(folder.name), int(after_name[1]), after_name[0], int(after_name[17]))
    return found


def below(pid: int) -> list[Process]:
    """Processes below `pid`, nearest first."""
    table = processes()
    found, nearest = [], [pid]
    while nearest:
        children = [p for p in table.values() if p.parent in nearest]
        found += children
        nearest = [p.pid for p in children]
    return found


def gone(pids: list[int], *, within: float) -> bool:
    """Whether all `pids` end within some seconds; a zombie counts as ended."""
    return wait_until(lambda: all((p := processes().get(pid)) is None or p.state == "Z" for pid in pids), within)


def wait_until(met: Callable[[], bool], within: float) -> bool:
    """Whether `met()` comes true within some seconds."""
    end = time.monotonic() + within
    while not met():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
