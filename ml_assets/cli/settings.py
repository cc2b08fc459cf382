"""What commands that train are told: seconds, trials, seed, cores. How a run keeps them is in `resources.settings`."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

from ml_assets.errors import SettingError
from ml_assets.processes import CORES_VARIABLE, cores

if TYPE_CHECKING:
    from ml_assets.resources.settings import Settings

LARGEST_SEED = 2**31
"""What scikit-learn and Optuna take, with room for the numbers that are added to it."""


def given_settings(budget: float | None, trials: int | None, seed: int) -> dict[str, Any]:
    """What was given, by the name that a run knows it by.

    Raises:
        SettingError: a number makes no sense.
    """
    if budget is not None and not 0 < budget < math.inf:
        raise SettingError(f"a budget of {budget:g} seconds makes no sense; give more than 0")
    if trials is not None and trials < 1:
        raise SettingError(f"{trials} trials leave nothing to choose from; give 1 or more")
    if not 0 <= seed < LARGEST_SEED:
        raise SettingError(f"a seed of {seed} makes no sense; give a whole number from 0 to {LARGEST_SEED - 1}")
    given = {"budget_seconds": budget, "trials": trials, "seed": seed}
    return {name: value for name, value in given.items() if value is not None}


def settings_of(budget: float | None, trials: int | None, seed: int) -> Settings:
    """The settings that a run told the same would have.

    Raises:
        SettingError: a number makes no sense.
    """
    from ml_assets.resources.settings import Settings, default_settings

    given = given_settings(budget, trials, seed)
    return Settings(**{"budget_seconds": default_settings().budget_seconds, **given})


def use_cores(jobs: int | None) -> None:
    """Lets this process and those it starts use so many cores; all of them without a number."""
    if jobs is not None:
        if jobs < 1:
            raise SettingError(f"{jobs} cores cannot do any work; give 1 or more")
        os.environ[CORES_VARIABLE] = str(jobs)
    cores()
