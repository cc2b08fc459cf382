"""`python -m benchmarks.promotion`: how often the promotion gate is wrong, on simulated losses; prints one table.

Each draw makes the losses of a champion and a challenger on test rows that neither saw, in three worlds: squared errors
of a normal target, squared errors of heavy tails and unequal noise, and log losses of three classes. The models differ
only in the noise that they add to the best possible answer. Real tables and searches are `benchmarks.quality`.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml_assets.datasets.judging import Promotion
from ml_assets.datasets.spec import Task
from ml_assets.evaluation.effects import score_of
from ml_assets.evaluation.gate import GateEntry, Verdict, decide
from ml_assets.evaluation.gate_slices import SliceRows
from ml_assets.evaluation.power import miss_share, rows_needed
from ml_assets.evaluation.significance import corrected_paired_t, paired_rows_test

Floats = npt.NDArray[np.float64]

CALIBRATION_ROWS = 400_000
NOISE = 0.5
"""What the champion adds to the best answer, in standard deviations of what no model can know."""
LABELS = {"a": 0.4, "b": 0.3, "c": 0.2, "d": 0.08, "e": 0.02}
"""Slices of the rows, and how large they are."""
FOLDS = 5


@dataclass(frozen=True)
class World:
    """Where losses come from: `draw(generator, rows, noise of each model)` gives them as (rows, models)."""

    name: str
    task: Task
    draw: Callable[[np.random.Generator, int, tuple[float, ...]], Floats]

    def better_noise(self, share: float) -> float:
        """Noise of a challenger whose score is better than the champion's by `share`."""
        low, high = 0.0, NOISE
        for _ in range(30):
            middle = (low + high) / 2
            ratio = self._mean_loss(middle) / self._mean_loss(NOISE)
            ratio = math.sqrt(ratio) if self.task is Task.REGRESSION else ratio
            low, high = (middle, high) if 1 - ratio > share else (low, middle)
        return (low + high) / 2

    def _mean_loss(self, noise: float) -> float:
        """Of the same rows and the same draws of noise each time, so that differences are those of its size."""
        return float(self.draw(np.random.default_rng(0), CALIBRATION_ROWS, (noise,)).mean())

    def rows_for(self, share: float, rules: Promotion, alpha: float) -> int:
        """Test rows with which the gate can see an improvement of `share`."""
        losses = self.draw(np.random.default_rng(1), CALIBRATION_ROWS, (NOISE, self.better_noise(share)))
        power = 2 if self.task is Task.REGRESSION else 1
        difference = self._mean_loss(NOISE) * (1 - (1 - share) ** power)
        wanted = 1 - miss_share(rules.power)
        return rows_needed(float((losses[:, 0] - losses[:, 1]).std()), difference, alpha=alpha, power=wanted)


def normal(generator: np.random.Generator, rows: int, noises: tuple[float, ...]) -> Floats:
    """Squared errors of a normal target."""
    return _squared(generator.normal(size=rows), generator, noises)


def heavy(generator: np.random.Generator, rows: int, noises: tuple[float, ...]) -> Floats:
    """Squared errors of a target with Student's t of five degrees of freedom and a spread that differs by row."""
    scale = np.exp(0.4 * generator.normal(size=rows))
    return _squared(generator.standard_t(5, size=rows), generator, noises) * np.square(scale)[:, None]


def _squared(unknown: Floats, generator: np.random.Generator, noises: tuple[float, ...]) -> Floats:
    own = generator.normal(size=(len(unknown), len(noises)))
    made: Floats = np.square(unknown[:, None] + own * np.array(noises))
    return made


def classes(generator: np.random.Generator, rows: int, noises: tuple[float, ...]) -> Floats:
    """Log losses of three classes whose true probabilities differ by row."""
    logits = 1.5 * generator.normal(size=(rows, 3))
    true = (logits + generator.gumbel(size=(rows, 3))).argmax(axis=1)
    losses = []
    for noise in noises:
        said = logits + 2 * noise * generator.normal(size=(rows, 3))
        said -= said.max(axis=1, keepdims=True)
        losses.append(np.log(np.exp(said).sum(axis=1)) - said[np.arange(rows), true])
    return np.column_stack(losses)


WORLDS = (
    World("squared errors, normal", Task.REGRESSION, normal),
    World("squared errors, heavy tails", Task.REGRESSION, heavy),
    World("log losses, three classes", Task.CLASSIFICATION, classes),
)


