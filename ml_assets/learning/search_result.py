"""What a search leaves behind for one family: setting, scores, out-of-fold predictions, history. No searching here."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Trial:
    """One setting that was tried.

    Attributes:
        seconds: wall time since the start of the search at which it ended.
        fit_seconds: time its fold fits took together.
        score: mean over folds, or None where it was pruned or failed.
        reason: why it failed; empty otherwise.
        fold_scores: primary metric on each fold where it went through all of them.
    """

    number: int
    params: Mapping[str, Any]
    state: str
    score: float | None
    seconds: float
    fit_seconds: float
    reason: str = ""
    fold_scores: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "fold_scores", tuple(self.fold_scores))


@dataclass(frozen=True)
class SearchResult:
    """The best setting of one family, and how it was found.

    Attributes:
        fold_scores: primary metric on each fold, lower is better; repeat after repeat.
        seconds: fit time spent on this family.
        classes: order of the probability columns; empty for a regression.
        row_ids: training rows, in the order of `oof`.
        oof: out-of-fold predictions (n,) or (n, k).
        repeated: the same for each further repeat of the cross-validation.
    """

    family: str
    params: Mapping[str, Any]
    fold_scores: tuple[float, ...]
    trials: tuple[Trial, ...]
    seconds: float
    classes: tuple[str, ...]
    row_ids: tuple[str, ...]
    oof: NDArray[np.float64]
    repeated: tuple[NDArray[np.float64], ...] = ()

    @property
    def score(self) -> float:
        """Mean of the primary metric over folds."""
        return float(np.mean(self.fold_scores))

    def save(self, folder: Path) -> None:
        """Writes `search.json` and `oof.parquet`, and one table more for each repeat."""
        document = {
            "family": self.family,
            "params": dict(self.params),
            "fold_scores": self.fold_scores,
            "seconds": self.seconds,
            "classes": self.classes,
            "trials": [asdict(t) for t in self.trials],
        }
        (folder / "search.json").write_text(json.dumps(document, indent=1))
        columns = self.classes or ("prediction",)
        for at, predictions in enumerate((self.oof, *self.repeated), start=1):
            oof = pd.DataFrame(predictions.reshape(len(self.row_ids), -1), columns=columns)
            oof.insert(0, "row_id", list(self.row_ids))
            oof.to_parquet(folder / _table(at), index=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads back what `save` wrote."""
        document = json.loads((folder / "search.json").read_text())
        repeats = itertools.takewhile(Path.exists, (folder / _table(at) for at in itertools.count(1)))
        tables = [pd.read_parquet(file) for file in repeats]
        values = [table.drop(columns="row_id").to_numpy(dtype=np.float64) for table in tables]
        oof, *repeated = values if document["classes"] else [column[:, 0] for column in values]
        return cls(
            family=document["family"],
            params=document["params"],
            fold_scores=tuple(document["fold_scores"]),
            trials=tuple(Trial(**t) for t in document["trials"]),
            seconds=document["seconds"],
            classes=tuple(document["classes"]),
            row_ids=tuple(tables[0]["row_id"]),
            oof=oof,
            repeated=tuple(repeated),
        )


def _table(repeat: int) -> str:
    return "oof.parquet" if repeat == 1 else f"oof_{repeat}.parquet"
