"""What differs between the cards of two versions, as figures; what is said of it belongs in `card_difference_page`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ml_assets.errors import IntegrityError, UserError
from ml_assets.evaluation.card_document import FORMAT
from ml_assets.evaluation.documents import as_float
from ml_assets.evaluation.significance import corrected_paired_t

T = TypeVar("T")
Change = tuple[Any, Any]
"""What it was and what it is; None for what is not there."""
Document = Mapping[str, Any]

MADE_BY = ("family", "seed", "code_version")
NORMAL = 1.96
BY_GATE, BY_FOLDS, BY_INTERVALS, BY_ERRORS = "the gate", "paired folds", "intervals", "standard errors"


@dataclass(frozen=True)
class ScoreChange:
    """One metric on one set of rows, then and now.

    Attributes:
        rows: `cross_validated`, `out_of_fold` or `test`.
        better: whether it improved; None where it did not change, or one of the two is no number.
        beyond_noise: whether the change is more than chance; None where that cannot be said.
        judged_by: what says so; empty where nothing does.
    """

    name: str
    label: str
    rows: str
    before: float
    after: float
    better: bool | None
    beyond_noise: bool | None = None
    judged_by: str = ""


@dataclass(frozen=True)
class SliceChange:
    """One slice of a column, then and now, lower scores being better; NaN where a version lacks it."""

    column: str
    name: str
    before: float
    after: float
    apart: bool | None


@dataclass(frozen=True)
class CardDifference:
    """How the card `after` differs from `before`, both JSON documents of `CardDocument`.

    Attributes:
        scores: every metric, the primary one first.
        settings: of the winner, that changed; `same_settings` counts the others.
        data: hashes, versions and counts of rows that changed.
        features: added and removed.
        libraries: versions that changed.
        identity: family, seed and code that changed.
        same_rows: whether both were scored on the same folds and test rows.
    """

    before: Document
    after: Document
    scores: tuple[ScoreChange, ...]
    settings: Mapping[str, Change]
    same_settings: int
    data: Mapping[str, Change]
    features: tuple[tuple[str, ...], tuple[str, ...]]
    libraries: Mapping[str, Change]
    same_libraries: int
    identity: Mapping[str, Change]
    slices: tuple[SliceChange, ...]
    same_rows: bool

    def to_dict(self) -> dict[str, Any]:
        """The difference as a document, without the two cards themselves."""
        return {
            "from": self.before["identity"],
            "to": self.after["identity"],
            "same_rows": self.same_rows,
            "scores": [vars(score) for score in self.scores],
            "settings": self.settings,
            "data": self.data,
            "features": {"added": self.features[0], "removed": self.features[1]},
            "libraries": self.libraries,
            "identity": self.identity,
            "slices": [vars(part) for part in self.slices],
        }


def difference(before: Document, after: Document) -> CardDifference:
    """What changed from one version's card to another's.

    Raises:
        IntegrityError: one of them is no card of this form.
        UserError: they are about different tasks or datasets.
    """
    for document in (before, after):
        if document.get("format") != FORMAT or "figures" not in document:
            raise IntegrityError("one of the two cards has another form than this program writes; make it again")
    old, new = before["figures"], after["figures"]
    if (before["identity"]["dataset"], old["task"]) != (after["identity"]["dataset"], new["task"]):
        raise UserError(
            f"{after['identity']['dataset']}: version {before['identity']['version']} is a {old['task']} of "
            f"{before['identity']['dataset']}, version {after['identity']['version']} a {new['task']}; their scores "
            "cannot be compared"
        )
    whose, whose_now = before["identity"], after["identity"]
    settings = changes(old["settings"], new["settings"])
    libraries = changes(whose["libraries"], whose_now["libraries"])
    same_rows = whose["splits_hash"] == whose_now["splits_hash"]
    return CardDifference(
        before=before,
        after=after,
        scores=(*_primary(before, after, same_rows), *_scores(old, new)),
        settings=settings,
        same_settings=len({**old["settings"], **new["settings"]}) - len(settings),
        data=_data(before, after),
        features=(_missing(new["features"], old["features"]), _missing(old["features"], new["features"])),
        libraries=libraries,
        same_libraries=len({**whose["libraries"], **whose_now["libraries"]}) - len(libraries),
        identity=changes(*({name: side.get(name) for name in MADE_BY} for side in (whose, whose_now))),
        slices=_slices(old.get("slices", {}), new.get("slices", {})),
        same_rows=same_rows,
    )


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Change]:
    """What differs by name, as (then, now); None for what is not there."""
    names = {**before, **after}
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}


def _primary(before: Document, after: Document, same_rows: bool) -> tuple[ScoreChange, ScoreChange]:
    """The metric that models are chosen by: cross-validated, judged by gate or folds, and on the test rows."""
    old, new, name = before["figures"]["primary"], after["figures"]["primary"], after["figures"]["metric"]
    label = after["figures"]["scores"][name]["label"]
    folded = _change(name, label, "cross_validated", old["cross_validated"], new["cross_validated"], lower=True)
    beyond, by = _by_gate(before, after) if folded.better else None, BY_GATE
    if beyond is None and same_rows:
        beyond, by = _by_folds(old["fold_scores"], new["fold_scores"], new.get("folds")), BY_FOLDS
    if beyond is None:
        error = _both(old["cross_validated_standard_error"], new["cross_validated_standard_error"])
        beyond, by = _further_than(folded, error), BY_ERRORS
    tested = _change(name, label, "test", old["test"], new["test"], lower=True)
    error = _both(old["test_standard_error"], new["test_standard_error"])
    return _judged(folded, beyond, by), _judged(tested, _further_than(tested, error), BY_ERRORS)


def _scores(old: Document, new: Document) -> tuple[ScoreChange, ...]:
    then, now = old.get("score_intervals", {}), new.get("score_intervals", {})
    found = []
    for name, score in new["scores"].items():
        if name not in old["scores"] or name == new["metric"]:
            continue
        for rows in ("out_of_fold", "test"):
            values = (old["scores"][name][rows], score[rows])
            made = _change(name, score["label"], rows, *values, lower=score["lower_is_better"])
            apart = _apart(then.get(name), now.get(name)) if rows == "test" else None
            found.append(_judged(made, apart, BY_INTERVALS))
    return tuple(found)


def _change(name: str, label: str, rows: str, before: float | None, after: float | None, *, lower: bool) -> ScoreChange:
    then, now = as_float(before), as_float(after)
    better = None if not math.isfinite(then - now) or then == now else (now < then) == lower
    return ScoreChange(name, label, rows, then, now, better)


def _judged(change: ScoreChange, beyond: bool | None, by: str) -> ScoreChange:
    if beyond is None or change.better is None:
        return change
    return ScoreChange(**{**vars(change), "beyond_noise": beyond, "judged_by": by})


def _by_gate(before: Document, after: Document) -> bool | None:
    """Whether the promotion gate compared these two versions and took the new one; None where it did not."""
    verdict = after["figures"].get("verdict") or {}
    named = f"version {before['identity']['version']}"
    if verdict.get("champion") != named or verdict.get("challenger") != f"version {after['identity']['version']}":
        return None
    return verdict.get("promoted") or None


def _by_folds(before: list[float | None], after: list[float | None], folds: int | None) -> bool | None:
    if len(before) != len(after) or len(after) < 2:
        return None
    pairs = np.array([as_float(a) - as_float(b) for a, b in zip(after, before, strict=True)])
    test = corrected_paired_t(pairs, test_fraction=1 / (folds or len(pairs)))
    return bool(test.p_two_sided < 0.05) if test.possible else None


def _both(before: float | None, after: float | None) -> float:
    return math.hypot(as_float(before), as_float(after))


def _further_than(change: ScoreChange, error: float) -> bool | None:
    """Whether a change is more than chance were the two independent; on the same rows that is careful."""
    distance = abs(change.after - change.before)
    return distance > NORMAL * error if error > 0 and math.isfinite(distance) else None


def _apart(before: Any, after: Any) -> bool | None:
    """Whether two intervals have no value in common; None where one is not known."""
    if not before or not after:
        return None
    ends = [as_float(end) for end in (*before, *after)]
    if not all(map(math.isfinite, ends)):
        return None
    return ends[1] < ends[2] or ends[3] < ends[0]


def _data(before: Document, after: Document) -> dict[str, Change]:
    def told(document: Document) -> dict[str, Any]:
        identity, figures = document["identity"], document["figures"]
        names = {"table_version": "table", "data_hash": "data hash", "splits_hash": "splits hash"}
        rows = {f"rows, {part}": count for part, count in figures["rows"].items()}
        return {label: identity[name] for name, label in names.items()} | rows

    return changes(told(before), told(after))


def _missing(there: list[str], here: list[str]) -> tuple[str, ...]:
    return tuple(name for name in there if name not in here)


def _slices(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[SliceChange, ...]:
    found = []
    for column in {**old, **new}:
        then, now = ({part["name"]: part for part in side.get(column, ())} for side in (old, new))
        for name in {**then, **now}:
            first, second = then.get(name, {}), now.get(name, {})
            intervals = [(part.get("low"), part.get("high")) if part else None for part in (first, second)]
            found.append(
                SliceChange(
                    column, name, as_float(first.get("score")), as_float(second.get("score")), _apart(*intervals)
                )
            )
    return tuple(found)
