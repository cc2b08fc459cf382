"""The leaderboard as it is kept: one row a family, best first. Making one belongs in `comparison`."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from ml_assets.datasets.spec import Task
from ml_assets.evaluation.documents import as_float, read_document, write_document

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE = "leaderboard.json"


@dataclass(frozen=True)
class LeaderboardRow:
    """One family; lower scores are better.

    Attributes:
        difference: cross-validated score minus the leader's; 0 for the leader.
        p_value: two-sided, corrected paired t over folds against the leader, corrected by Holm's method for the
            number of families; NaN for the leader, and where the folds' differences do not vary.
        indistinguishable: not the leader, and no difference from it shown at the board's `alpha`.
        seconds: of search and final fit.
        single_p_value: the same before Holm's correction.
        low: of the difference's interval of confidence 1 - alpha over folds, by the same test; NaN where it says
            nothing, as is `high`.
        share: the difference as a share of the leader's score.
        rows_low: of the interval of the pooled out-of-fold score's difference, paired bootstrap over rows; it takes
            the fitted models as given. NaN where a prediction is, as is `rows_high`.
        equivalent: not the leader, and shown to differ by less than the contract's margin.
    """

    family: str
    cv_score: float
    cv_standard_error: float
    test_score: float
    difference: float
    p_value: float
    indistinguishable: bool
    seconds: float
    trials: int
    predict_ms_per_1000_rows: float
    model_bytes: int
    single_p_value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    share: float = math.nan
    rows_low: float = math.nan
    rows_high: float = math.nan
    equivalent: bool = False


@dataclass(frozen=True)
class Leaderboard:
    """Families best first by cross-validated score; the test rows never choose.

    Attributes:
        rows: the first is the leader, which the others are tested against.
        left_out: the reason for each family that could not be ranked.
        chosen: the winner, where it is not the leader but the cheapest of those that are as good.
        equivalence_margin: share of the leader's score below which a difference does not matter.
    """

    dataset: str
    task: Task
    metric: str
    alpha: float
    rows: tuple[LeaderboardRow, ...]
    left_out: Mapping[str, str]
    data_hash: str
    splits_hash: str
    chosen: str = ""
    equivalence_margin: float = math.nan

    @property
    def leader(self) -> str:
        """The family with the best cross-validated score."""
        return self.rows[0].family

    @property
    def winner(self) -> str:
        """The leader, or the cheapest of those that are as good where the contract prefers that."""
        return self.chosen or self.leader

    @property
    def winning_row(self) -> LeaderboardRow:
        """The winner's row."""
        return next(row for row in self.rows if row.family == self.winner)

    @property
    def indistinguishable(self) -> tuple[str, ...]:
        """Families that the folds cannot tell from the leader."""
        return tuple(row.family for row in self.rows if row.indistinguishable)

    @property
    def equivalent(self) -> tuple[str, ...]:
        """Families that are shown to differ from the leader by less than the margin."""
        return tuple(row.family for row in self.rows if row.equivalent)

    def to_frame(self) -> pd.DataFrame:
        """One row a family, best first, indexed by rank from 1."""
        columns = list(LeaderboardRow.__dataclass_fields__)
        frame = pd.DataFrame([asdict(row) for row in self.rows], columns=columns)
        return frame.set_index(pd.RangeIndex(1, len(frame) + 1, name="rank"))

    def save(self, folder: Path) -> None:
        """Write `leaderboard.json`."""
        write_document(folder / FILE, {**asdict(self), "winner": self.winner})

    @classmethod
    def load(cls, folder: Path) -> Leaderboard:
        """Read `leaderboard.json`."""
        content = read_document(folder / FILE)
        del content["winner"]
        content["task"] = Task(content["task"])
        content["rows"] = tuple(_row_from(row) for row in content["rows"])
        content["equivalence_margin"] = as_float(content.get("equivalence_margin"))
        return cls(**content)


def _row_from(content: Mapping[str, Any]) -> LeaderboardRow:
    kinds = LeaderboardRow.__annotations__
    values: dict[str, Any] = {k: as_float(v) if kinds[k] == "float" else v for k, v in content.items()}
    return LeaderboardRow(**values)
