"""The race of the families under one budget: whose fit is next, who is left out and why.

The search within a family is `family_search`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ml_assets.errors import SettingError
from ml_assets.learning.blending import averaged, everything, thinned
from ml_assets.learning.family_search import PROBE_HELD_OUT, PROBE_ROWS, FamilySearch, RunningTrial
from ml_assets.learning.worker import FoldFit, Probe, fit_fold, prepare_fold, probe

if TYPE_CHECKING:
    from ml_assets.learning.left_out import LeftOut
    from ml_assets.learning.search_result import SearchResult
    from ml_assets.learning.worker import TrainingRows

BEHIND_SHARE: Final = 0.1
"""Least share of fit time a family gets, against 1 for the leader, while it is clearly behind."""
PROBED_FROM: Final = 3 * PROBE_ROWS
"""Training rows of a fold from which first settings are probed; below, a fold is fitted as fast."""
WEIGHED_ROWS: Final = 2000
"""Most rows by which families are weighed while the race goes on."""
NEAR_LEADER: Final = 1.5
"""Score on the probe, over the leader's, up to which a family may take a large part of the time that is left."""
LARGE_PART, EARLY_PART, SMALL_PART = 0.9, 0.3, 0.15
"""Of the time that is left, what a first setting may take: of a family near the leader on the probe, of the leader
before cheaper ones had their turn, and of any other, or of one that is for fewer rows than there are."""
CORRECTIONS: Final = (0.5, 2.0)
"""Between which factors the costs that probes foretell are corrected by those that were seen."""
FINAL_START_SECONDS: Final = 2.0
"""What starting the workers of the final fits takes."""
HANG_SHARE: Final = 0.25
"""Part of the budget after which one fit of a first setting counts as hanging; no less than `HANG_SECONDS`."""
HANG_SECONDS: Final = 10.0
HANG_FACTOR: Final = 3.0
"""Nor does a fit hang before it took this many times what the probe foretold."""
LONGEST_FIT: Final = 3600.0
"""The same where only trials limit the search."""
GRACE_SECONDS: Final = 3.0
"""How long after its end a race without any model waits for the one that is nearest."""


@dataclass(frozen=True)
class Budget:
    """When a search ends.

    Attributes:
        seconds: wall time, final fits and what comes after them included; may be infinite where `trials` are given.
        trials: settings of each family. With them the families do not disturb each other: each gets that many, one
            after another, so that the same seed finds the same settings however many workers there are.
        each_model: seconds of the budget that a model costs beside its fits: evaluating and logging it.
        each_megabyte: what it costs on top for each megabyte, before compression: storing and loading it.
    """

    seconds: float = math.inf
    trials: int | None = None
    each_model: float = 0.0
    each_megabyte: float = 0.0

    def __post_init__(self) -> None:
        if not self.seconds > 0 or (self.trials is None and math.isinf(self.seconds)):
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


@dataclass(frozen=True)
class _Task:
    """What a worker is at: a fold of a setting; a probe, without a trial; features of a fold, without an owner."""

    fold: int
    owner: FamilySearch | None = None
    trial: RunningTrial | None = None


