"""Taking incoming files: each becomes a batch, goes to quarantine, or is left for later; every row exactly once.

Looking at files safely is `arrivals`' part, telling rows apart `screening`'s, keeping them `batches`' and
`quarantine`'s. The order of the steps is what makes a kill between any two of them harmless:

1. the file is read whole, while nobody writes to it, and judged;
2. what is to be kept is written aside;
3. the file is moved out of reach of its name, into a hidden folder where the next intake finds it;
4. refused rows appear in quarantine, then the batch among the batches, each in one rename;
5. the file is removed.

A batch that is there says that its bytes were taken, whatever a file with them is called.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ml_assets.artifacts import storage_errors
from ml_assets.datasets.incoming.arrivals import (
    SETTLE_SECONDS,
    forget_claims,
    intake_lock,
    pending_files,
    seconds_to_settle,
)
from ml_assets.datasets.incoming.batches import batch_ids
from ml_assets.datasets.incoming.desk import Desk
from ml_assets.datasets.incoming.intake_report import FileReport, IntakeReport
from ml_assets.datasets.tables import source_fingerprint

if TYPE_CHECKING:
    import polars as pl

    from ml_assets.datasets.sources import Mode
    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.home import Home
    from ml_assets.validation.outcomes import CheckOutcome

__all__ = ["FileReport", "IntakeReport", "pending_files", "source_state", "take_incoming"]


def take_incoming(
    spec: DatasetSpec,
    *,
    home: Home,
    base: Callable[[Mapping[str, pl.DataFrame]], pl.DataFrame],
    check: Callable[[pl.DataFrame], list[CheckOutcome]],
    now: Callable[[], float] = time.time,
    settle_seconds: float = SETTLE_SECONDS,
    wait: Callable[[float], None] = time.sleep,
    step: Callable[[str], None] = lambda _: None,
) -> IntakeReport:
    """Takes what lies in incoming, file by file; several processes that do so take turns.

    Files of late labels come after the others, so that the rows they belong to may come with them.

    Args:
        spec: the contract.
        home: the home.
        base: puts the raw table together from the sources and the batches it is given, by id.
        check: the contract's checks of a raw table.
        now: the clock, seconds since 1970.
        settle_seconds: how long a file must not have changed; that long a younger one is waited for.
        wait: waits so many seconds.
        step: told the name of each step that was done.

    Raises:
        StorageError: the home cannot be written; what was not taken by then is still in incoming.
        SourceError: a source of the table cannot be had.
        ContractViolation: a source does not keep the contract.
    """
    with storage_errors(home.data), intake_lock(home, spec.name):
        _wait_for_young(spec, home, now=now, settle_seconds=settle_seconds, wait=wait)
        desk = Desk(spec, home, base, check, now, settle_seconds, step)
        reports, labels = [], []
        for path in pending_files(spec, home):
            report = desk.take(path, labels_wait=True)
            if report is None:
                labels.append(path)
            else:
                reports.append(report)
        reports += [report for path in labels if (report := desk.take(path, labels_wait=False))]
        forget_claims(spec, home)
    return IntakeReport(tuple(reports))


def source_state(spec: DatasetSpec, home: Home, mode: Mode, *, waiting: bool = True) -> str:
    """A hash over what the raw table is made from: contract, sources, accepted batches, and the files that wait.

    A table is up to date when the state it was made from, taken after its intake and without `waiting` files, is the
    state now with them: so a file that was left makes it stale, and one that was accepted or refused does not.

    Args:
        spec: the contract.
        home: the home.
        mode: where canonical files are taken from.
        waiting: whether files that wait in incoming count; by name, size and time of change, unopened.

    Raises:
        SourceError: a source cannot be read.
    """
    made = source_fingerprint(spec, batch_ids(spec, home), mode, home=home.root)
    files = _stats(spec, home) if waiting else []
    return hashlib.sha256("\n".join([made, *files]).encode("utf-8", "surrogateescape")).hexdigest() if files else made


def _stats(spec: DatasetSpec, home: Home) -> list[str]:
    told = []
    for path in pending_files(spec, home):
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue
        told.append(f"{path.name} {status.st_size} {status.st_mtime_ns}")
    return told


def _wait_for_young(
    spec: DatasetSpec,
    home: Home,
    *,
    now: Callable[[], float],
    settle_seconds: float,
    wait: Callable[[float], None],
) -> None:
    """Waits until no file is younger than it must be, but not longer than one that has just come needs."""
    deadline = now() + settle_seconds

    def longest(at: float) -> float:
        paths: list[Path] = list(pending_files(spec, home))
        return max((seconds_to_settle(p, now=at, settle_seconds=settle_seconds) for p in paths), default=0.0)

    while (at := now()) < deadline and (seconds := longest(at)) > 0:
        wait(min(seconds, deadline - at))
