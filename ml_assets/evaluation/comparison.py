"""Ranking of evaluated families, with tests against the leader; promotion belongs in `gate`.

The board itself is in `leaderboard`.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ml_assets.datasets.judging import Comparison
from ml_assets.errors import TrainingError
from ml_assets.evaluation.bootstrap import bootstrap_interval
from ml_assets.evaluation.clusters import by_cluster
from ml_assets.evaluation.effects import score_of
from ml_assets.evaluation.equivalence import equivalence
from ml_assets.evaluation.leaderboard import Leaderboard, LeaderboardRow
from ml_assets.evaluation.metrics import row_losses
from ml_assets.evaluation.multiplicity import holm
from ml_assets.evaluation.record import labels_of
from ml_assets.evaluation.significance import PairedTest, corrected_paired_t

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from ml_assets.datasets.spec import Limits
    from ml_assets.evaluation.metrics import FloatArray
    from ml_assets.evaluation.record import Evaluation

__all__ = ["Leaderboard", "LeaderboardRow", "compare"]

ROW_DRAWS = 499
"""Resamples behind the intervals over rows."""


def compare(
    evaluations: Mapping[str, Evaluation],
    *,
    alpha: float = 0.05,
    data_hash: str | None = None,
    splits_hash: str | None = None,
    left_out: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    rules: Comparison | None = None,
    clusters: pd.Series[Any] | None = None,
    seed: int = 0,
) -> Leaderboard:
    """The leaderboard of one dataset's families.

    Families are comparable only on the same rows and folds. Those of other data or splits are left out with
    the reason, and so are those without finite scores or over one of the contract's `limits`, beside those that
    were `left_out` before. Which data count is said by `data_hash` and `splits_hash`; without them, what most
    families were evaluated on.

    The p-values are corrected for the number of families by Holm's method. The leader is the best of several, which
    no correction knows of, so "distinguishable" is said somewhat too easily all the same.

    Args:
        evaluations: by family.
        alpha: level of the tests; intervals have confidence 1 - alpha.
        data_hash: of the clean table that counts.
        splits_hash: of the splits that count.
        left_out: families that have no evaluation, and why.
        limits: what a model may cost.
        rules: how the winner is chosen.
        clusters: name of each row's cluster by row id, where rows depend on each other.
        seed: of the bootstrap over rows.

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
    leader, rules = ranked[0], rules or Comparison()
    board = Leaderboard(
        dataset=leader.dataset,
        task=leader.task,
        metric=leader.metric,
        alpha=alpha,
        rows=_rows(ranked, alpha=alpha, margin=rules.equivalence_margin, clusters=clusters, seed=seed),
        left_out=left_out,
        data_hash=leader.data_hash,
        splits_hash=leader.splits_hash,
        equivalence_margin=rules.equivalence_margin,
    )
    return replace(board, chosen=_cheapest(board)) if rules.choose == "cheapest" else board


def _cheapest(board: Leaderboard) -> str:
    """The cheapest of the leader and those as good; times that agree to two digits count as the same."""
    as_good = [row for row in board.rows if row.family == board.leader or row.indistinguishable or row.equivalent]
    return min(as_good, key=lambda row: (float(f"{row.predict_ms_per_1000_rows:.1e}"), row.model_bytes)).family


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


def _rows(
    ranked: Sequence[Evaluation], *, alpha: float, margin: float, clusters: pd.Series[Any] | None, seed: int
) -> tuple[LeaderboardRow, ...]:
    leader = ranked[0]
    tests = [_against(e, leader, alpha) for e in ranked]
    corrected = holm([math.nan, *(test.p_two_sided for test in tests[1:])])
    intervals = _intervals_over_rows(ranked, alpha=alpha, clusters=clusters, seed=seed)
    return tuple(
        _row(e, leader, test, p, interval, alpha=alpha, margin=margin)
        for e, test, p, interval in zip(ranked, tests, corrected, intervals, strict=True)
    )


def _against(evaluation: Evaluation, leader: Evaluation, alpha: float) -> PairedTest:
    differences = np.array(evaluation.fold_scores) - np.array(leader.fold_scores)
    return corrected_paired_t(differences, test_fraction=1 / max(leader.folds_each, 2), confidence=1 - alpha)


def _intervals_over_rows(
    ranked: Sequence[Evaluation], *, alpha: float, clusters: pd.Series[Any] | None, seed: int
) -> FloatArray:
    """Interval (families, 2) of each pooled out-of-fold score's difference from the leader's, paired by row."""
    leader, none = ranked[0], np.full((len(ranked), 2), np.nan)
    if any(not e.oof.index.equals(leader.oof.index) for e in ranked):
        return none
    losses = np.column_stack([row_losses(e.task, labels_of(e.oof), e.oof_prediction, e.classes) for e in ranked])
    usable = np.asarray(np.isfinite(losses).all(axis=0))
    if len(losses) < 2 or not usable[0]:
        return none
    named = None if clusters is None else clusters.reindex(leader.oof.index).to_numpy(dtype=object)

    def from_leader(means: FloatArray) -> FloatArray:
        scores = score_of(leader.task, means)
        made: FloatArray = scores - scores[:, :1]
        return made

    paired = by_cluster(losses[:, usable], named)
    none[usable] = bootstrap_interval(paired, from_leader, seed=seed, draws=ROW_DRAWS, confidence=1 - alpha)
    return none


def _row(
    evaluation: Evaluation,
    leader: Evaluation,
    test: PairedTest,
    p_value: float,
    interval: FloatArray,
    *,
    alpha: float,
    margin: float,
) -> LeaderboardRow:
    is_leader = evaluation is leader
    difference = evaluation.cv_score - leader.cv_score
    told = math.nan if is_leader else 1.0
    absolute = margin * abs(leader.cv_score)
    return LeaderboardRow(
        family=evaluation.family,
        cv_score=evaluation.cv_score,
        cv_standard_error=evaluation.cv_standard_error,
        test_score=evaluation.test_score,
        difference=difference,
        p_value=p_value,
        indistinguishable=not is_leader and not p_value < alpha,
        seconds=evaluation.search_seconds + evaluation.fit_seconds,
        trials=evaluation.trials,
        predict_ms_per_1000_rows=evaluation.predict_ms_per_1000_rows,
        model_bytes=evaluation.model_bytes,
        single_p_value=told * test.p_two_sided,
        low=told * test.interval[0],
        high=told * test.interval[1],
        share=difference / leader.cv_score if leader.cv_score > 0 else math.nan,
        rows_low=told * float(interval[0]),
        rows_high=told * float(interval[1]),
        equivalent=not is_leader and absolute > 0 and equivalence(test, absolute).shown(alpha),
    )
