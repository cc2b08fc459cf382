"""Classifiers around a family's own: rows weighted by class, calibrated probabilities, the answer of least cost.

The figures they go by are made in `evaluation` (`decisions`, `temperature`). Each is part of the fitted pipeline, so
that whoever loads it gets the same answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.validation import has_fit_parameter

from ml_assets.errors import ContractError, UnknownNameError
from ml_assets.evaluation.decisions import cost_matrix, said_classes
from ml_assets.evaluation.temperature import tempered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray
    from sklearn.pipeline import Pipeline

    from ml_assets.datasets.spec import DatasetSpec, Decision

WEIGHTS_REFUSED: Final = "refused"
WEIGHTS_PARTLY: Final = "partly"
"""What a record says of class weights that the contract asks for and the estimator, or some members, do not take."""


class _Around(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier that answers by the probabilities of another, the likeliest class where nothing else is said."""

    def __init__(self, estimator: BaseEstimator) -> None:
        self.estimator = estimator

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fits a copy of the estimator to rows `X` (n, d) and labels `y` (n,); returns itself."""
        self.estimator_ = clone(self.estimator).fit(X, y)
        return self

    def around(self, fitted: Any) -> Self:
        """Itself, as if it had fitted the estimator that is given fitted."""
        self.estimator_ = fitted
        return self

    @property
    def classes_(self) -> NDArray[Any]:
        """Labels in the order of the probabilities' columns, (k,)."""
        labels: NDArray[Any] = self.estimator_.classes_
        return labels

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities (n, k) in the order of `classes_`."""
        return np.asarray(self.estimator_.predict_proba(X), dtype=np.float64)

    def decide(self, probabilities: NDArray[np.float64]) -> NDArray[Any]:
        """The label that is said of each row, (n,), by its probabilities (n, k)."""
        labels: NDArray[Any] = self.classes_[said_classes(probabilities)]
        return labels

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The label that is said of each row, (n,)."""
        return self.decide(self.predict_proba(X))


class Balanced(_Around):
    """Fitted with every class weighing the same; probabilities are brought back to the classes' true shares.

    A row of class c weighs n / (k n_c). What is learned from such rows has all priors 1/k; each probability is divided
    by its class's weight and the row by its sum, which is Saerens et al. 2002, "Adjusting the outputs of a classifier
    to new a priori probabilities", eq. 4. An estimator that takes no weights is fitted as it is, and `weighted_` says
    so.

    Attributes:
        weighted_: whether the estimator took the weights.
        weights_: weight of a row of each class, in the order of `classes_`; ones where they were not taken.
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fits a copy of the estimator to rows `X` (n, d) and labels `y` (n,); returns itself."""
        labels, code, count = np.unique(np.asarray(y), return_inverse=True, return_counts=True)
        name = weight_parameter(self.estimator)
        self.weighted_ = name is not None
        self.weights_ = len(code) / (len(labels) * count) if self.weighted_ else np.ones(len(labels))
        given = {name: self.weights_[code]} if name is not None else {}
        self.estimator_ = clone(self.estimator).fit(X, y, **given)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities (n, k) in the order of `classes_`, at the training rows' own shares of the classes."""
        corrected = super().predict_proba(X) / self.weights_
        made: NDArray[np.float64] = corrected / corrected.sum(axis=1, keepdims=True)
        return made


