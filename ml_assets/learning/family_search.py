"""The search within one family: gives out fold fits, takes their results, prunes, remembers the best.

Which family is due, and when to stop, is decided in `race`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ml_assets.evaluation.metrics import fold_scores
from ml_assets.families import load_family
from ml_assets.learning.journal import BestTrial, SearchJournal, TrialRecord
from ml_assets.learning.left_out import LeftOut
from ml_assets.learning.search_result import SearchResult, Trial
from ml_assets.learning.worker import FoldFit, Probe, TrainingRows

if TYPE_CHECKING:
    import optuna
    from numpy.typing import NDArray

PROBE_ROWS: Final = 1000
PROBE_HELD_OUT: Final = 1000
FIRST_FOLD_MARGIN: Final = 0.02
"""By what share of the best score a setting may be behind on its first fold and go on."""
SEEDS_APART: Final = 100_003


@dataclass
class RunningTrial:
    """One setting on its way through the folds."""

    number: int
    handle: optuna.trial.Trial
    params: dict[str, Any]
    waiting: list[int]
    arrived: dict[int, FoldFit] = field(default_factory=dict)
    fits: dict[int, FoldFit] = field(default_factory=dict)
    scores: dict[int, float] = field(default_factory=dict)
    steps: list[float] = field(default_factory=list)
    ended: bool = False


class FamilySearch:
    """The study of one family, continued from what its journal holds.

    The portfolio's settings come first, then what Optuna's sampler draws. What a trial shows is looked at in the order
    of its folds, whichever ends first, so that trials one after another always go the same way.

    Attributes:
        ended: trials that ended, earlier ones of a cut-off search included.
        spent: seconds of their fits and of those under way.
        best: the best setting so far, or None.
        failure: why there can be no model; None while there can.
        probe: what its first setting showed on a sample, or None.
    """

    def __init__(self, family: str, rows: TrainingRows, journal: SearchJournal) -> None:
        self.family = family
        self.rows = rows
        self.folds = rows.fold_numbers
        self.journal = journal
        past = journal.read(family)
        self.ended = [record.trial for record in past]
        self.spent = sum(trial.fit_seconds for trial in self.ended)
        self.fits = sum(len(record.steps) for record in past)
        self.best = journal.best(family)
        self.study = _study(past)
        self.portfolio = load_family(family).portfolio(rows.shape)
        self.running: list[RunningTrial] = []
        failed = [trial.reason for trial in self.ended if trial.state == "FAIL"]
        self.failure: str | None = failed[0] if failed and self.best is None else None
        self.probe: Probe | None = None
        self._next_number = max((trial.number for trial in self.ended), default=-1) + 1

    @property
    def score(self) -> float:
        """Best mean score so far; infinite before the first."""
        return float(np.mean(self.best.scores)) if self.best else np.inf

    @property
    def has_begun(self) -> bool:
        """Whether any setting was fitted or is under way."""
        return bool(self.ended or self.running)

    @property
    def has_waiting_folds(self) -> bool:
        """Whether a setting under way has a fold that nobody fits yet."""
        return any(trial.waiting for trial in self.running)

    @property
    def seconds_a_fit(self) -> float:
        """Mean time of a fit so far; before the first what is foretold."""
        return self.spent / self.fits if self.fits else self.foretold

    @property
    def foretold(self) -> float:
        """Seconds of a fit on a fold's training rows: what the probe took or the family says, grown as it says."""
        family = load_family(self.family)
        seconds = self.probe.seconds if self.probe is not None else family.first_seconds
        return float(seconds * self._beyond_probe**family.growth)

    @property
    def megabytes(self) -> float:
        """Size of the best model before compression; until there is one the probe's, grown as the family says."""
        if self.best is not None:
            return self.best.megabytes
        if self.probe is None:
            return 0.0
        return float(self.probe.megabytes * self._beyond_probe ** load_family(self.family).size_growth)

    @property
    def _rows_of_a_fit(self) -> float:
        return len(self.rows.table) * (1 - 1 / self.rows.folds_each)

    @property
    def _beyond_probe(self) -> float:
        """How many times the probe's rows a fit has, at least 1."""
        return max(self._rows_of_a_fit / PROBE_ROWS, 1.0)

    @property
    def is_for_fewer_rows(self) -> bool:
        """Whether a fit on a fold's training rows would learn from some of them only."""
        most = load_family(self.family).most_rows(self.rows.shape)
        return most is not None and self._rows_of_a_fit > most

    @property
    def seconds_of_final_fit(self) -> float:
        """What fitting the best setting on all rows is expected to take."""
        if self.best is None:
            return 0.0
        took = self.best.record.trial.fit_seconds / len(self.folds)
        return took / (1 - 1 / self.rows.folds_each)

    def next_fit(self) -> tuple[RunningTrial, int]:
        """Setting and fold to be fitted next: of a setting under way, else of a new one."""
        for trial in self.running:
            if trial.waiting:
                return trial, trial.waiting.pop(0)
        number = self._next_number
        if number < len(self.portfolio):
            self.study.enqueue_trial(dict(self.portfolio[number]))
        self.study.sampler = _sampler(self.rows.seed, number)
        handle = self.study.ask()
        params = load_family(self.family).suggest(handle, self.rows.shape)
        trial = RunningTrial(number, handle, params, list(self.folds))
        self._next_number += 1
        self.running.append(trial)
        return trial, trial.waiting.pop(0)

    def take(self, trial: RunningTrial, fold: int, fit: FoldFit, *, elapsed: float) -> None:
        """Books a finished fold; ends the trial when it was the last, or when the rest is not worth its time."""
        self.spent += fit.seconds
        self.fits += 1
        trial.arrived[fold] = fit
        while not trial.ended and len(trial.fits) < len(self.folds):
            due = self.folds[len(trial.fits)]
            if due not in trial.arrived:
                return
            self._look(trial, due, trial.arrived[due], elapsed)

    def _look(self, trial: RunningTrial, fold: int, fit: FoldFit, elapsed: float) -> None:
        rows, inside = self.rows, self.rows.folds_with(fold) == fold
        truth = rows.target[inside]
        scores = fold_scores(rows.spec.task, truth, fit.prediction, np.zeros(len(truth)), rows.classes)
        trial.fits[fold] = fit
        if not np.isfinite(scores[0]):
            self.drop(trial, elapsed=elapsed, state="FAIL", reason=f"its predictions of fold {fold} are no numbers")
            return
        trial.scores[fold] = float(scores[0])
        trial.steps.append(float(np.mean(list(trial.scores.values()))))
        trial.handle.report(trial.steps[-1], step=len(trial.steps))
        if len(trial.scores) == len(self.folds):
            self._complete(trial, elapsed)
        elif self.best is not None and self._is_beaten(trial, self.best.scores):
            self.drop(trial, elapsed=elapsed, state="PRUNED")

    def _is_beaten(self, trial: RunningTrial, best: NDArray[np.float64]) -> bool:
        """Whether, on the folds it has, a setting is behind the family's best by more than they scatter."""
        differences = np.array(list(trial.scores.values())) - best[: len(trial.scores)]
        if len(differences) == 1:
            return bool(differences[0] > FIRST_FOLD_MARGIN * abs(best[0]))
        noise = float(differences.std(ddof=1)) / np.sqrt(len(differences))
        return bool(differences.mean() > max(noise, 0.0))

    def drop(self, trial: RunningTrial, *, elapsed: float, state: str, reason: str = "") -> None:
        """Ends a trial without a score; one that fails before there is any score leaves the family without a model."""
        if trial.ended:
            return
        if self.best is None and state == "FAIL":
            self.failure = reason
        self._end(trial, _record(trial, state, elapsed, reason=reason))

    def _complete(self, trial: RunningTrial, elapsed: float) -> None:
        scores = np.array([trial.scores[fold] for fold in self.folds])
        record = _record(trial, "COMPLETE", elapsed, score=float(scores.mean()))
        if float(scores.mean()) < self.score:
            predictions = {fold: fit.prediction for fold, fit in trial.fits.items()}
            oof, *repeated = (join_folds(folds, predictions) for folds in self.rows.repeats)
            largest = max(fit.megabytes for fit in trial.fits.values())
            self.best = BestTrial(record, scores, oof, tuple(repeated), largest)
            self.journal.keep_best(self.family, self.best)
        self._end(trial, record)

    def _end(self, trial: RunningTrial, record: TrialRecord) -> None:
        import optuna

        trial.ended = True
        self.running.remove(trial)
        self.journal.append(self.family, record)
        self.ended.append(record.trial)
        self.study.tell(trial.handle, record.trial.score, state=optuna.trial.TrialState[record.trial.state])

    def result(self, *, why_not: str) -> SearchResult | LeftOut:
        """What the family's search found; without a model the failure, or else `why_not`."""
        trials = tuple(sorted(self.ended, key=lambda trial: trial.number))
        if self.best is None:
            failed = self.failure is not None
            return LeftOut(self.family, self.failure or why_not, failed=failed, trials=trials, seconds=self.spent)
        return SearchResult(
            family=self.family,
            params=self.best.record.trial.params,
            fold_scores=tuple(float(s) for s in self.best.scores),
            trials=trials,
            seconds=self.spent,
            classes=self.rows.classes,
            row_ids=tuple(self.rows.table.index),
            oof=self.best.oof,
            repeated=self.best.repeated,
        )


def join_folds(fold: NDArray[np.int64], parts: Mapping[int, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Out-of-fold predictions in row order, from those of each fold; of other repeats' folds nothing is taken."""
    shape = (len(fold), *next(iter(parts.values())).shape[1:])
    joined = np.full(shape, np.nan)
    for number in np.unique(fold):
        joined[fold == number] = parts[int(number)]
    return joined


def _sampler(seed: int, number: int) -> optuna.samplers.BaseSampler:
    """The sampler of one trial; with a seed of its own, a search that was cut off goes on as it would have."""
    import optuna

    return optuna.samplers.TPESampler(seed=SEEDS_APART * seed + number, n_startup_trials=8, constant_liar=True)


def _study(past: Sequence[TrialRecord]) -> optuna.Study:
    """A study in memory that knows the `past` trials."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
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
        fit_seconds=sum(fit.seconds for fit in trial.arrived.values()),
        reason=reason,
        fold_scores=tuple(trial.scores[fold] for fold in sorted(trial.scores)) if state == "COMPLETE" else (),
    )
    space = {name: distribution_to_json(d) for name, d in trial.handle.distributions.items()}
    return TrialRecord(ended, tuple(trial.steps), trial.handle.params, space)
