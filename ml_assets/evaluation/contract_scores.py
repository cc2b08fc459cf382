"""Scores as a dataset's contract asks for them: the task's metrics, and those of its costs and of a rating.

The metrics themselves are in `metrics`, `decisions` and `ordinal`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.evaluation.decisions import cost_matrix, mean_cost, said_classes
from ml_assets.evaluation.metrics import METRICS, FloatArray, Labels, Metric, class_positions, score
from ml_assets.evaluation.ordinal import quadratic_kappa, ranked_probability_score

if TYPE_CHECKING:
    from numpy.typing import NDArray

COSTS: Mapping[str, Metric] = {
    "mean_cost": Metric("mean cost of an answer", True),
    "mean_cost_of_likeliest": Metric("mean cost, were the likeliest class said", True),
}
RANKED: Mapping[str, Metric] = {"ranked_probability_score": Metric("ranked probability score", True)}
AGREED: Mapping[str, Metric] = {"quadratic_kappa": Metric("quadratic weighted kappa", False)}


def contract_metrics(spec: DatasetSpec) -> Mapping[str, Metric]:
    """Metrics that `contract_scores` gives, by name, the task's own first."""
    ranked = RANKED if spec.task is Task.CLASSIFICATION else {}
    return {
        **METRICS[spec.task],
        **(COSTS if spec.decision.costs else {}),
        **({**ranked, **AGREED} if spec.ordinal else {}),
    }


def contract_scores(
    spec: DatasetSpec, y_true: Labels, prediction: FloatArray, classes: Sequence[str] = ()
) -> dict[str, float]:
    """Every metric of `contract_metrics(spec)` by name; all NaN if a prediction is not finite or there are no rows.

    With costs, accuracy, balanced accuracy and F1 are of the class of least expected cost, which the model says. The
    kappa of a regression is that of its predictions rounded to whole numbers.

    Args:
        spec: the contract.
        y_true: the true values (n,).
        prediction: numbers (n,), or probabilities (n, n_classes) in the order of `classes`.
        classes: labels; none for a regression.

    Raises:
        TrainingError: shapes do not fit, or `y_true` has a label that is not among `classes`.
    """
    said = None if spec.task is Task.REGRESSION else said_classes(prediction, cost_matrix(classes, spec.decision.costs))
    scores = score(spec.task, y_true, prediction, classes, said=said)
    if len(y_true) == 0 or not np.isfinite(prediction).all():
        return dict.fromkeys(contract_metrics(spec), float("nan"))
    if said is None:
        if spec.ordinal:
            truth, rounded = np.asarray(y_true, dtype=np.float64), np.rint(prediction)
            scores["quadratic_kappa"] = quadratic_kappa(truth.astype(np.intp), rounded.astype(np.intp))
        return scores
    positions = class_positions(y_true, classes)
    if costs := cost_matrix(classes, spec.decision.costs):
        scores["mean_cost"] = mean_cost(positions, said, costs)
        scores["mean_cost_of_likeliest"] = mean_cost(positions, said_classes(prediction), costs)
    if spec.ordinal:
        rank = ranks_of(spec, classes)
        order = np.argsort(rank)
        within = np.argsort(order)
        scores["ranked_probability_score"] = ranked_probability_score(within[positions], prediction[:, order])
        scores["quadratic_kappa"] = quadratic_kappa(rank[positions], rank[said])
    return scores


def ranks_of(spec: DatasetSpec, classes: Sequence[str]) -> NDArray[np.intp]:
    """Place of each class in the contract's order."""
    place = {label: at for at, label in enumerate(spec.labels)}
    return np.array([place.get(label, len(place)) for label in classes], dtype=np.intp)
