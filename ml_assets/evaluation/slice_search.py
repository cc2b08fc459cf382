"""The slices of rows that a model serves worst, found by search and tested on rows that had no part in it.

Slices that a contract names are in `slices`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from scipy import stats

from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.evaluation.metrics import FloatArray
from ml_assets.evaluation.multiplicity import holm
from ml_assets.evaluation.slices import parts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FEWEST_ROWS: Final = 30
"""Rows of a slice in each half, below which it is not looked at."""
LEAST_SHARE: Final = 0.01
MOST_CONDITIONS: Final = 150
MOST_FOUND: Final = 5
MOST_ALIKE: Final = 0.5
"""Share of rows two slices may have in common, of those that either has, for both to be told."""


@dataclass(frozen=True)
class FoundSlice:
    """Rows that have one or two things in common.

    Attributes:
        conditions: what, such as `latitude over 37.7`.
        rows: how many, of all out-of-fold rows.
        tested: rows in the half by which it is judged; the figures that follow are of these.
        score: primary metric on them; `low` and `high` are its 95 % interval.
        others: the same metric on the rows outside.
        p_value: one-sided, "no worse than outside", corrected by Holm for the slices found.
        beyond_noise: whether that is below the level asked for.
    """

    conditions: tuple[str, ...]
    rows: int
    tested: int
    score: float
    low: float
    high: float
    others: float
    p_value: float
    beyond_noise: bool


@dataclass(frozen=True, eq=False)
class _Condition:
    column: str
    words: str
    members: NDArray[np.bool_]


def find_slices(
    spec: DatasetSpec,
    rows: pd.DataFrame,
    losses: FloatArray,
    *,
    clusters: NDArray[Any] | None = None,
    seed: int = 0,
    alpha: float = 0.05,
) -> tuple[FoundSlice, ...]:
    """The worst slices of one or two conditions; none where there are too few rows.

    Those that are worse beyond the noise come first, the largest error before the others.

    Conditions are quarters of numbers and dates, labels, and gaps, of every column but the target. On one half of the
    rows each slice is scored by how far its mean loss is above the others', in standard errors (effect and size in one,
    as SliceLine weighs them: Sagadeeva & Boehm 2021); pairs must beat their parts. The best that differ are tested on
    the other half by Welch's test, so that having searched costs nothing but rows, and Holm's correction is for the
    few that were found.

    Args:
        spec: the contract.
        rows: clean rows, in the order of `losses`.
        losses: loss of each row by a model that had not seen it, (n,); rows with none are passed over.
        clusters: name of each row's cluster, (n,); a cluster is never in both halves.
        seed: of the halves.
        alpha: level of "beyond the noise".
    """
    known = np.isfinite(losses)
    searching = _half(len(rows), clusters, seed) & known
    judging = known & ~searching
    conditions = _conditions(spec, rows, searching, judging)
    if not conditions or losses[searching].std() == 0:
        return ()
    chosen = _worst(conditions, losses, searching, judging)
    judged = [_judged(members & judging, ~members & judging, losses, spec.task) for _, members in chosen]
    corrected = holm([p for *_, p in judged]) if judged else ()
    found = [
        FoundSlice(words, int((members & known).sum()), *figures[:5], float(p), bool(p < alpha))
        for (words, members), figures, p in zip(chosen, judged, corrected, strict=True)
    ]
    return tuple(sorted(found, key=lambda slice_: (not slice_.beyond_noise, -slice_.score)))


def _half(n: int, clusters: NDArray[Any] | None, seed: int) -> NDArray[np.bool_]:
    rng = np.random.default_rng(seed)
    codes = pd.factorize(clusters)[0] if clusters is not None else np.arange(n)
    return np.asarray(rng.permutation(codes.max(initial=0) + 1)[codes] % 2 == 0)


def _conditions(
    spec: DatasetSpec, rows: pd.DataFrame, searching: NDArray[np.bool_], judging: NDArray[np.bool_]
) -> list[_Condition]:
    least = max(FEWEST_ROWS, LEAST_SHARE * searching.sum())
    made = []
    for name, column in spec.columns.items():
        if name == spec.target or column.dtype == "text":
            continue
        for words, members in parts_of(column, rows[name]):
            inside = np.asarray(members)
            big = min((inside & searching).sum(), (inside & judging).sum()) >= least
            rest = min((~inside & searching).sum(), (~inside & judging).sum()) >= least
            if big and rest:
                made.append(_Condition(name, f"{name} {words}" if _is_range(words) else f"{name} is {words}", inside))
    return made


def _is_range(words: str) -> bool:
    return words.startswith(("up to ", "over "))


def _worst(
    conditions: Sequence[_Condition],
    losses: FloatArray,
    searching: NDArray[np.bool_],
    judging: NDArray[np.bool_],
) -> list[tuple[tuple[str, ...], NDArray[np.bool_]]]:
    """Slices that look worst on the searched half, the worst first, unlike each other."""
    values = losses[searching]
    table = np.stack([c.members[searching] for c in conditions]).astype(np.float64)
    alone = _evidence(table.sum(axis=1), table @ values, table @ values**2, values)
    kept = np.argsort(-alone, kind="stable")[:MOST_CONDITIONS]
    part, least = table[kept], max(FEWEST_ROWS, LEAST_SHARE * searching.sum())
    counts = part @ part.T
    pairs = _evidence(counts, (part * values) @ part.T, (part * values**2) @ part.T, values)
    better = pairs > np.maximum(alone[kept][:, None], alone[kept][None, :])
    columns = np.array([conditions[i].column for i in kept], dtype=object)
    allowed = better & (counts >= least) & (columns[:, None] != columns[None, :]) & np.triu(np.ones_like(better), 1)
    ranked: list[tuple[float, tuple[int, ...]]] = [(alone[i], (int(i),)) for i in kept]
    ranked += [(pairs[a, b], (int(kept[a]), int(kept[b]))) for a, b in zip(*np.nonzero(allowed), strict=True)]
    chosen: list[tuple[tuple[str, ...], NDArray[np.bool_]]] = []
    for evidence, at in sorted(ranked, key=lambda entry: (-entry[0], entry[1])):
        members = np.logical_and.reduce([conditions[i].members for i in at])
        if evidence <= 0 or len(chosen) == MOST_FOUND:
            break
        enough = (members & judging).sum() >= FEWEST_ROWS
        if enough and all(_overlap(members, other) < MOST_ALIKE for _, other in chosen):
            chosen.append((tuple(conditions[i].words for i in at), members))
    return chosen


def _evidence(counts: FloatArray, sums: FloatArray, squares: FloatArray, values: FloatArray) -> FloatArray:
    """Welch's t of the mean inside against outside, for slices by their counts and sums."""
    n, total, power = len(values), values.sum(), np.square(values).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        inside, outside = sums / counts, (total - sums) / (n - counts)
        noise = (squares / counts - inside**2) / counts + ((power - squares) / (n - counts) - outside**2) / (n - counts)
        found = (inside - outside) / np.sqrt(noise)
    return np.asarray(np.where(np.isfinite(found), found, -np.inf))


def _overlap(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))


def _judged(
    inside: NDArray[np.bool_], outside: NDArray[np.bool_], losses: FloatArray, task: Task
) -> tuple[int, float, float, float, float, float]:
    """Rows, metric, its interval, the metric outside, and the p-value of "no worse than outside"."""
    ours, theirs = losses[inside], losses[outside]
    mean, error = float(ours.mean()), float(ours.std(ddof=1)) / math.sqrt(len(ours))
    factor = math.exp(1.96 * error / mean) if mean > 0 else math.nan
    p = float(stats.ttest_ind(ours, theirs, equal_var=False, alternative="greater").pvalue)
    figures = (mean, mean / factor, mean * factor, float(theirs.mean()))
    score, low, high, others = (math.sqrt(v) if task is Task.REGRESSION else v for v in figures)
    return len(ours), score, low, high, others, p if math.isfinite(p) else 1.0
