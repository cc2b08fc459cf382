from typing import Any

import numpy as np

from ml_assets.evaluation.plots import parameters_plot
from ml_assets.learning.parameter_importance import FEWEST_TRIALS, parameter_importances


def _trials(count: int) -> list[tuple[dict[str, Any], float]]:
    """Trials whose score depends on `rate`, hardly on `depth`, and on nothing else."""
    rng = np.random.default_rng(0)
    made = []
    for _ in range(count):
        params = {
            "rate": float(10 ** rng.uniform(-3, 0)),
            "depth": int(rng.integers(2, 10)),
            "kind": ["gini", "entropy", None][rng.integers(3)],
            "fixed": 1,
        }
        made.append((params, (np.log10(params["rate"]) + 1.5) ** 2 + 0.01 * params["depth"]))
    return made


def test_the_parameter_that_makes_the_difference_comes_first() -> None:
    shares = parameter_importances(_trials(60))
    assert next(iter(shares)) == "rate"
    assert shares["rate"] > 0.8
    assert sum(shares.values()) == 1.0 or abs(sum(shares.values()) - 1) < 1e-9
    assert "fixed" not in shares


def test_nothing_is_said_of_few_trials_equal_scores_or_none() -> None:
    assert parameter_importances(_trials(FEWEST_TRIALS - 1)) == {}
    assert parameter_importances([(params, 1.0) for params, _ in _trials(30)]) == {}
    assert parameter_importances([(params, float("nan")) for params, _ in _trials(30)]) == {}
    assert parameter_importances([]) == {}


def test_parameters_are_drawn_where_the_trials_can_tell() -> None:
    records = [
        {"family": "svm", "params": params, "score": score, "state": "COMPLETE"} for params, score in _trials(30)
    ]
    assert parameters_plot(records, family="svm")["parameters"].startswith(b"\x89PNG")
    assert parameters_plot(records, family="knn") == {}
