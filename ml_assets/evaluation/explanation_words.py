"""What a page says of a model's explanations. Making them belongs in `explain`, drawing in `explanation_plots`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ml_assets.datasets.spec import Task
from ml_assets.evaluation.metrics import METRICS, primary_metric
from ml_assets.evaluation.section import Section
from ml_assets.evaluation.tables import Table
from ml_assets.evaluation.wording import listed, number, percent, quantity

if TYPE_CHECKING:
    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.evaluation.counterfactuals import Counterfactual
    from ml_assets.evaluation.explain import Example, Explanations

MOST_ROWS = 12
MOST_ADDED = 6
STRONG = 0.1
CLEAR = 0.5


def explanations_section(spec: DatasetSpec, found: Explanations) -> Section:
    """Which columns the answers depend on, how, and three rows one by one."""
    tables = (_importance_table(spec, found), *(_example_table(example) for example in found.examples))
    return Section(
        "explanations",
        "What its answers depend on",
        (*_leaning(spec, found), *_together(found), *(example_words(spec, example) for example in found.examples)),
        tuple(table for table in tables if table.rows),
        ("shap", "partial_dependence"),
    )


def shap_words(spec: DatasetSpec, found: Explanations) -> str:
    """The plot of SHAP values in words."""
    top = found.shap.head(6)
    told = [f"{name} {number(size, 3)}" for name, size in zip(top["column"], top["mean_absolute"], strict=True)]
    return f"Mean absolute contribution to {_output(spec)} over {found.explained_rows} test rows: {', '.join(told)}"


def dependence_words(found: Explanations) -> str:
    """The plot of partial dependence in words."""
    told = []
    for one in found.dependence:
        mean = one.mean[:, -1]
        told.append(
            f"{one.column} from {one.labels[0]} to {one.labels[-1]}: {number(float(mean[0]), 3)} to "
            f"{number(float(mean[-1]), 3)}, between {number(float(mean.min()), 3)} and {number(float(mean.max()), 3)}"
        )
    return "; ".join(told)


def _output(spec: DatasetSpec) -> str:
    return "the answer" if spec.task is Task.REGRESSION else "the probabilities"


def _leaning(spec: DatasetSpec, found: Explanations) -> tuple[str, ...]:
    sure = found.importance[found.importance["low"] > 0]["feature"].tolist()
    label = METRICS[spec.task][primary_metric(spec.task)].label
    if not sure:
        return ("Shuffling any one column makes no clear difference to the score: no column is needed by itself.",)
    first = f"The score leans most on {listed(sure[:3])}" if len(sure) > 1 else f"The score leans on {sure[0]} alone"
    said = (
        f"{first}: shuffling {sure[0]} adds {number(found.importance['mean'].iloc[0], 3)} to the {label}. Columns that "
        "carry the same information share their importance. That an answer depends on a column does not say that "
        "changing it in the world would change the outcome."
    )
    slopes = {one.column: one.slope for one in found.dependence}
    told = [
        f"{'higher' if slopes[name] > 0 else 'lower'} with more {name}"
        for name in sure[:3]
        if abs(slopes.get(name, 0.0)) >= CLEAR
    ]
    what = "Answers are" if spec.task is Task.REGRESSION else f"The probability of {found.classes[-1]} is"
    return (said, f"{what} {listed(told)}, as a rule.") if told else (said,)


def _together(found: Explanations) -> tuple[str, ...]:
    if not found.interactions:
        return ()
    strongest = found.interactions[0]
    share = f"{percent(strongest.strength)} of their joint effect is not the sum of the two (H², Friedman & Popescu)"
    if strongest.strength < STRONG:
        return (
            f"The most important columns hardly work together: {strongest.first} and {strongest.second} most, {share}.",
        )
    return (f"{strongest.first} and {strongest.second} work together: {share}.",)


def _importance_table(spec: DatasetSpec, found: Explanations) -> Table:
    sizes = dict(zip(found.shap["column"], found.shap["mean_absolute"], strict=True))
    top = found.importance.head(MOST_ROWS)
    rows = tuple(
        (
            str(name),
            number(float(mean), 3),
            f"{number(float(low), 3)} to {number(float(high), 3)}",
            number(float(sizes[name]), 3) if name in sizes else "with the others",
        )
        for name, mean, low, high in zip(*(top[c] for c in ("feature", "mean", "low", "high")), strict=True)
    )
    label = METRICS[spec.task][primary_metric(spec.task)].label
    caption = (
        f"Columns by what shuffling them adds to the {label} ({found.importance_rows:,} test rows, five shuffles), and "
        f"their mean absolute SHAP value ({found.explained_rows:,} rows)"
    )
    return Table(caption, ("Column", "Added by shuffling", "95 % interval", "Mean absolute SHAP"), rows)


def example_words(spec: DatasetSpec, example: Example) -> str:
    """One row in words: its answer, what most of it is, and what would change it."""
    target = spec.columns[spec.target]
    if spec.task is Task.REGRESSION:
        said = quantity(number(float(example.answer), 4), target.unit)
        against = f"against {quantity(number(example.base, 4), target.unit)} where nothing is known"
    else:
        said = f"“{example.answer}” with a probability of {percent(example.output)}"
        against = f"against {percent(example.base)} where nothing is known"
    top = listed([f"{name} ({value}) {_signed(added)}" for name, value, added in example.values[:3]])
    told = f"The row with {example.why} is answered {said}, {against}; most of that is {top}."
    return f"{told} {_what_if(spec, example.what_if)}"


def _what_if(spec: DatasetSpec, found: Counterfactual) -> str:
    if not found.changes:
        return "No value of one or two columns that was observed would change the answer much."
    told = listed([f"{c.column} were {_short(c.after)} instead of {_short(c.before)}" for c in found.changes])
    answer = found.answer if isinstance(found.answer, str) else number(float(found.answer), 4)
    said = f"“{answer}”" if spec.task is Task.CLASSIFICATION else quantity(str(answer), spec.columns[spec.target].unit)
    return f"It would be {said} if {told}."


def _short(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _signed(value: float) -> str:
    return f"{'+' if value >= 0 else '−'}{number(abs(value), 3)}" if math.isfinite(value) else "not defined"


def _example_table(example: Example) -> Table:
    rows = tuple((name, value, _signed(added)) for name, value, added in example.values[:MOST_ADDED])
    return Table(f"The row with {example.why}, column by column", ("Column", "Value", "Adds"), rows)
