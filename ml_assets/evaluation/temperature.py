"""One number that makes probabilities less sure, or surer, where that fits the truth better: temperature scaling.

The estimator that applies it is in `learning`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from ml_assets.datasets.spec import Task
from ml_assets.evaluation.documents import as_float
from ml_assets.evaluation.metrics import SMALLEST_PROBABILITY, FloatArray, Labels, class_positions, fold_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLDEST, HOTTEST = 0.1, 10.0
"""Temperatures that are looked at; a fit at either end is hardly a matter of calibration any more."""

NOISE = 2.0
"""Standard errors that the gain has to be above."""


@dataclass(frozen=True)
class Temperature:
    """A temperature, and what it gained on folds that had no part in it.

    Attributes:
        value: fitted on all out-of-fold rows; above 1 makes probabilities less sure.
        gain: by how much the log loss falls, the mean over folds, each with the temperature of the others.
        error: standard error of the gain over the folds. Folds share training rows, so it is somewhat too small.
        kept: whether the gain is above two of its standard errors; if not, the temperature is not to be used.
        by_fold: for each fold, the temperature fitted on the others.
    """

    value: float
    gain: float
    error: float
    kept: bool
    by_fold: Mapping[int, float]

    @property
    def used(self) -> float:
        """The temperature that the model uses: 1 where it is not kept."""
        return self.value if self.kept else 1.0

    def out_of_fold(self, oof: FloatArray, fold: npt.NDArray[Any]) -> FloatArray:
        """Out-of-fold probabilities (n, k) as the model that uses this would have given them.

        Each fold's rows are brought to the temperature of the other folds; as they are where it is not kept.
        """
        if not self.kept:
            return oof
        made = oof.copy()
        for number, value in self.by_fold.items():
            made[fold == number] = tempered(oof[fold == number], value)
        return made

    @classmethod
    def of(cls, document: Mapping[str, Any] | None) -> Self | None:
        """A temperature from what JSON has of it; None for none."""
        if document is None:
            return None
        by_fold = {int(fold): float(value) for fold, value in document["by_fold"].items()}
        return cls(**{**document, "error": as_float(document["error"]), "by_fold": by_fold})


def fit_temperature(oof: FloatArray, target: Labels, fold: npt.NDArray[Any], classes: Sequence[str]) -> Temperature:
    """The temperature of least log loss on out-of-fold probabilities, with its cross-fitted gain.

    Probabilities become softmax(log p / T) (Guo et al. 2017, "On Calibration of Modern Neural Networks"). Which class
    is likeliest does not change. The log loss is convex in 1/T, so there is one best temperature.

    Args:
        oof: out-of-fold probabilities (n, k) in the order of `classes`.
        target: labels (n,).
        fold: number of the fold each row was held out in, (n,).
        classes: labels.

    Raises:
        TrainingError: a label is not among `classes`.
    """
    numbers = np.unique(fold)
    positions = class_positions(target, classes)
    logits = log_probabilities(oof)
    by_fold = {int(k): _best(logits[fold != k], positions[fold != k]) for k in numbers}
    made = Temperature(_best(logits, positions), 0.0, 0.0, True, by_fold)
    before = fold_scores(Task.CLASSIFICATION, target, oof, fold, classes)
    gains = before - fold_scores(Task.CLASSIFICATION, target, made.out_of_fold(oof, fold), fold, classes)
    gain = float(gains.mean())
    error = float(gains.std(ddof=1) / np.sqrt(len(gains))) if len(gains) > 1 else float("inf")
    return Temperature(made.value, gain, error, bool(gain > NOISE * error), by_fold)


def tempered(probabilities: FloatArray, temperature: float) -> FloatArray:
    """Probabilities (n, k) at another temperature; those below 2.2e-16 count as that, as in the log loss."""
    return softmax(log_probabilities(probabilities) / temperature)


def _best(logits: FloatArray, positions: NDArray[np.intp]) -> float:
    from scipy.optimize import minimize_scalar

    if len(positions) == 0:
        return 1.0
    rows = np.arange(len(positions))

    def loss(inverse: float) -> float:
        scaled = logits * inverse
        highest = scaled.max(axis=1)
        return float((highest + np.log(np.exp(scaled - highest[:, None]).sum(axis=1)) - scaled[rows, positions]).mean())

    found = minimize_scalar(loss, bounds=(1 / HOTTEST, 1 / COLDEST), method="bounded", options={"xatol": 1e-4})
    return float(1 / found.x)


def log_probabilities(probabilities: FloatArray) -> FloatArray:
    """Logarithms of probabilities of any shape; those below 2.2e-16 count as that, as in the log loss."""
    logits: FloatArray = np.log(np.clip(np.asarray(probabilities, dtype=np.float64), SMALLEST_PROBABILITY, None))
    return logits


def softmax(logits: FloatArray) -> FloatArray:
    """Probabilities (n, k) in proportion to the exponentials of `logits`."""
    grown = np.exp(logits - logits.max(axis=1, keepdims=True))
    made: FloatArray = grown / grown.sum(axis=1, keepdims=True)
    return made
