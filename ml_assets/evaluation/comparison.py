"""Ranking of evaluated families, with tests against the leader; promotion belongs in `gate`."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ml_assets.datasets.spec import Task
from ml_assets.errors import TrainingError
from ml_assets.evaluation.documents import as_float, read_document, write_document
from ml_assets.evaluation.significance import corrected_paired_t

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ml_assets.datasets.spec import Limits
    from ml_assets.evaluation.record import Evaluation

FILE = "leaderboard.json"


@dataclass(frozen=True)
class LeaderboardRow:
    """One family; lower scores are better.

    Attributes:
        difference: cross-validated score minus the leader's; 0 for the leader.
        p_value: two-sided, corrected paired t over folds against the leader; NaN for the leader, and where
            the folds' differences do not vary.
        indistinguishable: not the leader, and no difference from it shown at the board's `alpha`.
        seconds: of search and final fit.
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


@dataclass(frozen=True)
class Leaderboard:
    """Families best first by cross-validated score; the test rows never choose.

    `left_out` gives the reason for each family that could not be ranked.
    """

    dataset: str
    task: Task
    metric: str
    alpha: float
    rows: tuple[LeaderboardRow, ...]
    left_out: Mapping[str, str]
    data_hash: str
    splits_hash: str

    @property
    def winner(self) -> str:
        """The family with the best cross-validated score."""
        return self.rows[0].family

    @property
    def indistinguishable(self) -> tuple[str, ...]:
        """Families that the folds cannot tell from the winner."""
        return tuple(row.family for row in self.rows if row.indistinguishable)

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
        return cls(**content)


def compare(
    evaluations: Mapping[str, Evaluation],
    *,
    alpha: float = 0.05,
    data_hash: str | None = None,
    splits_hash: str | None = None,
    left_out: Mapping[str, str] | None = None,
    limits: Limits | None = None,
) -> Leaderboard:
    """The leaderboard of one dataset's families.

    Families are comparable only on the same rows and folds. Those of other data or splits are left out with
    the reason, and so are those without finite scores or over one of the contract's `limits`, beside those that
    were `left_out` before. Which data count is said by `data_hash` and `splits_hash`; without them, what most
    families were evaluated on.

    The p-values are not corrected for the number of families, and the leader is the best of several, so
    "distinguishable" is said somewhat too easily.

    Raises:
        TrainingError: no family can be ranked, or it is a tie which data count.
    """
    dataset = next((e.dataset for e in evaluations.values()), "")
    wanted = _wanted_hashes(evaluations, data_hash, splits_hash)
    left_out = {**(left_out or {})} | {
        family: reason
        for family, e in evaluations.items()
        if (reason := _why_not(e, *wanted) or _over(limits, e)) is not None
    }
    ranked = sorted(
        (e for family, e in evaluations.items() if family not in left_out),
        key=lambda e: (e.cv_score, e.family),
    )
    if not ranked:
        raise TrainingError(
            f"{dataset or 'no dataset'}: no family can be ranked; "
            + ("; ".join(f"{family}: {reason}" for family, reason in left_out.items()) or "none was evaluated")
        )
    leader = ranked[0]
    return Leaderboard(
        dataset=leader.dataset,
        task=leader.task,
        metric=leader.metric,
        alpha=alpha,
        rows=tuple(_row(e, leader, alpha) for e in ranked),
        left_out=left_out,
        data_hash=leader.data_hash,
        splits_hash=leader.splits_hash,
    )


def _wanted_hashes(
    evaluations: Mapping[str, Evaluation], data_hash: str | None, splits_hash: str | None
) -> tuple[str, str]:
    candidates = Counter(
        (e.data_hash, e.splits_hash)
        for e in evaluations.values()
        if data_hash in (None, e.data_hash) and splits_hash in (None, e.splits_hash)
    ).most_common(2)
    if len(candidates) == 2 and candidates[0][1] == candidates[1][1]:
        raise TrainingError(
            "the families were evaluated on different data or splits, as many on one as on the other "
            f"({', '.join(evaluations)}); materialize their evaluations again"
        )
    return candidates[0][0] if candidates else (data_hash or "", splits_hash or "")


def _why_not(evaluation: Evaluation, data_hash: str, splits_hash: str) -> str | None:
    if evaluation.data_hash != data_hash:
        return f"stale: evaluated on data {evaluation.data_hash[:12]}, the others on {data_hash[:12]}"
    if evaluation.splits_hash != splits_hash:
        return f"stale: evaluated on splits {evaluation.splits_hash[:12]}, the others on {splits_hash[:12]}"
    if not all(map(math.isfinite, (evaluation.cv_score, *evaluation.fold_scores))):
        return "its cross-validated score is not a finite number"
    return None


def _over(limits: Limits | None, evaluation: Evaluation) -> str | None:
    """Which limit of the contract a model is over, or None."""
    if limits is None:
        return None
    megabytes, speed = evaluation.model_bytes / 1e6, evaluation.predict_ms_per_1000_rows
    if limits.megabytes is not None and megabytes > limits.megabytes:
        return f"its model has {megabytes:.3g} MB, and the contract's limit is {limits.megabytes:g}"
    if limits.ms_per_1000_rows is not None and speed > limits.ms_per_1000_rows:
        return f"it takes {speed:.3g} ms to predict 1000 rows, and the contract's limit is {limits.ms_per_1000_rows:g}"
    return None


def _row(evaluation: Evaluation, leader: Evaluation, alpha: float) -> LeaderboardRow:
    is_leader = evaluation is leader
    differences = np.array(evaluation.fold_scores) - np.array(leader.fold_scores)
    test = corrected_paired_t(differences, test_fraction=1 / max(len(differences), 2))
    return LeaderboardRow(
        family=evaluation.family,
        cv_score=evaluation.cv_score,
        cv_standard_error=evaluation.cv_standard_error,
        test_score=evaluation.test_score,
        difference=evaluation.cv_score - leader.cv_score,
        p_value=float("nan") if is_leader else test.p_two_sided,
        indistinguishable=not is_leader and not test.p_two_sided < alpha,
        seconds=evaluation.search_seconds + evaluation.fit_seconds,
        trials=evaluation.trials,
        predict_ms_per_1000_rows=evaluation.predict_ms_per_1000_rows,
        model_bytes=evaluation.model_bytes,
    )


def _row_from(content: Mapping[str, Any]) -> LeaderboardRow:
    kinds = LeaderboardRow.__annotations__
    values: dict[str, Any] = {k: as_float(v) if kinds[k] == "float" else v for k, v in content.items()}
    return LeaderboardRow(**values)
