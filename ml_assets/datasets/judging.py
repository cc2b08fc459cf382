"""What a contract may say of how models are compared and promoted, and of intervals. The rest is in `spec`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Part = Annotated[float, Field(gt=0, lt=1)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Comparison(_Model):
    """How the winner among the families is chosen."""

    equivalence_margin: Part = Field(
        0.01,
        description="difference from the leader, as a share of its score, below which models are practically the same",
    )
    choose: Literal["best", "cheapest"] = Field(
        "best",
        description="the best score wins, or the cheapest model (time to predict, then size) of those that cannot be "
        "told from the best or are practically equivalent to it",
    )


class PromotionLimits(_Model):
    """What a model has to keep on rows that it never saw; one that was not measured is not kept."""

    largest_ece: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="expected calibration error of a classifier"
    )
    smallest_coverage: Part | None = Field(
        None, description="share of test rows whose truth is in the 90 % interval, or set"
    )
    largest_fairness_gap: Annotated[float, Field(gt=0)] | None = Field(
        None,
        description="between groups of a sensitive column: difference of accuracy, or of RMSE as a share of it overall",
    )
    largest_selection_gap: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="between groups of a sensitive column: difference of how often a class is said, largest class"
    )


class Promotion(_Model):
    """When a challenger replaces the champion."""

    significance: Annotated[float, Field(gt=0, le=0.5)] | None = Field(
        None, description="chance that a challenger which is no better is promoted; that of the run's settings (0.05)"
    )
    power: Annotated[float, Field(ge=0.5, lt=1)] = Field(
        0.8, description="chance that a challenger which is better by the smallest difference is promoted"
    )
    smallest_difference: Part | None = Field(
        None, description="improvement that matters, as a share of the champion's score; rows too few for it refuse"
    )
    smallest_absolute_difference: Annotated[float, Field(gt=0)] | None = Field(
        None, description="the same in units of the score, in place of `smallest_difference`"
    )
    non_inferiority_margin: Part = Field(
        0.05, description="how much worse a slice may be, as a share of the champion's score on it"
    )
    slices: tuple[str, ...] = Field(
        (), description="columns whose slices are looked at beside the sensitive ones; none: labels, group, target"
    )
    unclear_slices: Literal["report", "refuse_tiny", "refuse"] = Field(
        "refuse_tiny",
        description="a slice with too few rows to be judged is only told; refuses if it is a tiny one of a named or "
        "sensitive column; or refuses always",
    )
    looks: Literal["warn", "correct"] = Field(
        "warn", description="whether the significance is shared by the challengers judged on the same test rows"
    )
    limits: PromotionLimits = PromotionLimits()

    @model_validator(mode="after")
    def _one_difference(self) -> Promotion:
        if self.smallest_difference is not None and self.smallest_absolute_difference is not None:
            raise ValueError("give `smallest_difference` or `smallest_absolute_difference`, not both")
        return self


class IntervalRules(_Model):
    """How the intervals and sets are made that come with predictions."""

    coverage: Annotated[float, Field(ge=0.5, lt=1)] = Field(
        0.9, description="share of intervals or sets that shall hold the truth, where no other is asked for"
    )
    method: Literal["auto", "plain", "adaptive"] = Field(
        "auto", description="of a regression: one width for all rows, wider for difficult ones, or what serves better"
    )
    groups: str | None = Field(None, description="feature whose every value shall have the coverage for itself")
    calibration: Literal["cross", "split"] = Field(
        "cross", description="errors of out-of-fold predictions, or of rows that are kept for that and train nothing"
    )
    calibration_share: Annotated[float, Field(gt=0, lt=0.5)] = Field(
        0.1, description="share of all rows that is kept with `calibration: split`"
    )
