"""Whether a target can be learnt: there, finite, varying, enough rows to split. Other checks: next door."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ml_assets.datasets.spec import Task
from ml_assets.validation import schemas

if TYPE_CHECKING:
    import pandas as pd

    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.validation.outcomes import FailingRow
    from ml_assets.validation.subject import Subject

Findings = tuple[list[str], str, dict[str, float | int | str], tuple["FailingRow", ...]]


def fewest_rows(spec: DatasetSpec) -> int:
    """Rows a table must have at least: two a fold for training, and two for the test."""
    return max(math.ceil(2 * spec.folds / (1 - spec.test_share)), math.ceil(2 / spec.test_share))


def fewest_of_class(spec: DatasetSpec) -> int:
    """Rows each class must have at least: one a fold for training, and one for the test."""
    return max(math.ceil(spec.folds / (1 - spec.test_share)), spec.folds + 1)


def check_target(subject: Subject) -> Findings:
    """Faults of the target, the sentence when there are none, figures, and the rows that fail."""
    spec = subject.spec
    if spec.target not in subject.sound:
        return [f"target '{spec.target}' is missing or of the wrong type"], "", {}, ()
    cases = schemas.failures(schemas.finite_target(spec), subject.table)
    faults = [
        *subject.sentences(cases[cases["check"] == "missing"], lambda _: "missing, and it is the target"),
        *subject.sentences(cases[cases["check"] == "infinite"], lambda _: "that must not be infinite"),
    ]
    target = subject.table[spec.target].dropna()
    figures: dict[str, float | int | str] = {
        "missing": int(subject.table[spec.target].isna().sum()),
        "infinite": int((cases["check"] == "infinite").sum()),
    }
    learn = _classes if spec.task is Task.CLASSIFICATION else _numbers
    more_faults, good, more_figures = learn(spec, target)
    return faults + more_faults, good, {**figures, **more_figures}, subject.rows(cases)


def _numbers(spec: DatasetSpec, target: pd.Series) -> tuple[list[str], str, dict[str, float | int | str]]:
    finite = target[np.isfinite(target.to_numpy(dtype=np.float64))]
    faults = _too_few(spec, len(finite))
    if len(finite) > 1 and finite.nunique() == 1:
        faults.append(f"target '{spec.target}' is {finite.iloc[0]:g} in every row: nothing can be learnt")
    if not len(finite):
        return faults, "", {"rows": 0}
    figures = {"rows": len(finite), "smallest": float(finite.min()), "largest": float(finite.max())}
    return faults, f"{len(finite)} finite targets, {finite.min():g} … {finite.max():g}", dict(figures)


def _classes(spec: DatasetSpec, target: pd.Series) -> tuple[list[str], str, dict[str, float | int | str]]:
    counts = {str(label): int(n) for label, n in target.value_counts().items()}
    faults = _too_few(spec, len(target))
    if len(counts) == 1:
        faults.append(f"target '{spec.target}' has only the class '{next(iter(counts))}', and two are needed")
    fewest = fewest_of_class(spec)
    small = [f"'{label[:40]}' ({n})" for label, n in counts.items() if n < fewest]
    if small:
        faults.append(
            f"target '{spec.target}' has classes with fewer than the {fewest} rows that the test part and "
            f"{spec.folds} folds need: {', '.join(small[:10])}"
        )
    good = ", ".join(f"{n} {label}" for label, n in counts.items())
    smallest = min(counts.values(), default=0)
    return faults, good, {"rows": len(target), "classes": len(counts), "smallest_class": smallest}


def _too_few(spec: DatasetSpec, rows: int) -> list[str]:
    if rows >= fewest_rows(spec):
        return []
    return [
        f"{rows} rows with a target cannot be split into a test part of {spec.test_share:.0%} and "
        f"{spec.folds} folds: at least {fewest_rows(spec)} are needed"
    ]