class Race:
    """Keeps the workers busy with what pays most, until the budget ends.

    On large tables every family's first setting is probed on a sample, which tells its cost and whether it is far
    behind; first settings are then fitted as far as time allows: the cheapest, the one that leads on the probe, and
    the others from the cheapest on. The time that is left goes to the families that the folds cannot tell from the
    leader, and to those behind it by what they count in the ensemble of the settings there are.
    """

    def __init__(
        self, rows: TrainingRows, searches: Sequence[FamilySearch], budget: Budget, workers: int, *, started: float
    ) -> None:
        self.searches = list(searches)
        self.budget = budget
        self.workers = workers
        self.started = started
        self.tasks: dict[futures.Future[Any], _Task] = {}
        self.folds = self.searches[0].folds
        self.to_prepare = list(self.folds)
        self.prepared: set[int] = set()
        is_large = len(rows.table) * (1 - 1 / rows.folds_each) >= PROBED_FROM
        probed = is_large and budget.trials is None
        self.to_probe = sorted((s for s in searches if probed and not s.has_begun), key=lambda s: s.foretold)
        self.probes_asked = bool(self.to_probe)
        self.order = sorted(self.searches, key=lambda s: (s.is_for_fewer_rows, s.foretold))
        self.rows = rows
        self._weighed: Mapping[str, float] = {}
        self._weights: Mapping[str, float] = {}

    @property
    def elapsed(self) -> float:
        """Seconds of the budget that are used, those of a search that this one continues included."""
        return time.monotonic() - self.started

    @property
    def left(self) -> float:
        """Seconds that are left for searching, never negative; the final fits need the rest."""
        return max(self.budget.seconds - self.elapsed - self._final_seconds(), 0.0)

    def run(self, pool: Any, report: Callable[[Progress], None]) -> None:
        """Searches until the budget ends."""
        while True:
            while len(self.tasks) < self.workers and self._begin_next(pool):
                pass
            if not self.tasks:
                report(self._progress(ended=True))
                return
            done, _ = futures.wait(self.tasks, timeout=self._patience(), return_when=futures.FIRST_COMPLETED)
            for task in done:
                self._collect(task)
                report(self._progress(ended=False))
            if not self.left:
                self._cut_off()

    def result_of(self, family: FamilySearch) -> SearchResult | LeftOut:
        """What the family found, or why it has no model."""
        if family.has_begun:
            why_not = f"its first setting was not through all folds when the {self.budget.seconds:.0f} s ended"
        elif not self._can_afford(family) and family.is_for_fewer_rows:
            why_not = f"it learns from some of so many rows only, and {self.budget.seconds:.0f} s are too few to try it"
        elif not self._can_afford(family):
            needed = self._corrected(family) * len(self.folds) / self.workers
            why_not = f"its first setting would have taken about {needed:.0f} s, too much of the time there was"
        else:
            why_not = f"no time was left for it in {self.budget.seconds:.0f} s"
        return family.result(why_not=why_not)

    def _final_seconds(self) -> float:
        """Wall time that the models are expected to take after the search: fits on all rows, and what follows them."""
        if math.isinf(self.budget.seconds):
            return 0.0
        found = [s for s in self.searches if s.best is not None]
        if not found:
            return 0.0
        fits = [s.seconds_of_final_fit for s in found]
        after = len(found) * self.budget.each_model + sum(s.megabytes for s in found) * self.budget.each_megabyte
        return FINAL_START_SECONDS + max([*fits, sum(fits) / self.workers]) + after

    def _patience(self) -> float | None:
        if math.isinf(self.budget.seconds):
            return None
        if self.left:
            return self.left
        return max(self.budget.seconds + GRACE_SECONDS - self.elapsed, 0.0)

    def _begin_next(self, pool: Any) -> bool:
        """Gives a worker the next thing to do; False where there is nothing to begin now."""
        if self.to_prepare and (self.left or not self.prepared):
            fold = self.to_prepare.pop(0)
            self.tasks[pool.schedule(prepare_fold, args=(fold,))] = _Task(fold)
            return True
        if not self.prepared and self.tasks:
            return False
        if self.to_probe and self.left:
            owner, fold = self.to_probe.pop(0), min(self.prepared, default=self.folds[0])
            args = (owner.family, owner.portfolio[0], fold, PROBE_ROWS, PROBE_HELD_OUT)
            self.tasks[pool.schedule(probe, args=args, timeout=self._hangs_after(owner))] = _Task(fold, owner)
            return True
        if any(task.owner is not None and task.trial is None for task in self.tasks.values()):
            return self._begin_fit(pool, self._cheapest_of_probes())
        return self._begin_fit(pool, self._due())

    def _begin_fit(self, pool: Any, due: FamilySearch | None) -> bool:
        if due is None:
            return False
        trial, fold = due.next_fit()
        longest = self._hangs_after(due) if due.best is None or math.isinf(self.budget.seconds) else None
        self.tasks[pool.schedule(fit_fold, args=(due.family, trial.params, fold), timeout=longest)] = _Task(
            fold, due, trial
        )
        return True

    def _hangs_after(self, family: FamilySearch) -> float:
        if math.isinf(self.budget.seconds):
            return LONGEST_FIT
        return max(HANG_SHARE * self.budget.seconds, HANG_SECONDS, HANG_FACTOR * family.foretold)

    def _collect(self, future: futures.Future[Any]) -> None:
        task = self.tasks.pop(future)
        error = future.exception()
        if task.owner is None:
            if error is not None:
                raise error
            self.prepared.add(task.fold)
            return
        reason = None
        if isinstance(error, futures.TimeoutError):
            which = "a fit with its first setting" if task.owner.best is None else "a fit"
            reason = f"{which} took more than {self._hangs_after(task.owner):.0f} s"
        elif error is not None:
            reason = f"{type(error).__name__}: {error}"
        if task.trial is None:
            self._collect_probe(task.owner, None if reason else future.result(), reason)
        elif reason is not None:
            task.owner.drop(task.trial, elapsed=self.elapsed, state="FAIL", reason=reason)
        else:
            fit: FoldFit = future.result()
            task.owner.take(task.trial, task.fold, fit, elapsed=self.elapsed)

    def _collect_probe(self, owner: FamilySearch, found: Probe | None, reason: str | None) -> None:
        owner.probe = found
        if reason is not None:
            owner.failure = f"{reason} (on a sample of {PROBE_ROWS} rows)"
        self.order.sort(key=lambda s: (s.is_for_fewer_rows, s.probe is None, s.foretold))
        probed = [s for s in self.order if s.probe is not None and not s.is_for_fewer_rows]
        leader = min(probed, key=lambda s: s.probe.score if s.probe is not None else math.inf, default=None)
        if leader is not None and self._needed(leader) <= EARLY_PART * self.left * self.workers:
            self.order = list(dict.fromkeys([probed[0], leader, *self.order]))

    def _cut_off(self) -> None:
        """Gives up what runs at the end, but for the setting nearest to a first model where there is none yet."""
        kept = None
        if not any(s.best for s in self.searches) and self.elapsed < self.budget.seconds + GRACE_SECONDS:
            nearest = max((s for s in self.searches if s.running), key=lambda s: len(s.running[0].fits), default=None)
            kept = nearest.running[0] if nearest is not None else None
        for future, task in list(self.tasks.items()):
            if task.trial is None or task.trial is not kept:
                future.cancel()
                del self.tasks[future]
        for owner in self.searches:
            for trial in [t for t in owner.running if t is not kept]:
                owner.drop(trial, elapsed=self.elapsed, state="PRUNED", reason="out of time")

    def _progress(self, *, ended: bool) -> Progress:
        best = {s.family: s.score for s in self.searches if s.best}
        trials = sum(len(s.ended) for s in self.searches)
        return Progress(self.elapsed, self.budget.seconds, trials, best, ended)

    def _due(self) -> FamilySearch | None:
        """A first setting under way; else a family that can afford its first; else the one that is due to be tuned."""
        if not self.left:
            return self._nearest()
        first = [s for s in self.order if s.best is None and s.failure is None]
        for family in first:
            if family.has_waiting_folds or (not family.has_begun and self._can_afford(family)):
                return family
        finished = [s for s in self.searches if s.best is not None]
        if not finished:
            return None
        leader = min(finished, key=lambda s: s.score)
        counts = self._counts()
        may_go_on = [s for s in finished if self._may_go_on(s)]
        return min(
            may_go_on, key=lambda s: self._fit_seconds(s) / _weight(s, leader, counts.get(s.family, 0.0)), default=None
        )

    def _counts(self) -> Mapping[str, float]:
        """What each family counts in the ensemble of the best settings so far, over the one that counts most."""
        members = {s.family: s.best for s in self.searches if s.best is not None}
        scores = {name: float(np.mean(best.scores)) for name, best in members.items()}
        if scores != self._weighed:
            weights = averaged(self.rows, members, thinned(everything(self.rows), WEIGHED_ROWS)).weights
            self._weighed = scores
            self._weights = {name: weight / max(weights.values()) for name, weight in weights.items()}
        return self._weights

    def _nearest(self) -> FamilySearch | None:
        """After the end: the family whose first setting is waited for, because there is no model yet."""
        if any(s.best for s in self.searches) or self.elapsed > self.budget.seconds + GRACE_SECONDS:
            return None
        begun = next((s for s in self.searches if s.running), None)
        if begun is not None:
            return begun if begun.has_waiting_folds else None
        return next((s for s in self.order if s.failure is None and not s.has_begun), None)

    def _cheapest_of_probes(self) -> FamilySearch | None:
        """While the last probes run: the cheapest so far, whose folds can be begun."""
        first = self.order[0]
        can_begin = first.has_waiting_folds or (not first.has_begun and self._can_afford(first))
        return first if first.probe is not None and can_begin else None

    def _can_afford(self, family: FamilySearch) -> bool:
        """Whether the first setting's folds fit into the part of the time left that its probe deserves."""
        if math.isinf(self.budget.seconds) or not any(s.has_begun for s in self.searches if s.failure is None):
            return True  # the cheapest is tried in any case
        share = SMALL_PART if family.is_for_fewer_rows else LARGE_PART
        if self.probes_asked:
            if family.probe is None:
                return False
            scores = [s.probe.score for s in self.searches if s.probe is not None and not s.is_for_fewer_rows]
            leader = min(scores, default=family.probe.score)
            share = share if family.probe.score <= NEAR_LEADER * leader else SMALL_PART
        under_way = sum(s.seconds_a_fit * sum(len(t.waiting) for t in s.running) for s in self.searches if not s.best)
        return self._needed(family) <= share * (self.left * self.workers - under_way)

    def _needed(self, family: FamilySearch) -> float:
        """Seconds of one core for a family's first setting: its folds, its final fit, and what its model costs then."""
        after = self.budget.each_model + family.megabytes * self.budget.each_megabyte
        return self._corrected(family) * (len(self.folds) + 1.5) + after * self.workers

    def _corrected(self, family: FamilySearch) -> float:
        """What a fit of the family is expected to take, by how far the probes of the others were out."""
        out = [s.seconds_a_fit / s.foretold for s in self.searches if s.probe is not None and s.fits >= len(self.folds)]
        return family.foretold * (float(np.clip(np.median(out), *CORRECTIONS)) if len(out) > 1 else 1.0)

    def _may_go_on(self, family: FamilySearch) -> bool:
        if family.has_waiting_folds:
            return True
        begun = len(family.ended) + len(family.running)
        if self.budget.trials is not None:
            return not family.running and begun < self.budget.trials
        seconds = family.seconds_a_fit * len(self.folds) / min(self.workers, len(self.folds))
        return len(family.running) < self.workers and seconds <= self.left

    def _fit_seconds(self, family: FamilySearch) -> float:
        """Fit time of a family, fits under way included, so that two workers do not both pick the same one."""
        under_way = sum(1 for task in self.tasks.values() if task.owner is family)
        return family.spent + under_way * family.seconds_a_fit


def _weight(family: FamilySearch, leader: FamilySearch, counts: float) -> float:
    """Share of fit time of a family that `counts` so much in the ensemble, against 1 for the leader."""
    if family.best is None or leader.best is None or family is leader:
        return 1.0
    difference = family.best.scores - leader.best.scores
    noise = float(difference.std(ddof=1)) / np.sqrt(len(difference))
    return max(BEHIND_SHARE, counts) if float(difference.mean()) > 2 * noise else 1.0
