"""What a run may be told: budget, seed, significance. Where things are kept belongs in `home`."""

from __future__ import annotations

import dagster as dg
from pydantic import Field

DEFAULT_BUDGET_SECONDS = 30.0


class Settings(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Settings of a run, the same for all of its steps."""

    budget_seconds: float = Field(
        DEFAULT_BUDGET_SECONDS, description="wall time for the search of one dataset, all families together"
    )
    trials: int | None = Field(
        None, description="end a search after this many settings a family, if the budget lasts that long"
    )
    seed: int = Field(0, description="seed of splits, searches and models")
    significance: float = Field(0.05, description="level of the tests behind leaderboard and promotion")
    minimum_live_rows: int = Field(200, description="rows a server must have logged before drift is judged")
