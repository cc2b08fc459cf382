"""Which plots each asset shows, by name; each is PNG bytes. How they are drawn belongs in `…_plots`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.evaluation import model_plots
from ml_assets.evaluation.canvas import axis_label
from ml_assets.evaluation.data_plots import correlation, feature_distributions, target_distribution
from ml_assets.evaluation.record import labels_of
from ml_assets.evaluation.search_plots import Trials, learning_curve, parameters, search
from ml_assets.families import ENSEMBLE
from ml_assets.learning.parameter_importance import parameter_importances

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ml_assets.evaluation.baseline import Baseline
    from ml_assets.evaluation.comparison import Leaderboard
    from ml_assets.evaluation.record import Evaluation


def data_plots(spec: DatasetSpec, table: pd.DataFrame) -> dict[str, bytes]:
    """`target_distribution`, `feature_distributions` and `correlation` of a clean table."""
    return {
        "target_distribution": target_distribution(spec, table),
        "feature_distributions": feature_distributions(spec, table),
        "correlation": correlation(spec, table),
    }


def model_plot_set(spec: DatasetSpec, evaluation: Evaluation) -> dict[str, bytes]:
    """`residuals` or `confusion_matrix` and `calibration` of one family, on test rows."""
    y_true, prediction = labels_of(evaluation.test), evaluation.test_prediction
    label = axis_label(spec, spec.target)
    if evaluation.task is Task.REGRESSION:
        return {
            "residuals": model_plots.residuals(y_true, prediction, label=label),
            "calibration": model_plots.binned_calibration(y_true, prediction, label=label),
        }
    return {
        "confusion_matrix": model_plots.confusion_matrix(y_true, prediction, evaluation.classes, evaluation.costs),
        "calibration": model_plots.reliability(y_true, prediction, evaluation.classes),
    }


def search_plots(spec: DatasetSpec, trials: Trials, *, metric: str) -> dict[str, bytes]:
    """`search`: the trials of all families."""
    return {"search": search(trials, metric=metric, unit=score_unit(spec))}


def learning_curve_plot(spec: DatasetSpec, trials: Trials, *, family: str, metric: str) -> dict[str, bytes]:
    """`learning_curve`: the trials of one family."""
    curve = learning_curve(trials, family=family, metric=metric, unit=score_unit(spec))
    return {"learning_curve": curve}


def parameters_plot(trials: Trials, *, family: str) -> dict[str, bytes]:
    """`parameters`: which parameters of a family made the difference; nothing where its trials cannot tell."""
    shares = parameter_shares(trials, family=family)
    return {"parameters": parameters(shares, family=family)} if shares else {}


def parameter_shares(trials: Trials, *, family: str) -> dict[str, float]:
    """What each parameter of a family counts, by its completed trials, as `parameter_importances` has it."""
    records = trials.to_dict("records") if isinstance(trials, pd.DataFrame) else trials
    complete = [(t["params"], t["score"]) for t in records if t["family"] == family and t["state"] == "COMPLETE"]
    return parameter_importances(complete)


def leaderboard_plot(spec: DatasetSpec, board: Leaderboard, baseline: Baseline | None = None) -> dict[str, bytes]:
    """`leaderboard`: the families with their standard errors."""
    return {"leaderboard": model_plots.leaderboard(board, baseline=baseline, unit=score_unit(spec))}


def card_plots(
    spec: DatasetSpec,
    table: pd.DataFrame,
    board: Leaderboard,
    evaluation: Evaluation,
    *,
    trials: Trials | None = None,
    baseline: Baseline | None = None,
) -> dict[str, bytes]:
    """Every plot of a model card, in the order a reader meets them; `evaluation` is the winner's."""
    searched = {} if trials is None else search_plots(spec, trials, metric=board.metric)
    searched |= {} if trials is None else parameters_plot(trials, family=most_weighty(evaluation))
    return {
        **leaderboard_plot(spec, board, baseline),
        **model_plot_set(spec, evaluation),
        **searched,
        **data_plots(spec, table),
    }


def most_weighty(evaluation: Evaluation) -> str:
    """The family itself; of an ensemble the member that counts most."""
    weights: Mapping[str, float] = evaluation.params.get("weights", {}) if evaluation.family == ENSEMBLE else {}
    return max(weights, key=lambda name: weights[name], default=evaluation.family)


def score_unit(spec: DatasetSpec) -> str:
    """Unit of the primary metric: the target's for a regression, none for a classification."""
    return spec.columns[spec.target].unit or "" if spec.task is Task.REGRESSION else ""
