"""What a run may be told: budget, seed, significance. Where things are kept belongs in `home`."""

from __future__ import annotations

import math
import os

import dagster as dg
from pydantic import Field

from ml_assets.errors import SettingError

DEFAULT_BUDGET_SECONDS = 60.0
BUDGET_VARIABLE = "ML_ASSETS_BUDGET"


class Settings(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Settings of a run, the same for all of its steps."""

    budget_seconds: float | None = Field(
        default=None,
        description="wall time of one dataset, from its first row to a champion that can predict; by default "
        f"{DEFAULT_BUDGET_SECONDS:g}, or without limit where `trials` is given",
    )
    budget_share: float = Field(
        default=1.0, description="part of the budget that this run has, where families need several runs"
    )
    trials: int | None = Field(
        default=None, description="end a search after this many settings a family; alone it makes runs repeatable"
    )
    seed: int = Field(default=0, description="seed of splits, searches and models")
    significance: float = Field(default=0.05, description="level of the tests behind leaderboard and promotion")
    minimum_live_rows: int = Field(default=200, description="rows a server must have logged before drift is judged")

    @property
    def seconds(self) -> float:
        """The budget in seconds; infinite where only trials limit the search."""
        if self.budget_seconds is not None:
            return self.budget_seconds
        return DEFAULT_BUDGET_SECONDS if self.trials is None else math.inf


def default_settings() -> Settings:
    """Settings of a run that is told nothing: `ML_ASSETS_BUDGET`, if set, gives the seconds of a search.

    Raises:
        SettingError: the variable is no number above 0.
    """
    named = os.environ.get(BUDGET_VARIABLE)
    if named is None:
        return Settings()
    try:
        seconds = float(named)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise SettingError(f"{BUDGET_VARIABLE} is '{named}'; give a number of seconds above 0")
    return Settings(budget_seconds=seconds)
