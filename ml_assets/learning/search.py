"""Hyperparameter search over families under one time budget; a single fit belongs in `worker`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ml_assets.errors import SettingError, TrainingError
from ml_assets.evaluation.metrics import fold_scores
from ml_assets.families import load_family
from ml_assets.learning.journal import SearchJournal
from ml_assets.learning.pool import worker_pool
from ml_assets.learning.search_result import SearchResult, Trial
from ml_assets.learning.worker import FoldFit, TrainingRows, fit_fold

if TYPE_CHECKING:
    import optuna
    from numpy.typing import NDArray

BEHIND_SHARE = 0.3
"""Share of fit time a family gets, against 1 for the others, while it is clearly behind the leader."""

FIRST_FIT_SECONDS = 120.0
"""A family's first setting may overrun the budget, so that each has a score; past this it is killed."""


@dataclass(frozen=True)
class Budget:
    """When a search ends: after `seconds` of wall time, or once every family had `trials` settings, if given."""

    seconds: float
    trials: int | None = None

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise SettingError(f"a budget of {self.seconds:g} seconds leaves no time to train; give more than 0")
        if self.trials is not None and self.trials < 1:
            raise SettingError(f"{self.trials} trials leave nothing to choose from; give 1 or more")


@dataclass(frozen=True)
class Progress:
    """What a search is doing: shown to people, decides nothing."""

    seconds: float
    budget: float
    family: str
    trials: int
    best: Mapping[str, float]


@dataclass
class _RunningTrial:
    """One setting on its way through the folds."""

    handle: optuna.trial.Trial
    params: dict[str, Any]
    waiting: list[int]
    fits: dict[int, FoldFit] = field(default_factory=dict)
    scores: dict[int, float] = field(default_factory=dict)
    stopped: bool = False


class _FamilySearch:
    """The study of one family: gives out fold fits, takes their results, prunes, remembers the best."""

    def __init__(self, family: str, rows: TrainingRows, journal: SearchJournal) -> None:
        self.family = family
        self.rows = rows
        self.folds = sorted(set(rows.fold.tolist()))
        self.journal = journal
        self.study = journal.study(family, seed=rows.seed, first=load_family(family).defaults(rows.shape))
        self.spent = journal.spent(self.study)
        self.best = journal.best(self.study)
        self.running: list[_RunningTrial] = []
        self.failure: str | None = None

    @property
    def trials(self) -> int:
        """Settings that ended, whichever way."""
        return sum(t.state.is_finished() for t in self.study.get_trials(deepcopy=False))

    @property
    def score(self) -> float:
        """Best mean score so far; infinite before the first."""
        return float(np.mean(self.best.scores)) if self.best else np.inf

    def next_task(self) -> tuple[_RunningTrial, int]:
        """The fold that should be fitted next: of a setting under way, else of a new one."""
        for trial in self.running:
            if trial.waiting and not trial.stopped:
                return trial, trial.waiting.pop(0)
        handle = self.study.ask()
        params = load_family(self.family).suggest(handle, self.rows.shape)
        trial = _RunningTrial(handle, params, list(self.folds))
        self.running.append(trial)
        return trial, trial.waiting.pop(0)

    def take(self, trial: _RunningTrial, fold: int, fit: FoldFit, *, elapsed: float) -> None:
        """Books a finished fold; ends the trial when it was the last, or when the rest is not worth its time."""
        rows = self.rows
        inside = rows.fold == fold
        scores = fold_scores(rows.spec.task, rows.target[inside], fit.prediction, rows.fold[inside], rows.classes)
        self.spent += fit.seconds
        trial.fits[fold], trial.scores[fold] = fit, float(scores[0])
        trial.handle.report(float(np.mean(list(trial.scores.values()))), step=len(trial.scores))
        if len(trial.scores) == len(self.folds):
            self._finish(trial, elapsed)
        elif self.best is not None and not trial.stopped and trial.handle.should_prune():
            self.drop(trial, elapsed=elapsed, state="PRUNED")

    def drop(self, trial: _RunningTrial, *, elapsed: float, state: str, reason: str = "") -> None:
        """Ends a trial without a score."""
        if not trial.stopped:
            trial.stopped = True
            self.running.remove(trial)
            self.journal.close(self.study, trial.handle, trial.params, trial.fits, elapsed, state=state, reason=reason)
            if self.best is None and reason:
                self.failure = reason

    def _finish(self, trial: _RunningTrial, elapsed: float) -> None:
        if trial.stopped:
            return
        trial.stopped = True
        self.running.remove(trial)
        scores = np.array([trial.scores[f] for f in self.folds])
        best = self.best if float(scores.mean()) >= self.score else None
        if best is None:
            oof = join_folds(self.rows.fold, {f: fit.prediction for f, fit in trial.fits.items()})
            self.best = self.journal.keep_best(self.family, trial.handle.number, trial.params, scores, oof)
        self.journal.close(
            self.study,
            trial.handle,
            trial.params,
            trial.fits,
            elapsed,
            state="COMPLETE",
            score=float(scores.mean()),
        )

    def result(self) -> SearchResult:
        """What the family's search found.

        Raises:
            TrainingError: not one setting got through all folds.
        """
        if self.best is None:
            raise TrainingError(
                f"family '{self.family}' gave no model: {self.failure or 'its first setting did not end in time'}; "
                "leave it out with --families, or raise --budget"
            )
        return SearchResult(
            family=self.family,
            params=self.best.params,
            fold_scores=tuple(float(s) for s in self.best.scores),
            trials=tuple(self.journal.trials(self.study)),
            seconds=self.spent,
            classes=self.rows.classes,
            row_ids=tuple(self.rows.table.index),
            oof=self.best.oof,
        )


