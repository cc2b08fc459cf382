"""What each plot of a model card shows, with figures, for who cannot see it. Drawing belongs in `…_plots`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ml_assets.datasets.spec import Task
from ml_assets.evaluation.card_document import PlotWords
from ml_assets.evaluation.metrics import METRICS, calibration_error, class_positions, confusion_counts
from ml_assets.evaluation.plots import most_weighty, parameter_shares
from ml_assets.evaluation.record import labels_of
from ml_assets.evaluation.wording import listed, number, percent, quantity, with_error

if TYPE_CHECKING:
    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.evaluation.baseline import Baseline
    from ml_assets.evaluation.comparison import Leaderboard
    from ml_assets.evaluation.record import Evaluation
    from ml_assets.evaluation.search_plots import Trials

MOST_NAMED = 6
"""Families, classes and features that an alternative text goes through before it sums up."""


def plot_words(
    spec: DatasetSpec,
    table: pd.DataFrame,
    board: Leaderboard,
    winner: Evaluation,
    *,
    trials: Trials | None = None,
    baseline: Baseline | None = None,
) -> dict[str, PlotWords]:
    """Title, caption and figures of every plot that `plots.card_plots` makes, by its name; arguments as there."""
    return {
        "leaderboard": PlotWords(
            "Scores of the families",
            "One dot a family with its standard error, best on top; diamonds are test rows, which never choose.",
            _leaderboard(board, baseline),
        ),
        **_result_words(spec, winner),
        "search": PlotWords(
            "The search for settings",
            "Each dot is one trial; the lines are the best so far of each family.",
            _search(trials),
        ),
        "parameters": PlotWords(
            "What made the difference",
            "What each parameter counts in telling good trials from all: the winner's, or its weightiest member's.",
            _parameters(winner, trials),
        ),
        "target_distribution": PlotWords(
            "The target", "How often each value of the target occurs in the data.", _column(spec, table, spec.target)
        ),
        "feature_distributions": PlotWords(
            "The features", "How often each value of a feature occurs in the data.", _features(spec, table)
        ),
        "correlation": PlotWords(
            "Correlations",
            "Rank correlation between the numeric columns, from -1 to 1.",
            _correlation(spec, table),
        ),
    }


def _parameters(winner: Evaluation, trials: Trials | None) -> str:
    shares = {} if trials is None else parameter_shares(trials, family=most_weighty(winner))
    told = [f"{name.replace('_', ' ')} {percent(share)}" for name, share in list(shares.items())[:MOST_NAMED]]
    return (
        f"Of what tells good trials of {most_weighty(winner).replace('_', ' ')} from all: {listed(told)}"
        if told
        else ""
    )


def _leaderboard(board: Leaderboard, baseline: Baseline | None) -> str:
    label = METRICS[board.task][board.metric].label
    told = [
        f"{row.family.replace('_', ' ')} {with_error(row.cv_score, row.cv_standard_error)}"
        for row in board.rows[:MOST_NAMED]
    ]
    rest = len(board.rows) - len(told)
    ends = f", and {rest} worse" if rest else ""
    against = f"; always {baseline.guess}: {number(baseline.cv_score)}" if baseline is not None else ""
    return f"Cross-validated {label}, lower is better, best first: {', '.join(told)}{ends}{against}"


def _result_words(spec: DatasetSpec, winner: Evaluation) -> dict[str, PlotWords]:
    if winner.task is Task.REGRESSION:
        return {
            "residuals": PlotWords(
                "Errors on the test rows",
                "Left, actual against predicted values: a perfect model is on the line. Right, the errors by size.",
                _residuals(spec, winner),
            ),
            "calibration": PlotWords(
                "Whether answers mean what they say",
                "Rows in groups by prediction: on the dashed line, a group's answers are right on average.",
                _binned(winner),
            ),
        }
    return {
        "confusion_matrix": PlotWords(
            "Right and wrong answers on the test rows",
            "Rows of the table are actual classes, columns are answers; right answers are on the diagonal.",
            _confusion(winner),
        ),
        "calibration": PlotWords(
            "Whether answers mean what they say",
            "Where the dots are on the dashed line, the model is neither too sure nor too hesitant.",
            _reliability(winner),
        ),
    }


def _residuals(spec: DatasetSpec, winner: Evaluation) -> str:
    errors = labels_of(winner.test).astype(np.float64) - winner.test_prediction
    errors = errors[np.isfinite(errors)]
    if not len(errors):
        return "No finite prediction to compare with the actual values"
    unit, size = spec.columns[spec.target].unit, np.abs(errors)
    half, most = (quantity(number(float(np.quantile(size, q)), 3), unit) for q in (0.5, 0.9))
    mean = quantity(number(float(errors.mean()), 3), unit)
    return (
        f"Of {len(errors):,} answers half are within {half} of the truth and nine in ten within {most}; "
        f"actual minus predicted is {mean} on average"
    )


def _binned(winner: Evaluation, bins: int = 10) -> str:
    pairs = pd.DataFrame({"actual": labels_of(winner.test).astype(np.float64), "said": winner.test_prediction}).dropna()
    if pairs["said"].nunique() < 2:
        return "All predictions are the same"
    means = pairs.groupby(pd.qcut(pairs["said"], bins, duplicates="drop"), observed=True).mean()
    low, high = means.iloc[0], means.iloc[-1]
    return (
        f"The lowest group is predicted {number(low['said'])} on average and is {number(low['actual'])}; the highest "
        f"is predicted {number(high['said'])} and is {number(high['actual'])}"
    )


def _confusion(winner: Evaluation) -> str:
    truth = class_positions(labels_of(winner.test), winner.classes)
    counts = confusion_counts(truth, winner.test_said, len(winner.classes))
    right, total = int(np.trace(counts)), int(counts.sum())
    told = f"{right:,} of {total:,} answers are right"
    if len(winner.classes) > MOST_NAMED:
        return told
    parts = [f"{counts[i, i]:,} of {counts[i].sum():,} {name}" for i, name in enumerate(winner.classes)]
    return f"{told}: {listed(parts)}"


def _reliability(winner: Evaluation) -> str:
    probabilities = winner.test_prediction
    correct = probabilities.argmax(axis=1) == class_positions(labels_of(winner.test), winner.classes)
    confidence = probabilities.max(axis=1)
    if not len(confidence):
        return "There are no test rows"
    return (
        f"It gives its likeliest class a probability of {percent(float(confidence.mean()))} on average and is right in "
        f"{percent(float(correct.mean()))}; expected calibration error {calibration_error(confidence, correct):.3f}"
    )


def _search(trials: Trials | None) -> str:
    table = pd.DataFrame(trials) if trials is not None else pd.DataFrame()
    if table.empty:
        return "No trial is known"
    scores = pd.to_numeric(table["score"], errors="coerce").dropna()
    families = table["family"].nunique()
    told = f"{len(table):,} trials of {families} {'family' if families == 1 else 'families'}"
    return f"{told}; the best scored {number(float(scores.min()))}" if len(scores) else told


def _column(spec: DatasetSpec, table: pd.DataFrame, name: str) -> str:
    values, column = table[name].dropna(), spec.columns[name]
    if not len(values):
        return f"{name}: no values"
    if column.dtype in ("float", "integer"):
        low, half, high = (quantity(number(float(v)), column.unit) for v in values.quantile([0.05, 0.5, 0.95]))
        return f"{name}: half of the rows are up to {half}; nine in ten are between {low} and {high}"
    counts = values.astype(str).value_counts()
    told = [f"{label} {count:,}" for label, count in counts.head(MOST_NAMED).items()]
    return f"{name}, rows by value: {', '.join(told)}" + (", and others" if len(counts) > MOST_NAMED else "")


def _features(spec: DatasetSpec, table: pd.DataFrame) -> str:
    numbers = [name for name in spec.numeric_features if name in table][:MOST_NAMED]
    told = [f"{name} {number(float(table[name].median()), 3)}" for name in numbers]
    medians = f"; medians: {', '.join(told)}" if told else ""
    return f"{len(spec.feature_columns)} features{medians}"


def _correlation(spec: DatasetSpec, table: pd.DataFrame) -> str:
    names = [name for name in spec.numeric_features if name in table][:24]
    if not spec.columns[spec.target].is_number or not names:
        return f"Between {len(names)} numeric features" if names else "No numeric columns"
    ranks = table[[*names, spec.target]].rank()
    found = ranks[names].corrwith(ranks[spec.target]).dropna()
    strongest = found.reindex(found.abs().sort_values(ascending=False).index).head(3)
    told = [f"{name} {value:+.2f}" for name, value in strongest.items()]
    return f"Strongest with the target {spec.target}: {listed(told)}" if told else "No column goes with the target"
