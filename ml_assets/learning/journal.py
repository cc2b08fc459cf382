"""The journal of a search on disk: what makes a killed search resumable. Deciding what to try belongs in `search`."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ml_assets.artifacts import storage_errors, write_atomically
from ml_assets.learning.search_result import Trial

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FINISHED = "finished"


@dataclass(frozen=True)
class TrialRecord:
    """A trial that ended, with what the sampler needs to learn from it again.

    Attributes:
        steps: mean score after one fold, after two, …
        drawn: the values drawn, by name.
        space: the distribution each was drawn from, as Optuna writes it.
    """

    trial: Trial
    steps: tuple[float, ...]
    drawn: Mapping[str, Any]
    space: Mapping[str, str]

    def to_json(self) -> str:
        """The record on one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Self:
        """Reads back what `to_json` wrote."""
        document = json.loads(line)
        return cls(Trial(**document["trial"]), tuple(document["steps"]), document["drawn"], document["space"])


@dataclass(frozen=True)
class BestTrial:
    """The best setting so far with its score on each fold and its out-of-fold predictions, also those of repeats.

    Attributes:
        megabytes: size of its largest fold's model, before compression.
    """

    record: TrialRecord
    scores: NDArray[np.float64]
    oof: NDArray[np.float64]
    repeated: tuple[NDArray[np.float64], ...] = ()
    megabytes: float = 0.0


@dataclass(frozen=True)
class SearchJournal:
    """One folder: for each family a line a trial that ended, and the out-of-fold predictions of the best."""

    folder: Path

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The journal in `folder`, continued if its search was cut off, begun anew if it had ended."""
        with storage_errors(folder):
            for ended in folder.parent.glob(f"*/{_FINISHED}"):
                shutil.rmtree(ended.parent)
            folder.mkdir(parents=True, exist_ok=True)
        return cls(folder)

    def read(self, family: str) -> tuple[TrialRecord, ...]:
        """Trials of `family` that ended, in the order in which they did; a line cut short by a kill is dropped."""
        file = self._lines(family)
        *whole, torn = (file.read_text(encoding="utf-8") if file.exists() else "").split("\n")
        if torn:
            write_atomically(file, "".join(f"{line}\n" for line in whole).encode())
        records = [TrialRecord.from_json(line) for line in whole]
        best = self.best(family)
        if best is not None and best.record.trial.number not in {r.trial.number for r in records}:
            self.append(family, best.record)
            records.append(best.record)
        return tuple(records)

    def append(self, family: str, record: TrialRecord) -> None:
        """Writes down a trial that ended."""
        with storage_errors(self.folder), self._lines(family).open("a", encoding="utf-8") as file:
            file.write(record.to_json() + "\n")

    def keep_best(self, family: str, best: BestTrial) -> None:
        """Replaces the best setting of `family`, in one rename; comes before `append` of the same trial."""
        buffer = io.BytesIO()
        record, repeated = np.array(best.record.to_json()), np.array(best.repeated)
        sizes = np.array(best.megabytes)
        np.savez_compressed(buffer, oof=best.oof, scores=best.scores, record=record, repeated=repeated, megabytes=sizes)
        write_atomically(self.folder / f"{family}.npz", buffer.getvalue())

    def best(self, family: str) -> BestTrial | None:
        """The best setting a cut-off search had found, or None."""
        file = self.folder / f"{family}.npz"
        if not file.exists():
            return None
        with np.load(file) as saved:
            record = TrialRecord.from_json(str(saved["record"]))
            repeated = tuple(saved["repeated"])
            return BestTrial(record, saved["scores"], saved["oof"], repeated, float(saved["megabytes"]))

    def finish(self) -> None:
        """Marks the search as ended."""
        write_atomically(self.folder / _FINISHED, b"")

    def _lines(self, family: str) -> Path:
        return self.folder / f"{family}.jsonl"