def join_folds(fold: NDArray[np.int64], parts: Mapping[int, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Out-of-fold predictions in row order, from those of each fold."""
    shape = (len(fold), *next(iter(parts.values())).shape[1:])
    joined = np.full(shape, np.nan)
    for number, prediction in parts.items():
        joined[fold == number] = prediction
    return joined


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

    Fit time is shared evenly until every family has a score, then families clearly behind the leader get less. A
    search that was killed goes on from its journal in `folder` with what is left of its budget; one that ended
    starts anew.

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
        TrainingError: a family had no setting that got through all folds.
        SettingError: the budget leaves no time.
    """
    journal = SearchJournal.open(folder)
    searches = [_FamilySearch(name, rows, journal) for name in families]
    with worker_pool(rows, workers=workers) as pool:
        race = _Race(searches, budget, workers, before=max((journal.elapsed(s.study) for s in searches), default=0.0))
        race.run(pool, report)
    results = {s.family: s.result() for s in searches}
    journal.finish()
    return results


class _Race:
    """Keeps the workers busy with the family that is due, until the budget ends."""

    def __init__(self, searches: Sequence[_FamilySearch], budget: Budget, workers: int, *, before: float) -> None:
        self.searches = searches
        self.budget = budget
        self.workers = workers
        self.started = time.monotonic() - before
        self.tasks: dict[futures.Future[FoldFit], tuple[_FamilySearch, _RunningTrial, int]] = {}

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def run(self, pool: Any, report: Callable[[Progress], None]) -> None:
        while True:
            while len(self.tasks) < self.workers and (due := self._due()) is not None:
                trial, fold = due.next_task()
                left = FIRST_FIT_SECONDS if due.best is None else max(self.budget.seconds - self.elapsed, 0.01)
                task = pool.schedule(fit_fold, args=(due.family, trial.params, fold), timeout=left)
                self.tasks[task] = (due, trial, fold)
            if not self.tasks:
                return
            done, _ = futures.wait(self.tasks, return_when=futures.FIRST_COMPLETED)
            for task in done:
                owner = self._collect(task)
                best = {s.family: s.score for s in self.searches if s.best}
                trials = sum(s.trials for s in self.searches)
                report(Progress(self.elapsed, self.budget.seconds, owner.family, trials, best))

    def _collect(self, task: futures.Future[FoldFit]) -> _FamilySearch:
        owner, trial, fold = self.tasks.pop(task)
        error = task.exception()
        if error is None:
            if not trial.stopped:
                owner.take(trial, fold, task.result(), elapsed=self.elapsed)
        elif isinstance(error, futures.TimeoutError):
            owner.drop(trial, elapsed=self.elapsed, state="PRUNED", reason="out of time")
        else:
            owner.drop(trial, elapsed=self.elapsed, state="FAIL", reason=f"{type(error).__name__}: {error}")
        return owner

    def _due(self) -> _FamilySearch | None:
        """The family with the least weighted fit time that still has something to do."""
        leader = min(self.searches, key=lambda s: s.score)
        open_ones = [s for s in self.searches if self._may_go_on(s)]
        return min(open_ones, key=lambda s: (s.spent + self._running_seconds(s)) / _weight(s, leader), default=None)

    def _may_go_on(self, search: _FamilySearch) -> bool:
        if search.best is None:
            return search.failure is None and self._first_is_waiting(search)
        if self.elapsed >= self.budget.seconds:
            return False
        if self.budget.trials is None:
            return True
        waiting = any(t.waiting for t in search.running)
        return waiting or search.trials + len(search.running) < self.budget.trials

    def _first_is_waiting(self, search: _FamilySearch) -> bool:
        return not search.running or bool(search.running[0].waiting)

    def _running_seconds(self, search: _FamilySearch) -> float:
        """Expected cost of the folds under way, so that two workers do not both pick the same family."""
        under_way = sum(1 for owner, _, _ in self.tasks.values() if owner is search)
        fits = sum(len(t.fits) for t in search.running) + len(search.folds) * search.trials
        return under_way * (search.spent / fits if fits else 1.0)


def _weight(search: _FamilySearch, leader: _FamilySearch) -> float:
    if search.best is None or leader.best is None or search is leader:
        return 1.0
    difference = search.best.scores - leader.best.scores
    noise = float(difference.std(ddof=1)) / np.sqrt(len(difference))
    return BEHIND_SHARE if float(difference.mean()) > 2 * noise else 1.0


__all__ = ["Budget", "Progress", "SearchResult", "Trial", "join_folds", "search"]
