"""What an intake says of the files it looked at. Taking them is `intake`'s part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["accepted", "refused", "taken already", "left"]


@dataclass(frozen=True)
class FileReport:
    """What became of one file.

    Attributes:
        file: its name, as it can be shown.
        message: a sentence.
        batch: the batch that it became, or had become.
        entry: the quarantine entry of its refused rows, or of the whole file.
        accepted: rows taken.
        refused: rows in quarantine; of a whole file those that could be counted.
    """

    file: str
    outcome: Outcome
    message: str
    batch: str | None = None
    entry: str | None = None
    accepted: int = 0
    refused: int = 0


@dataclass(frozen=True)
class IntakeReport:
    """What became of the files that were in incoming, in the order in which they were looked at."""

    files: tuple[FileReport, ...]

    def of(self, outcome: Outcome) -> tuple[FileReport, ...]:
        """The files with one outcome."""
        return tuple(file for file in self.files if file.outcome == outcome)

    @property
    def counts(self) -> Mapping[str, int]:
        """Files by outcome, and rows accepted and refused."""
        return {
            "files_accepted": len(self.of("accepted")),
            "files_refused": len(self.of("refused")),
            "files_taken_already": len(self.of("taken already")),
            "files_left": len(self.of("left")),
            "rows_accepted": sum(file.accepted for file in self.files),
            "rows_refused": sum(file.refused for file in self.files),
        }

    @property
    def lines(self) -> tuple[str, ...]:
        """A sentence a file."""
        return tuple(f"{file.file}: {file.message}" for file in self.files)
