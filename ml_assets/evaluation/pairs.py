"""Two models of one dataset against each other, fold by fold and row by row. Ranking them all is `comparison`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ml_assets.errors import TrainingError
from ml_assets.evaluation.metrics import row_losses
from ml_assets.evaluation.optimism import optimism_gap
from ml_assets.evaluation.record import labels_of
from ml_assets.evaluation.significance import corrected_paired_t
from ml_assets.evaluation.wording import percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ml_assets.evaluation.record import Evaluation


@dataclass(frozen=True)
class RowsApart:
    """How two models do on the same training rows, each predicted out of fold.

    Attributes:
        rows: with a loss of both that is a number.
        first_better: share of the rows on which the first has the smaller loss; rows with equal losses count half.
        correlation: rank correlation of the two losses; near 1 they fail on the same rows. NaN where one never varies.
    """

    rows: int
    first_better: float
    correlation: float


def paired_differences(
    evaluations: Mapping[str, Evaluation], winner: str, *, alpha: float = 0.05, confidence: float = 0.95
) -> pd.DataFrame:
    """Each family's score minus the winner's over the same folds, with the corrected interval; closest first.

    The test is Nadeau and Bengio's corrected resampled t-test, see `significance.corrected_paired_t`. p-values are
    those of each pair alone.

    Args:
        evaluations: by family, of the same folds.
        winner: with whom the others are compared.
        alpha: p-values from here on do not tell a family from the winner.
        confidence: of the interval.

    Returns:
        Indexed by `family`; columns `difference`, `low`, `high`, `p_value` (NaN where folds allow no test),
        `indistinguishable` and `folds`, the differences themselves.

    Raises:
        TrainingError: a family was evaluated on other folds.
    """
    best, rows = evaluations[winner], []
    for family, one in evaluations.items():
        if family == winner:
            continue
        if one.splits_hash != best.splits_hash or len(one.fold_scores) != len(best.fold_scores):
            raise TrainingError(f"{family} and {winner} were evaluated on other folds; evaluate both again")
        folds = np.array(one.fold_scores) - np.array(best.fold_scores)
        test = corrected_paired_t(folds, test_fraction=1 / max(best.folds_each, 2), confidence=confidence)
        rows.append((family, test.mean, *test.interval, test.p_two_sided, not test.p_two_sided < alpha, tuple(folds)))
    columns = ["family", "difference", "low", "high", "p_value", "indistinguishable", "folds"]
    return pd.DataFrame(rows, columns=columns).set_index("family").sort_values("difference", kind="stable")


def gaps(evaluations: Mapping[str, Evaluation]) -> pd.DataFrame:
    """Out-of-fold and test score of each family and the gap between them, as `optimism` measures it.

    Returns:
        Indexed by `family`; columns `out_of_fold`, `test`, `gap`, `standard_error` and `beyond_noise`, which is None
        where it cannot be said.
    """
    found = {family: optimism_gap(one) for family, one in evaluations.items()}
    rows = [
        (family, gap.out_of_fold, gap.test, gap.gap, gap.standard_error, gap.beyond_noise)
        for family, gap in found.items()
    ]
    columns = ["family", "out_of_fold", "test", "gap", "standard_error", "beyond_noise"]
    return pd.DataFrame(rows, columns=columns).set_index("family")


def rows_apart(first: Evaluation, second: Evaluation) -> RowsApart:
    """How often the first model's loss is the smaller, and whether both fail on the same rows.

    Raises:
        TrainingError: they have no row in common.
    """
    ours, theirs = _losses(first), _losses(second)
    common = ours.index.intersection(theirs.index)
    if common.empty:
        raise TrainingError(f"{first.family} and {second.family} have no row in common; evaluate both again")
    ours, theirs = ours[common], theirs[common]
    varies = ours.nunique() > 1 and theirs.nunique() > 1
    correlation = float(ours.rank().corr(theirs.rank())) if varies else float("nan")
    better = float((ours < theirs).mean() + (ours == theirs).mean() / 2)
    return RowsApart(len(common), better, correlation)


def apart_words(found: RowsApart, first: str, second: str) -> str:
    """What the rows say of two models, in a sentence or two."""
    told = (
        f"On {percent(found.first_better)} of the {found.rows:,} training rows the {first.replace('_', ' ')} model is "
        f"closer than the {second.replace('_', ' ')} model, each asked about rows that it had not seen."
    )
    if not np.isfinite(found.correlation):
        return told
    alike = "they fail on the same rows" if found.correlation > 0.7 else "they fail on partly different rows"
    return f"{told} The rank correlation of their losses is {found.correlation:.2f}: {alike}."


def _losses(evaluation: Evaluation) -> pd.Series[float]:
    prediction, table = evaluation.oof_prediction, evaluation.oof
    losses = row_losses(evaluation.task, labels_of(table), prediction, evaluation.classes)
    return pd.Series(losses, index=table.index)[np.isfinite(losses)]
