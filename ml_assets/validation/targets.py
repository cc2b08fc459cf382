"""Whether a target can be learnt: there, finite, varying, enough rows to split. Other checks: next door."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import polars as pl

from ml_assets.datasets.spec import Task
from ml_assets.validation import schemas
from ml_assets.validation.cases import Cases

if TYPE_CHECKING:
    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.validation.outcomes import CheckOutcome
    from ml_assets.validation.subject import Subject

CLASSES_SHOWN: Final = 10

Findings = tuple[list[str], str, dict[str, float | int | str]]


def fewest_rows(spec: DatasetSpec) -> int:
    """Rows a table must have at least: two a fold for training, and two for the test."""
    return max(math.ceil(2 * spec.folds / (1 - spec.test_share)), math.ceil(2 / spec.test_share))


def fewest_of_class(spec: DatasetSpec) -> int:
    """Rows each class must have at least: one a fold for training, and one for the test."""
    return max(math.ceil(spec.folds / (1 - spec.test_share)), spec.folds + 1)


def check_target(subject: Subject) -> CheckOutcome:
    """The target can be learnt. With a key any share of it may be missing: those rows await their label."""
    spec, name = subject.spec, subject.spec.target
    if name not in subject.sound:
        return subject.outcome("target", [f"target '{name}' is missing or of the wrong type"], "", {})
    missing = _missing(subject)
    infinite = _infinite(subject)
    learn = _classes if spec.task is Task.CLASSIFICATION else _numbers
    more_faults, good, more_figures = learn(spec, subject.table[name].drop_nulls())
    faults = [
        *subject.sentences(missing, lambda _: "missing, and it is the target"),
        *subject.sentences(infinite, lambda _: "that must not be infinite"),
        *more_faults,
    ]
    lacking = "awaiting_label" if spec.key else "missing"
    figures = {lacking: subject.missing(name), "infinite": infinite.total, **more_figures}
    if spec.key and subject.missing(name):
        good += f"; {subject.missing(name)} rows are awaiting their label"
    cases = Cases.joined([missing, infinite])
    return subject.outcome("target", faults, good, figures, cases)


def _missing(subject: Subject) -> Cases:
    name, count = subject.spec.target, subject.missing(subject.spec.target)
    allowed = 1.0 if subject.spec.key else subject.spec.columns[name].missing_share
    if not count or count / subject.rows_in <= allowed:
        return Cases()
    return subject.judged(name, schemas.present(name), pl.col(name).is_null(), count)


def _infinite(subject: Subject) -> Cases:
    name, values = subject.spec.target, subject.table[subject.spec.target]
    if values.dtype != pl.Float64 or not (count := int(values.is_infinite().sum())):
        return Cases()
    return subject.judged(name, schemas.finite(name), pl.col(name).is_infinite(), count)


def _numbers(spec: DatasetSpec, target: pl.Series) -> Findings:
    finite = target.cast(pl.Float64)
    finite = finite.filter(finite.is_finite())
    faults = _too_few(spec, len(finite))
    if not len(finite):
        return faults, "", {"rows": 0}
    smallest, largest = float(finite.min()), float(finite.max())  # type: ignore[arg-type]
    if len(finite) > 1 and smallest == largest:
        faults.append(f"target '{spec.target}' is {smallest:.12g} in every row: nothing can be learnt")
    figures = {"rows": len(finite), "smallest": smallest, "largest": largest}
    return faults, f"{len(finite)} finite targets, {smallest:.12g} … {largest:.12g}", dict(figures)


def _classes(spec: DatasetSpec, target: pl.Series) -> Findings:
    counted = target.alias("label").value_counts().sort(["count", "label"], descending=[True, False])
    counts = {str(label): int(n) for label, n in counted.rows()}
    faults = _too_few(spec, len(target))
    if len(counts) == 1:
        faults.append(f"target '{spec.target}' has only the class '{next(iter(counts))}', and two are needed")
    fewest = fewest_of_class(spec)
    small = [f"'{label[:40]}' ({n})" for label, n in counts.items() if n < fewest]
    if small:
        more = f" and {len(small) - CLASSES_SHOWN} more" if len(small) > CLASSES_SHOWN else ""
        faults.append(
            f"target '{spec.target}' has classes with fewer than the {fewest} rows that the test part and "
            f"{spec.folds} folds need: {', '.join(small[:CLASSES_SHOWN])}{more}"
        )
    shown = [f"{n} {label[:40]}" for label, n in counts.items()]
    more = f" and {len(shown) - CLASSES_SHOWN} classes more" if len(shown) > CLASSES_SHOWN else ""
    smallest = min(counts.values(), default=0)
    figures = {"rows": len(target), "classes": len(counts), "smallest_class": smallest}
    return faults, ", ".join(shown[:CLASSES_SHOWN]) + more, dict(figures)


def _too_few(spec: DatasetSpec, rows: int) -> list[str]:
    if rows >= fewest_rows(spec):
        return []
    return [
        f"{rows} rows with a target cannot be split into a test part of {spec.test_share:.0%} and "
        f"{spec.folds} folds: at least {fewest_rows(spec)} are needed"
    ]
