"""What is said of the difference between two versions' cards, as a page; finding it belongs in `card_difference`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ml_assets.evaluation.card_difference import BY_ERRORS, BY_FOLDS, BY_GATE, BY_INTERVALS
from ml_assets.evaluation.card_document import Fact, Page
from ml_assets.evaluation.section import Section
from ml_assets.evaluation.tables import Table
from ml_assets.evaluation.wording import cell, listed, number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ml_assets.evaluation.card_difference import CardDifference, Change, ScoreChange, SliceChange

WHOLE_HASH, SHORT = 64, 12
ROWS = {"cross_validated": "cross-validated", "out_of_fold": "out of fold", "test": "test rows"}
JUDGES = {
    BY_GATE: "the promotion gate's verdict on these two",
    BY_FOLDS: "corrected paired t-test over the same folds, limit 0.05",
    BY_INTERVALS: "whether the two intervals have a value in common",
    BY_ERRORS: "1.96 standard errors of two independent scores; careful where the rows are the same",
}


def difference_page(found: CardDifference) -> Page:
    """The difference as a page: what changed, part by part, and what did not folded away at its end."""
    old, new = (document["identity"]["version"] for document in (found.before, found.after))
    sections = (*_changed(found, old, new), *_unchanged(found))
    return Page(
        title=found.after["title"],
        kind=f"version {new} against version {old}",
        purpose=found.after["purpose"],
        headline=_headline(found, old, new),
        facts=_facts(found),
        sections=sections,
        folded=frozenset({"unchanged"}),
        closing=f"Made from the cards of version {old} and version {new}.",
    )


def _headline(found: CardDifference, old: str, new: str) -> str:
    first = found.scores[0]
    if first.better is None:
        return f"Version {new} and version {old} have the same cross-validated {first.label}, {number(first.after)}."
    direction = "better" if first.better else "worse"
    told = f"Version {new} is {direction} than version {old} by cross-validated {first.label}"
    figures = f"{number(first.before)} before, {number(first.after)} now"
    return f"{told}: {figures}. {_noise_sentence(first)}"


def _noise_sentence(score: ScoreChange) -> str:
    if score.beyond_noise is None:
        return "Whether that is more than chance cannot be said."
    if score.beyond_noise:
        return "That is more than chance."
    return "That may be chance."


def _facts(found: CardDifference) -> tuple[Fact, ...]:
    sides = (("before", found.before), ("after", found.after))
    told = [Fact(key, f"Version {d['identity']['version']}", _model(d)) for key, d in sides]
    rows = "the same folds and test rows" if found.same_rows else "other rows: part of a difference is the rows'"
    return (*told, Fact("rows", "Scored on", rows))


def _model(document: Mapping[str, Any]) -> str:
    identity = document["identity"]
    family = identity["family"].replace("_", " ")
    return ", ".join(part for part in (family, f"table {identity['table_version']}", identity["made_at"]) if part)


def _changed(found: CardDifference, old: str, new: str) -> Iterator[Section]:
    yield _scores(found, old, new)
    if moved := [part for part in found.slices if part.before != part.after]:
        yield Section("slices", "Slices", (_slice_sentence(moved),), (_slices_table(moved, old, new),))
    parts = (
        ("identity", "Model and code", "What", found.identity),
        ("settings", "Settings", "Setting", found.settings),
        ("data", "Data", "What", found.data),
        ("libraries", "Libraries", "Library", found.libraries),
    )
    for key, title, what, changed in parts:
        if changed:
            yield Section(key, title, tables=(_changes_table(f"{title}, what changed", what, changed, old, new),))
    added, removed = found.features
    said = [f"{word}: {listed(list(names))}." for word, names in (("Added", added), ("Removed", removed)) if names]
    if said:
        yield Section("features", "Features", tuple(said))


def _scores(found: CardDifference, old: str, new: str) -> Section:
    rows = tuple(
        (
            f"{score.label}, {ROWS[score.rows]}",
            {None: "not defined", True: "better", False: "worse"}[score.better],
            number(score.before),
            number(score.after),
            _noise(score),
        )
        for score in found.scores
        if score.before != score.after
    )
    header = ("Score", "Direction", f"Version {old}", f"Version {new}", "More than chance")
    judges = {score.judged_by for score in found.scores if score.judged_by}
    said = [] if rows else ["All scores are the same."]
    if judges:
        told = "; ".join(words for by, words in JUDGES.items() if by in judges)
        said.append(f"What “more than chance” goes by: {told}.")
    if not found.same_rows:
        said.append(
            "The two versions were scored on other rows. A score may differ because the rows do, not because the model "
            "does; only the promotion gate compares them on rows that neither saw."
        )
    tables = (Table("Scores then and now", header, rows),) if rows else ()
    return Section("scores", "Scores", tuple(said), tables)


def _noise(score: ScoreChange) -> str:
    if score.better is None:
        return ""
    if score.beyond_noise is None:
        return "cannot be said"
    return "yes" if score.beyond_noise else "no, it may be chance"


def _slice_sentence(parts: list[SliceChange]) -> str:
    apart = [f"{part.name} of {part.column}" for part in parts if part.apart]
    if not apart:
        return "No slice changed by more than its interval allows for."
    return f"The intervals of then and now have no value in common for {listed(apart)}."


def _slices_table(parts: list[SliceChange], old: str, new: str) -> Table:
    told = {True: "yes", False: "no, it may be chance", None: "cannot be said"}
    rows = tuple(
        (
            f"{part.column}: {part.name}",
            "better" if part.after < part.before else "worse" if part.after > part.before else "not in both",
            number(part.before),
            number(part.after),
            told[part.apart],
        )
        for part in parts
    )
    header = ("Slice", "Direction", f"Version {old}", f"Version {new}", "More than chance")
    return Table("Errors by slice, lower is better", header, rows)


def _changes_table(caption: str, what: str, changed: Mapping[str, Change], old: str, new: str) -> Table:
    rows = tuple((name, _value(before), _value(after)) for name, (before, after) in changed.items())
    return Table(caption, (what, f"Version {old}", f"Version {new}"), rows)


def _value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = cell(value)
    return f"{text[:SHORT]}…" if len(text) == WHOLE_HASH else text


def _unchanged(found: CardDifference) -> Iterator[Section]:
    points = []
    if equal := [f"{s.label}, {ROWS[s.rows]} ({number(s.after)})" for s in found.scores if s.before == s.after]:
        points.append(f"Scores that are the same: {listed(equal)}.")
    if not found.identity:
        points.append("Family, seed and code are the same.")
    if found.same_settings:
        points.append(f"Settings that are the same: {found.same_settings}.")
    if not found.data:
        points.append("The table, its rows and the splits are the same.")
    if not any(found.features):
        points.append(f"The features are the same: {listed(found.after['figures']['features'])}.")
    if found.same_libraries:
        points.append(f"Libraries of the same version: {found.same_libraries}.")
    if same := [f"{part.name} of {part.column}" for part in found.slices if part.before == part.after]:
        points.append(f"Slices with the same error: {listed(same)}.")
    if points:
        yield Section("unchanged", "What did not change", points=tuple(points))
