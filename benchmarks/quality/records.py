"""What one measurement left behind, a line of JSON each, so that a stopped comparison goes on where it was."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from benchmarks.quality.splits import Duplicates
from benchmarks.quality.tables import Task

Status = Literal["ok", "overrun", "failed", "killed"]
Key = tuple[str, str, int, str, float, int, float]


@dataclass(frozen=True)
class Record:
    """One system on one split; `score` is the error on the test rows, and none where there is no answer."""

    system: str
    table: str
    task: Task
    unit: str
    duplicates: Duplicates
    seed: int
    budget: float
    cores: int
    reserve: float
    rows: int
    test_rows: int
    status: Status
    score: float | None
    fit_seconds: float
    predict_seconds: float
    message: str
    date: str
    versions: dict[str, str]

    @property
    def key(self) -> Key:
        """What is never measured twice."""
        return self.table, self.duplicates, self.seed, self.system, self.budget, self.cores, self.reserve

    @property
    def counts(self) -> bool:
        """Whether there is an answer that came in time; anything else is a failure."""
        return self.status == "ok" and self.score is not None


def append(file: Path, record: Record) -> None:
    """Adds a line, on a fresh one where the last was cut off."""
    file.parent.mkdir(parents=True, exist_ok=True)
    cut_off = file.exists() and file.read_bytes()[-1:] not in (b"", b"\n")
    with file.open("a", encoding="utf-8") as lines:
        lines.write(("\n" if cut_off else "") + json.dumps(asdict(record)) + "\n")


def read(file: Path) -> list[Record]:
    """All whole lines; one that was cut off is as if it had not been measured."""
    if not file.exists():
        return []
    found = []
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            found.append(Record(**json.loads(line)))
        except json.JSONDecodeError:
            continue
    return found
