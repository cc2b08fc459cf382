"""The leakage linter: what tells a model more about the target than it will know when it predicts, with the evidence.

Each suspicion has a module: `proxies`, `identifiers`, `crossings`. Whether features are fitted on training rows only is
`fitted_inside`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from ml_assets.validation.crossings import (
    alike_over_the_split,
    groups_over_the_split,
    later_than_the_row,
    later_than_the_test,
)
from ml_assets.validation.findings import Finding, examples
from ml_assets.validation.fitted_inside import check_fitted_inside
from ml_assets.validation.identifiers import identifier_evidence
from ml_assets.validation.outcomes import LEAKAGE, CheckOutcome, severity_of
from ml_assets.validation.proxies import proxy_scores

if TYPE_CHECKING:
    import pandas as pd

    from ml_assets.datasets.spec import DatasetSpec

__all__ = ["check_fitted_inside", "check_leakage"]

TRACE: Final = 0.01
"""Share of rows that may be later than they should: late corrections, and classes that only the last rows have."""
SCORES_SHOWN: Final = 5


def check_leakage(spec: DatasetSpec, table: pd.DataFrame, splits: pd.DataFrame, *, seed: int) -> CheckOutcome:
    """Whether a feature gives the target away, names its row or comes from the future, and the split keeps rows apart.

    A column that the contract accepts under `leakage.accepted` is told of, and fails nothing.

    Args:
        spec: the contract.
        table: clean rows.
        splits: `part` and `fold` of each, in the order of `table`.
        seed: of the sample on which columns predict the target.
    """
    splits = splits.loc[table.index] if not splits.index.equals(table.index) else splits
    scores = proxy_scores(spec, table, splits, seed=seed)
    found = [
        *_proxies(spec, table, splits, scores),
        *_identifiers(spec, table),
        *_future(spec, table),
        *_split(spec, table, splits),
    ]
    accepted = spec.leakage.accepted
    faults = [finding for finding in found if finding.column not in accepted]
    silenced = [f"{f.evidence}; accepted: {accepted[f.column]}" for f in found if f.column in accepted]
    return CheckOutcome(
        name=LEAKAGE,
        passed=not faults,
        blocking=severity_of(spec, LEAKAGE) == "block",
        summary=_summary(spec, faults, silenced),
        figures=_figures(spec, scores, faults, silenced),
        failing_rows=tuple(row for finding in faults for row in finding.rows),
    )


def _proxies(
    spec: DatasetSpec, table: pd.DataFrame, splits: pd.DataFrame, scores: Mapping[str, float]
) -> Iterator[Finding]:
    score_name = "R²" if spec.columns[spec.target].is_number else "accuracy beyond guessing"
    training = np.flatnonzero(splits["part"] == "train")
    for name, score in scores.items():
        if score >= spec.tolerances.proxy:
            evidence = f"column '{name}' alone predicts '{spec.target}' with {score_name} {score:.3f} on held-out rows"
            yield Finding(name, evidence, examples(table, training, (name, spec.target)))


def _identifiers(spec: DatasetSpec, table: pd.DataFrame) -> Iterator[Finding]:
    for name in spec.feature_columns:
        if (evidence := identifier_evidence(spec.columns[name], table[name])) is not None:
            evidence = f"column '{name}' {evidence}, which names rows and describes none"
            yield Finding(name, evidence, examples(table, range(len(table)), (name,)))


def _future(spec: DatasetSpec, table: pd.DataFrame) -> Iterator[Finding]:
    if spec.time is None:
        return
    for name in spec.date_features:
        if name != spec.time:
            later, share = later_than_the_row(spec, table, name)
            if share > TRACE:
                evidence = f"column '{name}' is later than '{spec.time}' in {len(later)} rows ({share:.1%})"
                yield Finding(name, evidence, examples(table, later, (name, spec.time)))


def _split(spec: DatasetSpec, table: pd.DataFrame, splits: pd.DataFrame) -> Iterator[Finding]:
    """What the split lets through; with a group or a time it is that which it keeps, whatever the features."""
    if spec.group is not None:
        rows = groups_over_the_split(spec, table, splits)
        if len(rows):
            evidence = f"{len(rows)} rows have a '{spec.group}' that another side or fold of the split has too"
            yield Finding("", evidence, examples(table, rows, (spec.group,)))
    elif spec.time is not None:
        rows = later_than_the_test(spec, table, splits)
        if len(rows) > TRACE * len(table):
            evidence = f"{len(rows)} training rows are later by '{spec.time}' than the first test row"
            yield Finding("", evidence, examples(table, rows, (spec.time,)))
    elif spec.duplicates != "independent":
        rows = alike_over_the_split(spec, table, splits)
        if len(rows):
            evidence = f"{len(rows)} rows have the features of a row on another side or in another fold of the split"
            yield Finding("", evidence, examples(table, rows, spec.feature_columns[:3]))


def _summary(spec: DatasetSpec, faults: list[Finding], silenced: list[str]) -> str:
    told = "; ".join(finding.evidence for finding in faults)
    columns = list(dict.fromkeys(finding.column for finding in faults if finding.column))
    if columns:
        told += (
            ". Say with `ignored` why a column is no feature; if it is known when the prediction is made, silence it "
            f"in {spec.name}.yaml under `leakage.accepted.{columns[0]}` with the reason"
        )
    good = f"{len(spec.feature_columns)} features give nothing away, and the split keeps rows apart"
    return "; ".join([told or good, *silenced])


def _figures(
    spec: DatasetSpec, scores: Mapping[str, float], faults: list[Finding], silenced: list[str]
) -> dict[str, float | int | str]:
    best = sorted(scores.items(), key=lambda item: -item[1])[:SCORES_SHOWN]
    figures: dict[str, float | int | str] = {
        "features": len(spec.feature_columns),
        "findings": len(faults),
        "accepted": len(silenced),
        "largest_proxy_score": spec.tolerances.proxy,
        **{f"score of {name} alone": score for name, score in best},
    }
    return figures | {f"accepted {number}": text for number, text in enumerate(silenced, start=1)}
