"""Checks of rows against each other: keys, copies, and rows that differ in nothing but the target.

Rows are told apart by the hashes of `raw.row_hashes`. Checks of single values belong in `contract_checks`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ml_assets.datasets.raw import occurrences
from ml_assets.validation import schemas
from ml_assets.validation.cases import Cases
from ml_assets.validation.subject import LARGEST_HANDED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ml_assets.validation.outcomes import CheckOutcome
    from ml_assets.validation.subject import Subject


def check_uniqueness(subject: Subject) -> CheckOutcome:
    """No part of the key is missing; key and `unique` columns name a row once. A row with a gap there names none."""
    spec = subject.spec
    parts = Cases.joined(
        subject.judged(name, schemas.present(name), pl.col(name).is_null(), subject.missing(name))
        for name in spec.key
        if name in subject.sound and subject.missing(name)
    )
    faults = subject.sentences(parts, lambda _: "missing, and it is part of the key")
    keys = [k for k in dict.fromkeys((*([spec.key] if spec.key else []), *spec.unique)) if set(k) <= set(subject.sound)]
    found = [(key, _repeats(subject, key)) for key in keys]
    for key, cases in found:
        if cases.total:
            rows = f"{cases.total} {'row repeats' if cases.total == 1 else 'rows repeat'}"
            where = subject.rows_text(cases, cases.total)
            faults.append(f"{rows} the {', '.join(key)} of an earlier row ({where})")
    figures = {
        "keys": len(keys),
        "key_parts_missing": parts.total,
        "rows_repeated": sum(cases.total for _, cases in found),
    }
    good = "no key names two rows" if keys else "the contract names nothing that is unique"
    return subject.outcome("uniqueness", faults, good, figures, Cases.joined([parts, *(cases for _, cases in found)]))


def check_duplicates(subject: Subject) -> CheckOutcome:
    """The share of exact copies of earlier rows is within the contract."""
    limit, rows = subject.spec.duplicate_share, subject.rows_in
    positions = subject.copies[0] if subject.sound else np.empty(0, dtype=np.uint32)
    copies, share = len(positions), len(positions) / max(1, rows)
    figures = {"duplicates": copies, "share": share, "largest_share": limit}
    good = f"{copies} rows ({share:.1%}) are exact copies of earlier ones; up to {limit:.0%} are allowed"
    if share <= limit:
        return subject.outcome("duplicates", [], good, figures)
    cases = subject.marked(positions, "", "copy of an earlier row", rule="repeated")
    fault = (
        f"{copies} of {rows} rows ({share:.1%}) are exact copies of earlier ones, more than "
        f"the {limit:.0%} allowed ({subject.rows_text(cases, copies)})"
    )
    return subject.outcome("duplicates", [fault], good, figures, cases)


def check_label_noise(subject: Subject) -> CheckOutcome:
    """Few rows have the features of another row and a different target; rows without a target do not count."""
    name, limit = subject.spec.target, subject.spec.tolerances.label_noise
    if name not in subject.sound:
        return subject.outcome("label_noise", [], "the target cannot be looked at", {})
    positions, groups = _at_odds(subject)
    rows, noisy = subject.rows_in - subject.missing(name), len(positions)
    share = noisy / max(1, rows)
    figures = {"rows": noisy, "share": share, "largest_share": limit, "groups": groups}
    told = f"{noisy} of {rows} rows ({share:.1%}) have the features of another row and a different target"
    if share <= limit:
        return subject.outcome("label_noise", [], f"{told}; up to {limit:.0%} are allowed", figures)
    values = subject.table[name].gather(positions[:LARGEST_HANDED]).cast(pl.String).to_list()
    cases = subject.marked(positions, name, values, rule="noisy")
    fault = f"{told}, more than the {limit:.0%} allowed ({subject.rows_text(cases, noisy)})"
    return subject.outcome("label_noise", [fault], "", figures, cases)


def _repeats(subject: Subject, key: tuple[str, ...]) -> Cases:
    """Rows whose values in `key` an earlier row has."""
    positions, hashes = subject.repeats(key)
    rows = subject.table.select(key)
    named = rows[positions].select(pl.all_horizontal(pl.all().is_not_null())).to_series().to_numpy()
    later = positions[named & (occurrences(hashes) > 0)]
    texts = [", ".join(map(str, row)) for row in rows[later[:LARGEST_HANDED]].rows()]
    return subject.marked(later, ", ".join(key), texts, rule="repeated") if len(later) else Cases()


def _at_odds(subject: Subject) -> tuple[NDArray[Any], int]:
    """Positions of rows that share their features and not their target, and how many groups they form."""
    positions, hashes = subject.alike
    alike = pl.DataFrame({"position": positions, "features": hashes})
    alike = alike.with_columns(target=subject.table[subject.spec.target].gather(positions)).drop_nulls("target")
    noisy = alike.filter(pl.col("target").n_unique().over("features") > 1)
    return noisy["position"].to_numpy(), noisy["features"].n_unique()
