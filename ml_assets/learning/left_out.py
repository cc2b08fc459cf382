"""A family that has no model in this race, and why. It stands in the graph where its search, model, scores would."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

from ml_assets.learning.search_result import Trial

if TYPE_CHECKING:
    from pathlib import Path

FILE = "left_out.json"


@dataclass(frozen=True)
class LeftOut:
    """Why a family has no model.

    Attributes:
        failed: whether something broke, rather than the time being too short.
        trials: what was tried all the same.
        seconds: fit time that it took.
    """

    family: str
    reason: str
    failed: bool = False
    trials: tuple[Trial, ...] = ()
    seconds: float = 0.0

    def save(self, folder: Path) -> None:
        """Writes `left_out.json`."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads back what `save` wrote."""
        document = json.loads((folder / FILE).read_text())
        return cls(**{**document, "trials": tuple(Trial(**trial) for trial in document["trials"])})
