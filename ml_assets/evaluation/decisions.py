"""Which class is said, given its probabilities and what mistakes cost. The estimator that says it is in `learning`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from ml_assets.evaluation.metrics import FloatArray

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

Costs = tuple[tuple[float, ...], ...]
"""What each said class (across) costs for each true class (down); empty where every mistake costs the same."""

TIE = 1e-12
"""Expected costs closer than this share of the largest cost are the same; the likelier class is then said."""


def cost_matrix(classes: Sequence[str], costs: Mapping[str, Mapping[str, float]]) -> Costs:
    """Costs in the order of `classes`, 1 for a mistake that `costs` does not name; empty where `costs` is.

    Labels that are not among `classes` are passed over.
    """
    if not costs:
        return ()
    return tuple(
        tuple(0.0 if said == true else float(costs.get(true, {}).get(said, 1.0)) for said in classes)
        for true in classes
    )


def said_classes(probabilities: FloatArray, costs: Costs = ()) -> NDArray[np.intp]:
    """Position of the class that is said of each row, (n,), by probabilities (n, k).

    It is the class of least expected cost, or without costs the likeliest. Saying class j costs Σᵢ p(i) c(i, j) on
    average (Elkan 2001, "The foundations of cost-sensitive learning", eq. 1). Of classes that cost the same the
    likeliest is said.
    """
    if not costs:
        return np.asarray(probabilities.argmax(axis=1))
    matrix = np.array(costs)
    expected = probabilities @ matrix
    least = expected.min(axis=1, keepdims=True) + TIE * matrix.max()
    return np.asarray(np.where(expected <= least, probabilities, -1.0).argmax(axis=1))


def rule_of(costs: Mapping[str, Mapping[str, float]]) -> str:
    """Costs as a text that is the same for the same costs, whatever their order; empty for none."""
    return json.dumps({true: dict(said) for true, said in costs.items()}, sort_keys=True) if costs else ""


def mean_cost(positions: NDArray[np.intp], said: NDArray[np.intp], costs: Costs) -> float:
    """Mean cost of a row whose true class is at `positions` and of which the class at `said` is said, both (n,)."""
    return float(np.array(costs)[positions, said].mean())
