"""What a page says of a promotion verdict. The verdict itself is `verdict`, reaching one is `gate`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ml_assets.datasets.spec import Task
from ml_assets.evaluation.metrics import METRICS
from ml_assets.evaluation.section import Section
from ml_assets.evaluation.tables import Table
from ml_assets.evaluation.wording import number, p_value, percent

if TYPE_CHECKING:
    from ml_assets.evaluation.verdict import Verdict

STATES = {"passed": "yes", "failed": "no", "cannot be said": "cannot be said", "not asked": "not asked"}
LABELS = {name: metric.label for task in Task for name, metric in METRICS[task].items()}


def verdict_section(verdict: Verdict) -> Section:
    """The verdict in words and tables: what was decided, by which questions, and from what."""
    tables = (_parts_table(verdict), _figures_table(verdict), _slices_table(verdict), _limits_table(verdict))
    return Section(
        key="verdict",
        title="The promotion verdict",
        paragraphs=(*_decision(verdict), *verdict.notes, *_closing(verdict)),
        tables=tuple(table for table in (*tables, _inputs_table(verdict)) if table.rows),
    )


def _decision(verdict: Verdict) -> list[str]:
    if verdict.forced is None:
        return [_sentence(verdict.reason)]
    force = verdict.forced
    return [f"{force.by} overruled the gate on {force.at}, with the reason: {force.reason}", _sentence(verdict.reason)]


def _closing(verdict: Verdict) -> list[str]:
    said = []
    if math.isfinite(verdict.detectable):
        unit = LABELS.get(verdict.metric, verdict.metric)
        said.append(
            f"With {verdict.n:,} rows the gate promotes a challenger that is truly {percent(verdict.detectable_share)} "
            f"better ({number(verdict.detectable, 3)} of {unit}) with a chance of "
            f"about {percent(verdict.power)}, and one that is no better with a chance of at most "
            f"{percent(verdict.alpha)}. A smaller improvement may be real and still be refused."
        )
    if verdict.breaches:
        said.append(f"The champion that stays breaks a limit of the contract: {'; '.join(verdict.breaches)}.")
    return said


def _parts_table(verdict: Verdict) -> Table:
    rows = tuple((part.name, STATES[part.state], _sentence(part.words)) for part in verdict.parts)
    return Table("What the gate asked of the challenger", ("Question", "Answer", "Why"), rows)


def _figures_table(verdict: Verdict) -> Table:
    if not math.isfinite(verdict.champion_score):
        return Table("Champion and challenger on the same rows", (), ())
    label = LABELS.get(verdict.metric, verdict.metric)
    level = percent(1 - verdict.alpha)
    rows = (
        (f"{label}, champion", number(verdict.champion_score)),
        (f"{label}, challenger", number(verdict.challenger_score)),
        ("Improvement", number(verdict.score_change)),
        (f"its {level} interval", f"{number(verdict.score_low)} to {number(verdict.score_high)}"),
        ("Improvement as a share", percent(verdict.share)),
        (f"its {level} interval", f"{percent(verdict.share_low)} to {percent(verdict.share_high)}"),
        ("Student's paired t-test, one-sided", p_value(verdict.p_t)),
        ("Bootstrap-t, one-sided", p_value(verdict.p_bootstrap)),
        ("Limit for both", f"{verdict.alpha:g}"),
        ("Rows compared", f"{verdict.n:,}"),
        ("Independent groups of them", f"{verdict.clusters:,}"),
        ("Challengers judged on them so far", f"{verdict.looks:,}"),
    )
    return Table("Champion and challenger on the same rows, which neither was trained on", ("What", "Figure"), rows)


def _slices_table(verdict: Verdict) -> Table:
    rows = tuple(
        (
            f"{one.column}: {one.name}",
            f"{one.rows:,}",
            number(one.champion_score),
            number(one.challenger_score),
            _change(one.change),
            _change(one.worst_change),
            one.state,
        )
        for one in verdict.slices
    )
    header = ("Slice", "Rows", "Champion", "Challenger", "Change", "At worst", "Verdict")
    caption = (
        f"Slices: change of the score (above 0 is worse) and the end of its {percent(1 - verdict.alpha)} one-sided "
        f"interval; up to {percent(verdict.margin)} worse is let through"
    )
    return Table(caption, header, rows)


def _limits_table(verdict: Verdict) -> Table:
    rows = tuple(
        (one.words.partition(":")[0], f"{one.limit:g}", number(one.value), STATES[one.state]) for one in verdict.limits
    )
    return Table("Limits of the contract", ("What", "Limit", "Measured", "Kept"), rows)


def _inputs_table(verdict: Verdict) -> Table:
    rows = tuple((name.replace("_", " "), value) for name, value in verdict.inputs.items())
    return Table("What the verdict was made from", ("Input", "Hash"), rows)


def _change(share: float) -> str:
    return f"{100 * share:+.1f} %" if math.isfinite(share) else "cannot be said"


def _sentence(words: str) -> str:
    """A capital at the beginning, one stop at the end."""
    return f"{words[:1].upper()}{words[1:].rstrip('.')}." if words else words
