"""What nested cross-validation found, how it is kept, and what a page says of it. Doing it belongs in `learning`."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from ml_assets.datasets.spec import Task
from ml_assets.evaluation.documents import as_float, read_document, write_document
from ml_assets.evaluation.metrics import METRICS
from ml_assets.evaluation.section import Section
from ml_assets.evaluation.tables import Table
from ml_assets.evaluation.wording import duration, listed, number, percent, with_error

if TYPE_CHECKING:
    from pathlib import Path

    from ml_assets.evaluation.record import Evaluation

FILE: Final = "nested_validation.json"


@dataclass(frozen=True)
class NestedFold:
    """One outer fold.

    Attributes:
        fold: its number.
        family: what won on the inner folds.
        inner_score: the winner's score on them.
        score: of that model on the outer fold.
        rows: of the outer fold.
        seconds: that making the model took.
    """

    fold: int
    family: str
    inner_score: float
    score: float
    rows: int
    seconds: float


@dataclass(frozen=True)
class NestedValidation:
    """The whole procedure judged on folds that it never saw.

    Attributes:
        procedure: families, seconds, trials and seed of each search.
        at: when it ended, ISO 8601 in UTC.
    """

    dataset: str
    task: Task
    metric: str
    folds: tuple[NestedFold, ...]
    procedure: dict[str, Any]
    data_hash: str
    splits_hash: str
    at: str

    @property
    def score(self) -> float:
        """Mean of the primary metric over the outer folds; lower is better."""
        return float(np.mean([one.score for one in self.folds]))

    @property
    def standard_error(self) -> float:
        """Standard deviation (ddof 1) over the root of the number of folds."""
        scores = [one.score for one in self.folds]
        return float(np.std(scores, ddof=1) / math.sqrt(len(scores))) if len(scores) > 1 else math.nan

    @property
    def inner_score(self) -> float:
        """Mean of what the inner folds promised."""
        return float(np.mean([one.inner_score for one in self.folds]))

    def to_dict(self) -> dict[str, Any]:
        """The record with its means, as JSON has it."""
        return {**asdict(self), "score": self.score, "standard_error": self.standard_error}

    def save(self, folder: Path) -> None:
        """Write `nested_validation.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        write_document(folder / FILE, self.to_dict())

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Read what `save` wrote; None where nothing was."""
        if not (folder / FILE).exists():
            return None
        content = read_document(folder / FILE)
        folds = tuple(
            NestedFold(**{**one, "inner_score": as_float(one["inner_score"]), "score": as_float(one["score"])})
            for one in content["folds"]
        )
        names = ("dataset", "metric", "procedure", "data_hash", "splits_hash", "at")
        return cls(**{name: content[name] for name in names}, task=Task(content["task"]), folds=folds)


def nested_section(found: NestedValidation, winner: Evaluation) -> Section:
    """What a page says: the procedure's score, the winner's on the folds that chose it, and the folds one by one."""
    label = METRICS[found.task][found.metric].label
    gap = found.score - winner.cv_score
    share = f", {percent(abs(gap) / winner.cv_score)} of the score" if winner.cv_score > 0 else ""
    winners = Counter(one.family for one in found.folds)
    kinds = listed([f"{name.replace('_', ' ')} ({count})" for name, count in winners.most_common()])
    said = (
        "Everything was made again without each fold: features, search, choice and fit. On folds it never saw it "
        f"has a {label} of {with_error(found.score, found.standard_error)}. That is what to expect of a model made so, "
        "and nothing in it was chosen by what it is judged on.",
        f"The winner has {number(winner.cv_score)} on the folds that chose it; nested minus plain is "
        f"{number(gap, 2)}{share}. A part of that is that each search had fewer rows. Winners were {kinds}.",
    )
    rows = tuple(
        (
            str(one.fold),
            one.family.replace("_", " "),
            number(one.inner_score),
            number(one.score),
            f"{one.rows:,}",
            duration(one.seconds),
        )
        for one in found.folds
    )
    header = ("Fold", "Winner", "On the inner folds", "On the fold itself", "Rows", "Time")
    caption = f"Nested cross-validation: {label}, lower is better"
    return Section("nested", "The whole procedure on folds it never saw", said, (Table(caption, header, rows),))
