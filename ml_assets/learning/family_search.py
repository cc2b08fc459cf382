"""The search within one family: gives out fold fits, takes their results, prunes, remembers the best.

Which family is due, and when to stop, is decided in `search`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ml_assets.errors import TrainingError
from ml_assets.evaluation.metrics import fold_scores
from ml_assets.families import load_family
from ml_assets.learning.journal import BestTrial, SearchJournal, TrialRecord
from ml_assets.learning.search_result import SearchResult, Trial
from ml_assets.learning.worker import FoldFit, TrainingRows

if TYPE_CHECKING:
    import optuna
    from numpy.typing import NDArray


@dataclass
class RunningTrial:
    """One setting on its way through the folds."""

    number: int
    handle: optuna.trial.Trial
    params: dict[str, Any]
    waiting: list[int]
    fits: dict[int, FoldFit] = field(default_factory=dict)
    scores: dict[int, float] = field(default_factory=dict)
    steps: list[float] = field(default_factory=list)
    ended: bool = False


class FamilySearch:
    """The study of one family, continued from what its journal holds.

    Attributes:
        ended: trials that ended, earlier ones of a cut-off search included.
        spent: seconds of their fits and of those under way.
        best: the best setting so far, or None.
        failure: why there can be no model; None while there can.
    """

    def __init__(self, family: str, rows: TrainingRows, journal: SearchJournal) -> None:
        self.family = family
        self.rows = rows
        self.folds: list[int] = sorted(set(rows.fold.tolist()))
        self.journal = journal
        past = journal.read(family)
        self.ended = [record.trial for record in past]
        self.spent = sum(trial.fit_seconds for trial in self.ended)
        self.fits = sum(len(record.steps) for record in past)
        self.best = journal.best(family)
        self.study = _study(past, seed=rows.seed)
        if self.best is None:
            self.study.enqueue_trial(load_family(family).defaults(rows.shape))
        self.running: list[RunningTrial] = []
        self.failure: str | None = None
        self._next_number = max((trial.number for trial in self.ended), default=-1) + 1

    @property
    def score(self) -> float:
        """Best mean score so far; infinite before the first."""
        return float(np.mean(self.best.scores)) if self.best else np.inf

    @property
    def has_waiting_folds(self) -> bool:
        """Whether a setting under way has a fold that nobody fits yet."""
        return any(trial.waiting for trial in self.running)

    @property
    def seconds_a_fit(self) -> float:
        """Mean time of a fit so far; a second before the first."""
        return self.spent / self.fits if self.fits else 1.0

    def next_fit(self) -> tuple[RunningTrial, int]:
        """Setting and fold to be fitted next: of a setting under way, else of a new one."""
        for trial in self.running:
            if trial.waiting:
                return trial, trial.waiting.pop(0)
        handle = self.study.ask()
        params = load_family(self.family).suggest(handle, self.rows.shape)
        trial = RunningTrial(self._next_number, handle, params, list(self.folds))
        self._next_number += 1
        self.running.append(trial)
        return trial, trial.waiting.pop(0)

    def take(self, trial: RunningTrial, fold: int, fit: FoldFit, *, elapsed: float) -> None:
        """Books a finished fold; ends the trial when it was the last, or when the rest is not worth its time."""
        self.spent += fit.seconds
        self.fits += 1
        if trial.ended:
            return
        rows, inside = self.rows, self.rows.fold == fold
        scores = fold_scores(rows.spec.task, rows.target[inside], fit.prediction, rows.fold[inside], rows.classes)
        if not np.isfinite(scores[0]):
            self.drop(trial, elapsed=elapsed, state="FAIL", reason=f"its predictions of fold {fold} are no numbers")
            return
        trial.fits[fold], trial.scores[fold] = fit, float(scores[0])
        trial.steps.append(float(np.mean(list(trial.scores.values()))))
        trial.handle.report(trial.steps[-1], step=len(trial.steps))
        if len(trial.scores) == len(self.folds):
            self._complete(trial, elapsed)
        elif self.best is not None and trial.handle.should_prune():
            self.drop(trial, elapsed=elapsed, state="PRUNED")

    def drop(self, trial: RunningTrial, *, elapsed: float, state: str, reason: str = "") -> None:
        """Ends a trial without a score; without any score so far, a reason means that there is no model."""
        if trial.ended:
            return
        if self.best is None and reason:
            self.failure = reason
        self._end(trial, _record(trial, state, elapsed, reason=reason))

    def _complete(self, trial: RunningTrial, elapsed: float) -> None:
        scores = np.array([trial.scores[fold] for fold in self.folds])
        record = _record(trial, "COMPLETE", elapsed, score=float(scores.mean()))
        if float(scores.mean()) < self.score:
            oof = join_folds(self.rows.fold, {fold: fit.prediction for fold, fit in trial.fits.items()})
            self.best = BestTrial(record, scores, oof)
            self.journal.keep_best(self.family, self.best)
        self._end(trial, record)

    def _end(self, trial: RunningTrial, record: TrialRecord) -> None:
        import optuna

        trial.ended = True
        self.running.remove(trial)
        self.journal.append(self.family, record)
        self.ended.append(record.trial)
        self.study.tell(trial.handle, record.trial.score, state=optuna.trial.TrialState[record.trial.state])

    def result(self) -> SearchResult:
        """What the family's search found.

        Raises:
            TrainingError: not one setting got through all folds.
        """
        if self.best is None:
            raise TrainingError(
                f"{self.rows.spec.name}: family '{self.family}' gave no model: "
                f"{self.failure or 'its first setting did not end'}; leave it out with --families, or mend it"
            )
        return SearchResult(
            family=self.family,
            params=self.best.record.trial.params,
            fold_scores=tuple(float(s) for s in self.best.scores),
            trials=tuple(sorted(self.ended, key=lambda trial: trial.number)),
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


def _study(past: Sequence[TrialRecord], *, seed: int) -> optuna.Study:
    """A study in memory that knows the `past` trials; its draws differ from those that were made already."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=seed + len(past), n_startup_trials=8, constant_liar=True),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=1),
    )
    read = optuna.distributions.json_to_distribution
    for record in past:
        study.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState[record.trial.state],
                value=record.trial.score,
                params=dict(record.drawn),
                distributions={name: read(text) for name, text in record.space.items()},
                intermediate_values=dict(enumerate(record.steps, start=1)),
            )
        )
    return study


def _record(
    trial: RunningTrial, state: str, elapsed: float, *, score: float | None = None, reason: str = ""
) -> TrialRecord:
    from optuna.distributions import distribution_to_json

    ended = Trial(
        number=trial.number,
        params=trial.params,
        state=state,
        score=score,
        seconds=elapsed,
        fit_seconds=sum(fit.seconds for fit in trial.fits.values()),
        reason=reason,
    )
    space = {name: distribution_to_json(d) for name, d in trial.handle.distributions.items()}
    return TrialRecord(ended, tuple(trial.steps), trial.handle.params, space)
