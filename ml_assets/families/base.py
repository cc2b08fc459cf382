"""What a model family is: estimator, starting point, search space. Finding families is the registry's part."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ml_assets.datasets.spec import Task

if TYPE_CHECKING:
    from optuna.trial import Trial
    from sklearn.base import BaseEstimator

Params = Mapping[str, Any]


@dataclass(frozen=True)
class ProblemShape:
    """What a family may know before it sees the data: the task and sizes of the training table."""

    task: Task
    rows: int
    columns: int
    classes: int = 0

    @property
    def is_classification(self) -> bool:
        """Whether the target is a class label."""
        return self.task is Task.CLASSIFICATION


class Family(ABC):
    """One kind of model; a subclass in a module of its own, offered there as `FAMILY`, is all it takes to add one."""

    title: str
    """Name a person reads."""

    version: str = "1"
    """Raise it when the same parameters would give another model; Dagster then knows its results are stale."""

    first_seconds: float = 0.5
    """What fitting the defaults to a thousand rows takes, roughly; until more is known the cheapest goes first."""

    growth: float = 1.0
    """Power of the rows by which the time of a fit grows from a thousand rows on; the race reckons with it."""

    size_growth: float = 0.0
    """The same for the size of a fitted model; 1 where it holds its rows, or trees with leaves of few of them."""

    def most_rows(self, shape: ProblemShape) -> int | None:
        """Rows a fit learns from at most, None for all; with more, others come first and it has little time."""
        return None

    @abstractmethod
    def defaults(self, shape: ProblemShape) -> dict[str, Any]:
        """Parameters worth trying first on a table of this shape; a point of the space that `suggest` draws from."""

    def portfolio(self, shape: ProblemShape) -> tuple[Params, ...]:
        """Settings worth trying before any search, the defaults first; points that `suggest` can draw."""
        return (self.defaults(shape),)

    @abstractmethod
    def suggest(self, trial: Trial, shape: ProblemShape) -> dict[str, Any]:
        """Parameters the search tries next, drawn through `trial`."""

    @abstractmethod
    def estimator(self, params: Params, shape: ProblemShape, *, seed: int) -> BaseEstimator:
        """Unfitted scikit-learn estimator for an all-number table that may have gaps; it runs on one thread.

        A classifier gives `predict_proba` and takes its labels as they are.
        """
