"""Intakes of files into a home: in this process, or in one of their own that can be killed after any step."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import polars as pl

from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.incoming.batches import batch_records, batches
from ml_assets.datasets.incoming.intake import IntakeReport, take_incoming
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.datasets.tables import assemble, read_sources
from ml_assets.home import Home
from ml_assets.validation.contract_checks import check_table
from ml_assets.validation.entries import entries

IRIS_HEADER = "sepal_length,sepal_width,petal_length,petal_width,species"


@cache
def canonical(dataset: str) -> dict[str, pl.DataFrame]:
    """The sources of one of the project's own tables."""
    return read_sources(load_contract(dataset), mode="embedded", cache=Path("/nonexistent"))


def take(
    spec: DatasetSpec,
    home: Home,
    *,
    sources: Mapping[str, pl.DataFrame] | None = None,
    step: Callable[[str], None] = lambda _: None,
    **options: Any,
) -> IntakeReport:
    """Takes what is incoming as a run does, but does not wait for young files unless told to."""
    parts = canonical(spec.name) if sources is None else sources
    return take_incoming(
        spec,
        home=home,
        base=lambda accepted: assemble(spec, parts, accepted),
        check=lambda table: check_table(spec, table),
        step=step,
        **{"settle_seconds": 0.0, **options},
    )


def hand_in(spec: DatasetSpec, home: Home, name: str, content: bytes | str) -> Path:
    """A file in incoming."""
    file = home.incoming / spec.name / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def iris_rows(count: int, *, start: int = 0, header: str = IRIS_HEADER) -> str:
    """A file of `count` flowers, no two alike, numbered from `start`."""
    lines = [f"{5 + at % 10 / 10},{3 + at / 10_000:.4f},1.4,0.2,Iris-setosa" for at in range(start, start + count)]
    return "\n".join([header, *lines]) + "\n"


def accepted_rows(spec: DatasetSpec, home: Home) -> int:
    """Rows in all batches; their records say the same."""
    rows = sum(frame.height for frame in batches(spec, home).values())
    assert rows == sum(record.accepted for record in batch_records(spec, home))
    return rows


def refused_rows(spec: DatasetSpec, home: Home) -> int:
    """Rows of files whose other rows were taken, in all entries of the quarantine."""
    there = [entry for entry in entries(home, spec.name) if entry.reason["kind"] == "rows"]
    return sum(int(entry.reason["refused"]) for entry in there)


def only_reason(home: Home, dataset: str) -> dict[str, Any]:
    """What the one entry of a dataset's quarantine says."""
    (entry,) = entries(home, dataset)
    return dict(entry.reason)


def leftovers(home: Home, dataset: str) -> list[str]:
    """Hidden things below the home's data: nothing, when all is done."""
    folders = (home.incoming / dataset, home.data / "batches" / dataset, home.quarantine / dataset)
    hidden = [p for f in folders for p in f.rglob("*") if p.name.startswith(".")]
    return sorted(str(p.relative_to(home.data)) for p in hidden)


@contextmanager
def written(path: Path, more: str) -> Iterator[None]:
    """A process that has `path` open for writing all the while, and writes `more` at the end."""
    command = [sys.executable, "-c", _WRITER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        try:
            yield
        finally:
            writer.communicate(more)


_WRITER = """
import sys
with open(sys.argv[1], "a") as file:
    print("open", flush=True)
    file.write(sys.stdin.read())
"""


def take_and_die(home: Path, dataset: str, after: int) -> None:
    """Takes what is incoming, and is killed after so many steps."""
    done = 0

    def step(_: str) -> None:
        nonlocal done
        done += 1
        if done == after:
            os.kill(os.getpid(), signal.SIGKILL)

    take(load_contract(dataset), Home(home), step=step)


def take_when_all_are_there(home: Path, dataset: str, barrier: Barrier) -> None:
    """Takes what is incoming as soon as the other processes do."""
    canonical(dataset)
    barrier.wait(60)
    take(load_contract(dataset), Home(home))
