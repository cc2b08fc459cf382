"""Which features beyond the columns themselves pay: the cross-validation that keeps candidates or drops them.

Where candidates come from is `pointers`; what computes them, `neighbours` and `derived`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from sklearn.base import clone

from ml_assets.features.derived import Differences, Ratios, Rotations
from ml_assets.features.neighbours import NeighbourStatistics
from ml_assets.features.pointers import telling_differences, telling_plane, telling_ratios

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST_SAMPLE: Final = 5000
FEWEST_ROWS: Final = 100
FEWEST_PLACES: Final = 20
"""Different values that a column must have to make a plane or a ratio."""
MOST_COLUMNS: Final = 24
"""Columns among which pairs are looked for, the first ones."""
WIDEST: Final = 500
"""Columns of a table up to which the quick booster is quick."""
CONTEXT_COLUMNS: Final = 6
MOST_CLASSES: Final = 12
"""Above it a booster for every class costs more than a candidate is worth."""
SMALLEST_GAIN: Final = 0.002
BEYOND_NOISE: Final = 2.0
"""Mean gain over its standard error across folds from which a step is kept."""


@dataclass(frozen=True)
class StepRecord:
    """What is told of a candidate.

    Attributes:
        columns: how many features it makes.
        gain: share of the quick model's loss that it saves on held-out rows, mean over folds.
        error: standard error of the gain over folds.
        seconds: what computing it for all training rows is expected to take.
        kept: whether the gain is beyond noise and the time is there.
        reason: why, in a few words.
    """

    title: str
    columns: int
    gain: float
    error: float
    seconds: float
    kept: bool
    reason: str

    @classmethod
    def of(cls, step: StepRecord) -> StepRecord:
        """The record alone, without what a subclass adds."""
        return cls(**{field.name: getattr(step, field.name) for field in fields(cls)})


@dataclass(frozen=True)
class Discovered(StepRecord):
    """A candidate and what it brought; `transformer` is unfitted."""

    transformer: Any


def discover(
    table: pd.DataFrame,
    target: NDArray[Any],
    fold: NDArray[np.int64],
    *,
    classes: Sequence[str] = (),
    units: Mapping[str, str] | None = None,
    apart: bool = False,
    seconds: float = math.inf,
    threads: int = 1,
    seed: int = 0,
) -> tuple[Discovered, ...]:
    """Candidates in the order tried, each judged on top of those kept before; none on tables too small to judge.

    A quick booster is fitted on every fold of a sample; what it leaves over points to candidates: ratios and
    differences of columns of one unit that tell it, and a plane of two columns in which neighbours still do. A
    candidate stays if the booster's loss falls on folds it was not fitted on, by more than noise. With `seconds` left
    infinite, the same rows and seed find the same steps.

    Args:
        table: features of the training rows, all numbers.
        target: numbers, or labels.
        fold: number of the fold each row is held out in, (n,).
        classes: labels in order; empty for numbers.
        units: unit of a column, where it is known.
        apart: whether folds keep groups or times apart, so that rows must not look at their own fold.
        seconds: no candidate is begun after this long, and none kept that takes longer on all rows.
        threads: fits at once.
        seed: of sample and booster.
    """
    until = time.monotonic() + seconds
    if len(table) < FEWEST_ROWS or len(classes) > MOST_CLASSES or len(np.unique(fold)) < 2 or table.shape[1] > WIDEST:
        return ()
    chosen, of_all = _sample(len(table), seed), len(table)
    table, target, fold = table.iloc[chosen], target[chosen], fold[chosen]
    with ThreadPoolExecutor(threads) as threads_at_work:
        judge = _Judge(table, target, fold, tuple(classes), seed, threads_at_work)
        residual = judge.residual()
        columns = [name for name in table.columns[:MOST_COLUMNS] if table[name].nunique() >= FEWEST_PLACES]
        found: list[Discovered] = []
        for title, step in _candidates(table, residual, columns, units or {}, tuple(classes), apart):
            if time.monotonic() > until:
                break
            found.append(judge.judged(title, step, more_rows=of_all / len(table), longest=seconds))
    return tuple(found)


def _candidates(
    table: pd.DataFrame,
    residual: NDArray[np.float64],
    columns: Sequence[str],
    units: Mapping[str, str],
    classes: tuple[str, ...],
    apart: bool,
) -> Iterator[tuple[str, Any]]:
    """Candidates, the cheapest first."""
    if ratios := telling_ratios(table, residual, columns, units):
        yield "ratios", Ratios(ratios)
    if differences := telling_differences(table, residual, columns, units):
        yield "differences", Differences(differences)
    plane = telling_plane(table, residual, columns)
    if plane is not None:
        context = tuple(name for name in columns if name not in plane)[:CONTEXT_COLUMNS]
        near = NeighbourStatistics(plane, context, classes=classes, apart=apart)
        yield f"neighbours in {plane[0]} and {plane[1]}", near
        yield f"rotations of {plane[0]} and {plane[1]}", Rotations(plane)


class _Judge:
    """Cross-validates a quick booster with and without a candidate, on top of what was kept before."""

    def __init__(
        self,
        table: pd.DataFrame,
        target: NDArray[Any],
        fold: NDArray[np.int64],
        classes: tuple[str, ...],
        seed: int,
        threads: ThreadPoolExecutor,
    ) -> None:
        self.target, self.fold, self.classes, self.seed, self.threads = target, fold, classes, seed, threads
        self.sides = [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in np.unique(fold)]
        self.base = [(table.iloc[inside], table.iloc[outside]) for inside, outside in self.sides]
        self.parts = self.base
        self.predictions = self._predictions(self.parts)
        self.losses = self._losses(self.predictions)

    def residual(self) -> NDArray[np.float64]:
        """What the quick booster leaves over on held-out rows, (n, 1) or (n, classes), strays cut off."""
        left = np.zeros((len(self.target), max(len(self.classes), 1)))
        for prediction, (_, outside) in zip(self.predictions, self.sides, strict=True):
            left[outside] = self._truth(outside) - prediction
        scale = left.std(axis=0)
        return np.asarray(np.clip(left / np.where(scale > 0, scale, 1.0), -4, 4))

    def judged(self, title: str, step: Any, *, more_rows: float, longest: float) -> Discovered:
        """What the candidate brings; it stays for the next one if it is kept."""
        started = time.perf_counter()
        parts = [self._with(step, at) for at in range(len(self.sides))]
        took = (time.perf_counter() - started) * more_rows
        losses = self._losses(self._predictions(parts))
        gains = 1 - losses / np.where(self.losses > 0, self.losses, 1.0)
        gain, error = float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(len(gains)))
        pays = gain > max(SMALLEST_GAIN, BEYOND_NOISE * error)
        kept = pays and took <= longest
        if kept:
            self.parts, self.losses = parts, losses
            reason = "gains beyond noise on held-out rows"
        elif pays:
            reason = f"gains, but takes about {took:.0f} s on all rows"
        else:
            reason = "no gain beyond noise on held-out rows"
        return Discovered(title, len(step.lineage), gain, error, took, kept, reason, step)

    def _with(self, step: Any, at: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Both sides of a fold with the candidate's columns, fitted on the one."""
        (rows, _), (base_inside, base_outside), (inside, outside) = self.sides[at], self.base[at], self.parts[at]
        made = clone(step)
        new_inside = made.fit_transform(base_inside, self.target[rows], folds=self.fold[rows])
        return pd.concat([inside, new_inside], axis=1), pd.concat([outside, made.transform(base_outside)], axis=1)

    def _truth(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        if not self.classes:
            return np.asarray(self.target[rows], dtype=np.float64)[:, None]
        return np.asarray(self.target[rows][:, None] == np.array(self.classes, dtype=object), dtype=np.float64)

    def _predictions(self, parts: Sequence[tuple[pd.DataFrame, pd.DataFrame]]) -> list[NDArray[np.float64]]:
        rows = [inside for inside, _ in self.sides]
        return list(self.threads.map(self._predict, *zip(*parts, strict=True), rows))

    def _predict(self, inside: pd.DataFrame, outside: pd.DataFrame, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        settings: dict[str, Any] = {
            "max_iter": 40 if self.classes else 100,
            "learning_rate": 0.1,
            "min_samples_leaf": 10,
            "max_features": 0.7,
            "early_stopping": False,
            "random_state": self.seed,
        }
        features, held_out = _without_empty(inside.to_numpy(), outside.to_numpy())
        if not self.classes:
            numbers = np.asarray(self.target[rows], dtype=np.float64)
            booster = HistGradientBoostingRegressor(**settings).fit(features, numbers)
            return np.asarray(booster.predict(held_out))[:, None]
        booster = HistGradientBoostingClassifier(**settings).fit(features, self.target[rows])
        shares = np.zeros((len(held_out), len(self.classes)))
        shares[:, [self.classes.index(label) for label in booster.classes_]] = booster.predict_proba(held_out)
        return shares

    def _losses(self, predictions: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """RMSE, or log loss, of each fold."""
        found = []
        for prediction, (_, outside) in zip(predictions, self.sides, strict=True):
            truth = self._truth(outside)
            if self.classes:
                found.append(float(-np.log(np.clip((truth * prediction).sum(axis=1), 1e-6, 1)).mean()))
            else:
                found.append(float(np.sqrt(np.mean((truth - prediction) ** 2))))
        return np.array(found)


def _without_empty(
    inside: NDArray[np.float64], outside: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both tables without the columns that have no value in the first."""
    there = ~np.isnan(inside).all(axis=0)
    return inside[:, there], outside[:, there]


def _sample(rows: int, seed: int) -> NDArray[np.int64]:
    """Positions of at most `LARGEST_SAMPLE` rows, ascending."""
    if rows <= LARGEST_SAMPLE:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, LARGEST_SAMPLE, replace=False))
