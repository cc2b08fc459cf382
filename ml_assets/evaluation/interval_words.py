"""What a page says of a model's intervals or sets. Measuring them belongs in `coverage`, making them in `learning`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ml_assets.datasets.spec import Task
from ml_assets.evaluation.coverage import coverage_levels, percent_of
from ml_assets.evaluation.section import Section
from ml_assets.evaluation.tables import Table
from ml_assets.evaluation.wording import listed, number, percent, quantity

if TYPE_CHECKING:
    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.evaluation.record import Evaluation

NORMAL = 1.96
BEYOND_NOISE = 2.0


def intervals_section(spec: DatasetSpec, evaluation: Evaluation) -> Section:
    """What intervals or sets promise, how often they held the truth on test rows, and how wide they are."""
    found, coverage = evaluation.test_metrics, spec.intervals.coverage
    held = found.get(f"coverage_{percent_of(coverage)}", math.nan)
    title = "Intervals" if spec.task is Task.REGRESSION else "Sets of classes"
    if not math.isfinite(held):
        none = "This model has none, or they could not be measured: too few rows have a truth that it had not seen."
        return Section("intervals", title, (none,))
    said = (_held(spec, evaluation, held), *_width(spec, evaluation), *_without_promise(evaluation))
    return Section("intervals", title, said, (_table(spec, evaluation),))


def _held(spec: DatasetSpec, evaluation: Evaluation, held: float) -> str:
    coverage, n = spec.intervals.coverage, evaluation.test_rows
    noise = math.sqrt(coverage * (1 - coverage) / n)
    what = "intervals" if spec.task is Task.REGRESSION else "sets"
    told = f"Of {percent(coverage)} {what}, {percent(held)} held the truth on the {n:,} test rows"
    if held < coverage - BEYOND_NOISE * noise:
        return f"{told}: fewer than promised, beyond what chance does with so many rows."
    if held > coverage + BEYOND_NOISE * noise:
        return f"{told}: more than promised, so they could be narrower."
    return f"{told}, as promised; chance alone moves that by {percent(NORMAL * noise)} either way."


def _width(spec: DatasetSpec, evaluation: Evaluation) -> list[str]:
    found, name = evaluation.test_metrics, percent_of(spec.intervals.coverage)
    if spec.task is Task.CLASSIFICATION:
        told = [f"A set has {number(found[f'set_size_{name}'], 3)} classes on average, and never none."]
        if found["accuracy"] > spec.intervals.coverage:
            told.append("The likeliest class alone is right more often than the sets have to be.")
        return told
    width, plain = found[f"width_{name}"], found[f"plain_width_{name}"]
    unit = spec.columns[spec.target].unit
    told = [f"They are {quantity(number(width, 3), unit)} wide on average."]
    if not math.isclose(width, plain, rel_tol=0.005):
        change = f"{percent(abs(width / plain - 1))} {'narrower' if width < plain else 'wider'}"
        one = quantity(number(plain, 3), unit)
        told.append(
            f"Difficult rows have wider ones; of one width they would be {one}, so these are {change} on average."
        )
    return told


def _without_promise(evaluation: Evaluation) -> list[str]:
    if not evaluation.without_promise:
        return []
    named = listed([f"“{label}”" for label in evaluation.without_promise])
    return [f"Of {named} nothing is promised: none of the rows that the sets were calibrated on has that class."]


def _table(spec: DatasetSpec, evaluation: Evaluation) -> Table:
    found, regression = evaluation.test_metrics, spec.task is Task.REGRESSION
    size = "width" if regression else "set_size"
    levels = [level for level in coverage_levels(spec) if f"coverage_{percent_of(level)}" in found]
    rows = tuple(
        (
            percent(level),
            percent(found[f"coverage_{percent_of(level)}"]),
            number(found[f"{size}_{percent_of(level)}"], 3),
            *((number(found[f"plain_width_{percent_of(level)}"], 3),) if regression else ()),
        )
        for level in levels
    )
    unit = spec.columns[spec.target].unit
    mean = f"Mean width{f' ({unit})' if unit else ''}" if regression else "Mean number of classes"
    header = ("Promised", "Held the truth on test rows", mean, *(("Were they all as wide",) if regression else ()))
    return Table("What was promised and what was kept", header, rows)
