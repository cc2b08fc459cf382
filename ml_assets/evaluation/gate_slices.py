"""Whether a challenger is no worse than the champion on any slice of the rows. What follows from it is the `gate`'s.

A slice is small, so two questions are asked of it. Is it shown to be no worse, by the contract's margin? Where its rows
are too few for that to be shown even of an equal model, is it shown to be worse? The second is corrected for the number
of slices by Holm's method, so that the noise of many small slices does not keep a better model out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.evaluation.clusters import by_cluster
from ml_assets.evaluation.effects import loss_factor, score_of
from ml_assets.evaluation.multiplicity import holm
from ml_assets.evaluation.power import miss_share, noncentrality
from ml_assets.evaluation.significance import paired_rows_test
from ml_assets.evaluation.slices import parts_of
from ml_assets.evaluation.verdict import NAN, Part, SliceResult
from ml_assets.evaluation.wording import listed, percent

if TYPE_CHECKING:
    import numpy.typing as npt

    from ml_assets.datasets.judging import Promotion
    from ml_assets.datasets.spec import Column

TINY = 10
"""Rows, or clusters of them, below which nothing at all is said of a slice."""
NAMES_TOLD = 4


@dataclass(frozen=True, eq=False)
class SliceRows:
    """Which rows a slice has.

    Attributes:
        named: whether the contract names the column, or it is sensitive.
        members: ids of its rows.
    """

    column: str
    name: str
    named: bool
    members: pd.Index[Any]


def slices_of(spec: DatasetSpec, rows: pd.DataFrame) -> tuple[SliceRows, ...]:
    """Slices of clean rows: of the columns that the contract names and the sensitive ones.

    Where there are none: of label and boolean features and the group; without these of the target, by class or by
    quarter of the rows.
    """
    sensitive = [n for n, c in spec.columns.items() if c.sensitive is not None and c.dtype != "text"]
    named = list(dict.fromkeys([*spec.promotion.slices, *sensitive]))
    columns = named or [n for n in spec.feature_columns if spec.columns[n].dtype in ("category", "boolean")]
    if not named and spec.group is not None and spec.group not in columns:
        columns.append(spec.group)
    found = columns or [spec.target]
    return tuple(one for name in found for one in _slices(name, spec.columns[name], rows[name], named=name in named))


def _slices(name: str, column: Column, values: pd.Series[Any], *, named: bool) -> Iterator[SliceRows]:
    for label, members in parts_of(column, values):
        if members.any():
            yield SliceRows(name, label, named, values.index[members])


def judge_slices(
    task: Task,
    slices: Sequence[SliceRows],
    pairs: pd.DataFrame,
    *,
    clusters: npt.NDArray[np.object_] | None,
    alpha: float,
    power: float,
    margin: float,
) -> tuple[SliceResult, ...]:
    """What can be said of each slice.

    Args:
        task: what the losses are of.
        slices: to look at; those without a row among the pairs are left out.
        pairs: columns `champion` and `challenger`, the loss of each row, by row id.
        clusters: of the pairs' rows, where they depend on each other.
        alpha: level of the tests.
        power: chance that a challenger as good as the champion is let through by all slices together is at least
            1 - (1 - power) / 2.
        margin: how much worse a slice may be, as a share of the champion's score on it.
    """
    inside = [(one, np.asarray(pairs.index.isin(one.members))) for one in slices]
    inside = [(one, members) for one, members in inside if members.any()]
    losses = pairs[["champion", "challenger"]].to_numpy(dtype=np.float64)
    needed = 1 - miss_share(power) / max(len(inside), 1)
    factor = loss_factor(task, margin)
    found = []
    for one, members in inside:
        named = None if clusters is None else clusters[members]
        result, shown = _judge(task, one, losses[members], named, alpha=alpha, factor=factor, needed=needed)
        found.append((result, shown))
    worse = holm([result.p_worse for result, _ in found])
    return tuple(
        _concluded(replace(result, p_worse=p), alpha=alpha, could_be_shown=shown)
        for (result, shown), p in zip(found, worse, strict=True)
    )


def _judge(
    task: Task,
    one: SliceRows,
    losses: npt.NDArray[np.float64],
    clusters: npt.NDArray[np.object_] | None,
    *,
    alpha: float,
    factor: float,
    needed: float,
) -> tuple[SliceResult, bool]:
    """The slice without a conclusion; and whether an equal model would be shown to be no worse with power `needed`."""
    means = losses.mean(axis=0)
    old, new = (float(score) for score in score_of(task, means))
    test = paired_rows_test(by_cluster(factor * losses[:, 0] - losses[:, 1], clusters))
    change = new / old - 1 if old > 0 else NAN
    made = SliceResult(one.column, one.name, one.named, len(losses), old, new, change, NAN, NAN, NAN, "too few rows")
    if test.n < TINY or not test.possible:
        return made, False
    reach = noncentrality(test.dof, alpha, needed) * test.standard_error
    ratio = means[1] / means[0] if means[0] > 0 else math.inf
    around = paired_rows_test(by_cluster(losses[:, 1] - ratio * losses[:, 0], clusters)) if means[0] > 0 else None
    error = around.standard_error if around is not None and around.possible else NAN
    highest = ratio + float(stats.t.isf(alpha, test.dof)) * error / means[0] if means[0] > 0 else NAN
    worst = (math.sqrt(highest) if task is Task.REGRESSION else highest) - 1 if highest >= 0 else NAN
    result = replace(made, worst_change=worst, p_no_worse=test.p_one_sided, p_worse=1 - test.p_one_sided)
    return result, (factor - 1) * float(means[0]) >= reach


def _concluded(result: SliceResult, *, alpha: float, could_be_shown: bool) -> SliceResult:
    if math.isnan(result.p_no_worse):
        return result
    if result.p_worse < alpha:
        return replace(result, state="worse")
    if result.p_no_worse < alpha:
        return replace(result, state="no worse")
    return replace(result, state="not shown" if could_be_shown else "unclear")


def slices_part(results: Sequence[SliceResult], rules: Promotion) -> Part:
    """Whether the slices let the challenger pass, in words."""
    name = "no slice worse"
    if not results:
        return Part(name, "not asked", "there are no slices to look at")
    margin = percent(rules.non_inferiority_margin)
    by_state = {state: [r for r in results if r.state == state] for state in SLICE_STATES}
    if by_state["worse"]:
        told = [f"{_label(r)} ({percent(r.change)} worse)" for r in by_state["worse"][:NAMES_TOLD]]
        return Part(name, "failed", f"it is worse by more than {margin}, beyond the noise, on {listed(told)}")
    if by_state["not shown"]:
        told = [
            f"{_label(r)} (up to {percent(r.worst_change)} worse by its interval)"
            for r in by_state["not shown"][:NAMES_TOLD]
        ]
        return Part(name, "failed", f"it is not shown to be less than {margin} worse on {listed(told)}")
    unsaid = [r for r in results if refuses(r, rules)]
    if unsaid:
        told = [f"{_label(r)} ({r.rows} {'row' if r.rows == 1 else 'rows'})" for r in unsaid[:NAMES_TOLD]]
        more = f" and {len(unsaid) - NAMES_TOLD} more" if len(unsaid) > NAMES_TOLD else ""
        return Part(
            name,
            "cannot be said",
            f"whether it is worse cannot be said of {listed(told)}{more}: too few rows; "
            "`promotion.unclear_slices: report` in the contract lets it pass all the same",
        )
    shown, unclear = len(by_state["no worse"]), len(by_state["unclear"]) + len(by_state["too few rows"])
    rest = f"; {unclear} have too few rows to show that, and are not shown to be worse" if unclear else ""
    return Part(name, "passed", f"less than {margin} worse on {shown} of {len(results)} slices{rest}")


SLICE_STATES = ("no worse", "worse", "not shown", "unclear", "too few rows")


def refuses(result: SliceResult, rules: Promotion) -> bool:
    """Whether a slice of which nothing can be said keeps the challenger out."""
    if result.state not in ("unclear", "too few rows") or rules.unclear_slices == "report":
        return False
    return rules.unclear_slices == "refuse" or (result.state == "too few rows" and result.named)


def _label(result: SliceResult) -> str:
    return f"{result.column} {result.name}"