class Calibrated(_Around):
    """Probabilities at another temperature; the likeliest class stays the same."""

    def __init__(self, estimator: BaseEstimator, temperature: float = 1.0) -> None:
        super().__init__(estimator)
        self.temperature = temperature

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities (n, k) in the order of `classes_`."""
        return tempered(super().predict_proba(X), self.temperature)


class LeastCost(_Around):
    """Says the class of least expected cost; probabilities are those of the estimator.

    Args:
        estimator: a classifier with `predict_proba`.
        costs: what a said label costs, by true label and said label; a mistake that is not named costs 1.
    """

    def __init__(self, estimator: BaseEstimator, costs: Mapping[str, Mapping[str, float]] | None = None) -> None:
        super().__init__(estimator)
        self.costs = costs

    def decide(self, probabilities: NDArray[np.float64]) -> NDArray[Any]:
        """The label of least expected cost for each row, (n,), by its probabilities (n, k)."""
        matrix = cost_matrix([str(label) for label in self.classes_], self.costs or {})
        labels: NDArray[Any] = self.classes_[said_classes(probabilities, matrix)]
        return labels


def weight_parameter(estimator: Any) -> str | None:
    """Name under which `fit` of a classifier takes a weight for each row, through pipelines; None if it takes none.

    scikit-learn's calibration takes weights, but hands them on only to an estimator that does.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.pipeline import Pipeline

    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        inner = weight_parameter(last)
        return f"{name}__{inner}" if inner is not None else None
    if isinstance(estimator, CalibratedClassifierCV) and not has_fit_parameter(estimator.estimator, "sample_weight"):
        return None
    return "sample_weight" if has_fit_parameter(estimator, "sample_weight") else None


def weighed(estimator: BaseEstimator, decision: Decision) -> BaseEstimator:
    """A family's estimator as it is fitted under the contract's class weights."""
    return Balanced(estimator) if decision.class_weight == "balanced" else estimator


def decided(pipeline: Pipeline, decision: Decision, *, temperature: float = 1.0) -> Pipeline:
    """A fitted pipeline that answers by the contract's costs, from probabilities at a temperature.

    It shares what was fitted with `pipeline`, which stays as it is; where there is nothing to add it is `pipeline`.
    """
    from sklearn.pipeline import Pipeline

    name, plain = pipeline.steps[-1]
    made = plain
    if temperature != 1.0:
        made = Calibrated(made, temperature).around(made)
    if decision.costs:
        made = LeastCost(made, {true: dict(said) for true, said in decision.costs.items()}).around(made)
    return pipeline if made is plain else Pipeline([*pipeline.steps[:-1], (name, made)])


def answers(pipeline: Any, probabilities: NDArray[np.float64]) -> NDArray[Any]:
    """What `pipeline.predict` says of rows whose probabilities (n, k) it gave, (n,), without computing them again."""
    last = pipeline.steps[-1][1] if hasattr(pipeline, "steps") else pipeline
    if isinstance(last, _Around):
        return last.decide(probabilities)
    labels: NDArray[Any] = np.asarray(pipeline.classes_)[said_classes(probabilities)]
    return labels


def costs_of(pipeline: Any) -> Mapping[str, Mapping[str, float]]:
    """Costs by which a fitted pipeline says a class; empty where it says the likeliest."""
    last = pipeline.steps[-1][1] if hasattr(pipeline, "steps") else pipeline
    return (last.costs or {}) if isinstance(last, LeastCost) else {}


def class_weight_of(pipeline: Any) -> str:
    """How the rows of a fitted pipeline were weighed: `none`, `balanced`, or `refused` by its estimator.

    `partly`, where it is made of several estimators (a mapping `estimators`) and some refused.
    """
    found = _weightings(pipeline.steps[-1][1])
    return found.pop() if len(found) == 1 else WEIGHTS_PARTLY


def _weightings(estimator: Any) -> set[str]:
    if isinstance(estimator, Balanced):
        return {"balanced" if estimator.weighted_ else WEIGHTS_REFUSED}
    if isinstance(estimator, _Around):
        return _weightings(estimator.estimator_)
    members = getattr(estimator, "estimators", None)
    if isinstance(members, Mapping) and members:
        return {found for member in members.values() for found in _weightings(member)}
    return {"none"}


def check_labels(spec: DatasetSpec, found: Iterable[str]) -> None:
    """Refuses a contract whose costs name, or whose order lacks, a label of the table.

    Raises:
        ContractError: it does; names the key and the labels.
    """
    known = set(found) | set(spec.labels)
    for path, label in spec.decision_labels():
        if label not in known:
            raise ContractError(f"{spec.name}.yaml: {'.'.join(path)}: {UnknownNameError('label', label, known)}")
    if spec.ordinal and spec.labels and (strays := sorted(known - set(spec.labels))):
        raise ContractError(
            f"{spec.name}.yaml: ordinal: label '{strays[0]}' is not in `allowed` of column '{spec.target}', so it has "
            "no place in the order: add it there"
        )