@dataclass(frozen=True)
class Draws:
    """Verdicts on as many independent pairs of models, and whether a point estimate would have promoted."""

    verdicts: tuple[Verdict, ...]
    by_point: tuple[bool, ...]

    @cached_property
    def promoted(self) -> float:
        """Share that the gate promotes."""
        return float(np.mean([verdict.promoted for verdict in self.verdicts]))

    @cached_property
    def promoted_by_point(self) -> float:
        """Share with a lower mean loss."""
        return float(np.mean(self.by_point))


def simulate(world: World, *, rows: int, noise: float, draws: int, rules: Promotion, seed: int) -> Draws:
    """The gate on `draws` pairs of a champion and a challenger of this noise, on fresh rows each time."""
    verdicts, by_point = [], []
    for losses, slices, at in _drawn(world, rows, noise, draws, seed):
        index = pd.RangeIndex(rows)
        champion = GateEntry("version 1", "champion", pd.Series(losses[:, 0], index=index), sha256="1")
        challenger = GateEntry("version 2", "challenger", pd.Series(losses[:, 1], index=index), sha256="2")
        verdicts.append(
            decide(
                dataset="simulated",
                challenger=challenger,
                champion=champion,
                task=world.task,
                rules=rules,
                slices=slices,
                seed=at,
            )
        )
        by_point.append(bool(losses[:, 1].mean() < losses[:, 0].mean()))
    return Draws(tuple(verdicts), tuple(by_point))


def _drawn(
    world: World, rows: int, noise: float, draws: int, seed: int
) -> Iterator[tuple[Floats, list[SliceRows], int]]:
    for at in range(draws):
        generator = np.random.default_rng([seed, at])
        losses = world.draw(generator, rows, (NOISE, noise))
        label = generator.choice(list(LABELS), size=rows, p=list(LABELS.values()))
        slices = [SliceRows("label", name, False, pd.Index(np.flatnonzero(label == name))) for name in LABELS]
        yield losses, slices, at


def folds_and_rows(
    world: World, *, rows: int, noise: float, families: int, draws: int, seed: int
) -> tuple[float, float]:
    """Share promoted by the corrected t-test over folds, and by the paired t-test on unseen rows, at 0.05.

    The challenger is the best of so many families on the folds, all of the same noise, as a search makes it. The folds
    have four times as many rows as the test side.
    """
    by_folds, by_rows = [], []
    noises = (NOISE, *([noise] * families))
    for at in range(draws):
        generator = np.random.default_rng([seed, at])
        parts = np.array_split(world.draw(generator, 4 * rows, noises), FOLDS)
        scores = score_of(world.task, np.array([part.mean(axis=0) for part in parts]))
        best = 1 + int(scores[:, 1:].mean(axis=0).argmin())
        test = corrected_paired_t(scores[:, 0] - scores[:, best], test_fraction=1 / FOLDS)
        by_folds.append(test.p_one_sided < 0.05)
        unseen = world.draw(generator, rows, noises)
        by_rows.append(paired_rows_test(unseen[:, 0] - unseen[:, best]).p_one_sided < 0.05)
    return float(np.mean(by_folds)), float(np.mean(by_rows))


def main() -> None:
    """Simulates and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.promotion", description=__doc__)
    parser.add_argument("--draws", type=int, default=1000, help="pairs of models for each figure (1000)")
    parser.add_argument("--difference", type=float, default=0.05, help="improvement the contract asks to see (0.05)")
    parser.add_argument("--seed", type=int, default=0, help="of the draws (0)")
    given = parser.parse_args()
    rules = Promotion(smallest_difference=given.difference)
    heads = ("equal", "by point", "better", "by point")
    print(f"{'the gate':<30}{'rows':>6}" + "".join(f"{head:>12}" for head in heads))
    sizes = {}
    for world in WORLDS:
        rows, noise = world.rows_for(given.difference, rules, 0.05), world.better_noise(given.difference)
        sizes[world.name] = rows
        same = simulate(world, rows=rows, noise=NOISE, draws=given.draws, rules=Promotion(), seed=given.seed)
        good = simulate(world, rows=rows, noise=noise, draws=given.draws, rules=rules, seed=given.seed + 1)
        shares = (same.promoted, same.promoted_by_point, good.promoted, good.promoted_by_point)
        print(f"{world.name:<30}{rows:>6}" + "".join(f"{share:>12.1%}" for share in shares), flush=True)
    print(f"\n{'equal models':<30}{'chosen of':>12}{'by folds':>12}{'by rows':>12}")
    for world in WORLDS:
        for families in (1, 10):
            shares = folds_and_rows(
                world, rows=sizes[world.name], noise=NOISE, families=families, draws=given.draws, seed=given.seed + 2
            )
            print(f"{world.name:<30}{families:>12}" + "".join(f"{share:>12.1%}" for share in shares), flush=True)


if __name__ == "__main__":
    main()
