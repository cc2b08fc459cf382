"""Hyperparameter search: which family is due and when to stop. The search within a family is `family_search`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ml_assets.errors import SettingError
from ml_assets.learning.family_search import FamilySearch, RunningTrial
from ml_assets.learning.journal import SearchJournal
from ml_assets.learning.pool import worker_pool
from ml_assets.learning.search_result import SearchResult
from ml_assets.learning.worker import FoldFit, TrainingRows, fit_fold

BEHIND_SHARE = 0.3
"""Share of fit time a family gets, against 1 for the others, while it is clearly behind the leader."""

FIRST_FIT_SECONDS = 120.0
"""A family's first setting may overrun the budget, so that each has a score; a fit past this is killed."""


@dataclass(frozen=True)
class Budget:
    """When a search ends: after `seconds` of wall time, or once every family had `trials` settings, if given."""

    seconds: float
    trials: int | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.seconds) and self.seconds > 0):
            raise SettingError(f"a budget of {self.seconds:g} seconds makes no sense; give a number above 0")
        if self.trials is not None and self.trials < 1:
            raise SettingError(f"{self.trials} trials leave nothing to choose from; give 1 or more")


@dataclass(frozen=True)
class Progress:
    """What a search is doing: shown to people, decides nothing. The last one says that it `ended`."""

    seconds: float
    budget: float
    trials: int
    best: Mapping[str, float]
    ended: bool


def search(
    rows: TrainingRows,
    families: Sequence[str],
    *,
    budget: Budget,
    workers: int,
    folder: Path,
    report: Callable[[Progress], None] = lambda _: None,
) -> dict[str, SearchResult]:
    """Best setting of each family by cross-validation on `rows`, all families under one budget.

    Every family's defaults come first. From then on fit time is shared evenly, but families clearly behind the
    leader get less. A search that was killed goes on from its journal in `folder` with what is left of its budget;
    one that ended starts anew. With one worker and a budget of trials that time suffices for, the same seed gives
    the same settings; with more, the order in which fits end has a say.

    Args:
        rows: training rows and their folds.
        families: names of families; at least one.
        budget: wall time for all of them together.
        workers: processes of one thread each.
        folder: where the journal of exactly this search (data, folds, code, seed) is kept.
        report: called after each fold with how things stand.

    Returns:
        A result for each family, in the order given.

    Raises:
        TrainingError: a family's first setting did not get through all folds.
        StorageError: the journal cannot be written.
    """
    started = time.monotonic()
    journal = SearchJournal.open(folder)
    with worker_pool(rows, workers=workers) as pool:
        searches = [FamilySearch(name, rows, journal) for name in families]
        before = max((trial.seconds for family in searches for trial in family.ended), default=0.0)
        _Race(searches, budget, workers, started=started - before).run(pool, report)
    results = {family.family: family.result() for family in searches}
    journal.finish()
    return results


class _Race:
    """Keeps the workers busy with the family that is due, until the budget ends."""

    def __init__(self, searches: Sequence[FamilySearch], budget: Budget, workers: int, *, started: float) -> None:
        self.searches = searches
        self.budget = budget
        self.workers = workers
        self.started = started
        self.tasks: dict[futures.Future[FoldFit], tuple[FamilySearch, RunningTrial, int]] = {}

    @property
    def left(self) -> float:
        """Seconds of the budget that are left; never negative."""
        return max(self.budget.seconds - self.elapsed, 0.0)

    @property
    def elapsed(self) -> float:
        """Seconds of the budget that are used, those of a search that this one continues included."""
        return time.monotonic() - self.started

    def run(self, pool: Any, report: Callable[[Progress], None]) -> None:
        """Searches until the budget ends and every family has a score."""
        while True:
            while len(self.tasks) < self.workers and (due := self._due()) is not None:
                self._schedule(pool, due)
            if not self.tasks:
                report(self._progress(ended=True))
                return
            scored = any(owner.best for owner, _, _ in self.tasks.values())
            done, _ = futures.wait(
                self.tasks, timeout=self.left if scored else None, return_when=futures.FIRST_COMPLETED
            )
            for task in [t for t in self.tasks if t in done]:
                owner = self._collect(task)
                if owner.failure is not None:
                    owner.result()
                report(self._progress(ended=False))
            if not self.left:
                self._cut_off()

    def _schedule(self, pool: Any, due: FamilySearch) -> None:
        trial, fold = due.next_fit()
        longest = FIRST_FIT_SECONDS if due.best is None else None
        task = pool.schedule(fit_fold, args=(due.family, trial.params, fold), timeout=longest)
        self.tasks[task] = (due, trial, fold)

    def _collect(self, task: futures.Future[FoldFit]) -> FamilySearch:
        owner, trial, fold = self.tasks.pop(task)
        error = task.exception()
        if error is None:
            owner.take(trial, fold, task.result(), elapsed=self.elapsed)
        elif isinstance(error, futures.TimeoutError):
            reason = f"a fit with its first setting took more than {FIRST_FIT_SECONDS:g} s"
            owner.drop(trial, elapsed=self.elapsed, state="FAIL", reason=reason)
        else:
            owner.drop(trial, elapsed=self.elapsed, state="FAIL", reason=f"{type(error).__name__}: {error}")
        return owner

    def _cut_off(self) -> None:
        """Gives up, at the budget's end, what runs for families that have a score."""
        for task, (owner, _, _) in list(self.tasks.items()):
            if owner.best is not None:
                task.cancel()
                del self.tasks[task]
        for owner in self.searches:
            for trial in list(owner.running) if owner.best else ():
                owner.drop(trial, elapsed=self.elapsed, state="PRUNED", reason="out of time")

    def _progress(self, *, ended: bool) -> Progress:
        best = {s.family: s.score for s in self.searches if s.best}
        trials = sum(len(s.ended) for s in self.searches)
        return Progress(self.elapsed, self.budget.seconds, trials, best, ended)

    def _due(self) -> FamilySearch | None:
        """A family without a score; else the one with the least weighted fit time that may go on."""
        for family in self.searches:
            if family.best is None and (family.has_waiting_folds or not family.running):
                return family
        leader = min(self.searches, key=lambda s: s.score)
        may_go_on = [s for s in self.searches if self._may_go_on(s)]
        return min(may_go_on, key=lambda s: self._fit_seconds(s) / _weight(s, leader), default=None)

    def _may_go_on(self, family: FamilySearch) -> bool:
        if family.best is None or not self.left:
            return False
        if family.has_waiting_folds:
            return True
        begun = len(family.ended) + len(family.running)
        return len(family.running) < self.workers and (self.budget.trials is None or begun < self.budget.trials)

    def _fit_seconds(self, family: FamilySearch) -> float:
        """Fit time of a family, fits under way included, so that two workers do not both pick the same one."""
        under_way = sum(1 for owner, _, _ in self.tasks.values() if owner is family)
        return family.spent + under_way * family.seconds_a_fit


def _weight(family: FamilySearch, leader: FamilySearch) -> float:
    if family.best is None or leader.best is None or family is leader:
        return 1.0
    difference = family.best.scores - leader.best.scores
    noise = float(difference.std(ddof=1)) / np.sqrt(len(difference))
    return BEHIND_SHARE if float(difference.mean()) > 2 * noise else 1.0
