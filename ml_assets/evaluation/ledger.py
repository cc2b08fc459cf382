"""How often test rows were looked at, and by what: one line a look, kept beside a dataset's reports.

A look uses test rows up a little: what is chosen by them scores too well on them. What is done about it is the gate's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from filelock import FileLock

from ml_assets.artifacts import storage_errors, write_atomically
from ml_assets.errors import IntegrityError
from ml_assets.evaluation.multiplicity import false_alarm_chance
from ml_assets.evaluation.section import Section
from ml_assets.evaluation.tables import Table
from ml_assets.evaluation.wording import percent

if TYPE_CHECKING:
    from pathlib import Path

FILE = "test_looks.jsonl"
Purpose = Literal["evaluation", "gate"]


@dataclass(frozen=True)
class Look:
    """Test rows were scored.

    Attributes:
        at: when, ISO 8601 in UTC.
        data_hash: of the clean table; with `splits_hash` it says which rows.
        models: SHA-256 of each model by what it is called: families, or challenger and champion.
        rows: how many were scored.
        run_id: of the Dagster run; empty for a command.
    """

    at: str
    data_hash: str
    splits_hash: str
    purpose: Purpose
    models: Mapping[str, str]
    rows: int
    run_id: str = ""

    def repeats(self, other: Look) -> bool:
        """Whether this look shows nothing that the other did not: same rows and purpose, no other model."""
        same = (self.data_hash, self.splits_hash, self.purpose) == (other.data_hash, other.splits_hash, other.purpose)
        return same and set(self.models.values()) <= set(other.models.values())


@dataclass(frozen=True)
class Looks:
    """Everything that was looked at on one set of test rows, the oldest look first."""

    looks: tuple[Look, ...]

    @property
    def count(self) -> int:
        """Looks at these rows."""
        return len(self.looks)

    @property
    def models(self) -> int:
        """Different models that were scored on them."""
        return len({sha256 for look in self.looks for sha256 in look.models.values()})

    @property
    def challengers(self) -> int:
        """Different models that the gate judged on them."""
        judged = (look.models.get("challenger") for look in self.looks if look.purpose == "gate")
        return len({sha256 for sha256 in judged if sha256 is not None})


def record_look(folder: Path, look: Look) -> Looks:
    """Adds a look to the ledger in `folder` unless it repeats one; returns all looks at the same rows.

    Raises:
        StorageError: the folder cannot be written.
        IntegrityError: the ledger was damaged.
    """
    file = folder / FILE
    with storage_errors(file):
        folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f".{FILE}.lock"):
        known = _read(file)
        if not any(look.repeats(other) for other in known):
            known = (*known, look)
            write_atomically(file, "".join(json.dumps(asdict(one)) + "\n" for one in known).encode())
    return _of(known, look.data_hash, look.splits_hash)


def looks_at(folder: Path, data_hash: str, splits_hash: str) -> Looks:
    """Looks at these test rows, as the ledger in `folder` has them; none where there is no ledger.

    Raises:
        IntegrityError: the ledger was damaged.
    """
    return _of(_read(folder / FILE), data_hash, splits_hash)


def looks_section(looks: Looks, *, alpha: float = 0.05) -> Section:
    """How often the test rows were looked at, and what that means, for a page."""
    rows = tuple(
        (look.at, look.purpose, ", ".join(look.models), f"{look.rows:,}", look.run_id[:8]) for look in looks.looks
    )
    table = Table("Looks at the test rows, the oldest first", ("When", "For", "Models", "Rows", "Run"), rows)
    return Section("test_looks", "Looks at the test rows", looks_words(looks, alpha=alpha), (table,) if rows else ())


def looks_words(looks: Looks, *, alpha: float = 0.05) -> tuple[str, ...]:
    """Sentences on how often, and what follows."""
    if not looks.count:
        return ("No look at these test rows was recorded.",)
    times = "once" if looks.count == 1 else f"{looks.count} times"
    said = [
        f"These test rows were scored {times}, {looks.models} different model{'s' * (looks.models != 1)} in all. "
        "Families are never chosen by them, so their scores are not made better by that."
    ]
    if (judged := looks.challengers) > 1:
        said.append(
            f"The gate judged {judged} challengers on them. Were none of them better, at least one would pass with a "
            f"chance of up to {percent(false_alarm_chance(alpha, judged))}, and not {percent(alpha)}; new rows, or "
            "`promotion.looks: correct` in the contract, put that right."
        )
    return tuple(said)


def _of(looks: Sequence[Look], data_hash: str, splits_hash: str) -> Looks:
    return Looks(tuple(look for look in looks if (look.data_hash, look.splits_hash) == (data_hash, splits_hash)))


def _read(file: Path) -> tuple[Look, ...]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()
    try:
        return tuple(Look(**json.loads(line)) for line in lines if line)
    except (ValueError, TypeError) as error:
        raise IntegrityError(
            f"{file} was damaged ({error}): put it back from a copy, or move it away to count from here on"
        ) from error
