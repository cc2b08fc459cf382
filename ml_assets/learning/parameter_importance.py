"""Which of a family's parameters made the difference between its trials. Drawing that belongs in `search_plots`."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import optuna

FEWEST_TRIALS: Final = 10
"""Completed trials below which nothing is said of parameters."""


def parameter_importances(trials: Sequence[tuple[Mapping[str, Any], float]]) -> dict[str, float]:
    """Share of each parameter in what tells the better half of the trials from all, adding up to 1; largest first.

    PED-ANOVA (Watanabe, Bansal & Hutter 2023, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in
    Arbitrary Subspaces"), as Optuna has it. Parameters that never varied are left out. Empty with fewer than
    `FEWEST_TRIALS` trials, or where no parameter makes a difference.

    Args:
        trials: parameters and score, lower is better, of trials that went through all folds.
    """
    import optuna

    finite = [(params, score) for params, score in trials if math.isfinite(score)]
    spaces = _spaces([params for params, _ in finite])
    if len(finite) < FEWEST_TRIALS or not spaces or len({score for _, score in finite}) < 2:
        return {}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    for params, score in finite:
        drawn = {name: params[name] for name in spaces}
        study.add_trial(optuna.trial.create_trial(value=score, params=drawn, distributions=dict(spaces)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=0.5, region_quantile=1.0)
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    known = {name: share for name, share in found.items() if math.isfinite(share)}
    return dict(sorted(known.items(), key=lambda item: -item[1])) if sum(known.values()) > 0 else {}


def _spaces(drawn: Sequence[Mapping[str, Any]]) -> dict[str, optuna.distributions.BaseDistribution]:
    """What was tried of each parameter that all trials have and that varied: numbers over their span, others as a list.

    A span of more than a factor of ten is taken as logarithmic, as search spaces have it.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    spaces: dict[str, optuna.distributions.BaseDistribution] = {}
    shared = set.intersection(*(set(params) for params in drawn)) if drawn else set()
    for name in sorted(shared):
        values = [params[name] for params in drawn]
        if len(set(map(repr, values))) < 2:
            continue
        if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            low, high = float(min(values)), float(max(values))
            spaces[name] = FloatDistribution(low, high, log=low > 0 and high > 10 * low)
        elif all(value is None or isinstance(value, bool | int | float | str) for value in values):
            spaces[name] = CategoricalDistribution(list(dict.fromkeys(values)))
    return spaces
