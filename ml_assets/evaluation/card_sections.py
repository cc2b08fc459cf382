"""The sections of a model card as we have them, and their order. Words: `card_content`, `card_data`; pages: `card`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ml_assets.evaluation import card_content as content
from ml_assets.evaluation import card_data
from ml_assets.evaluation.card_document import Fact
from ml_assets.evaluation.contract_tables import corrections_table
from ml_assets.evaluation.interval_words import intervals_section
from ml_assets.evaluation.metrics import METRICS
from ml_assets.evaluation.optimism import OptimismGap, gap_words
from ml_assets.evaluation.plots import score_unit
from ml_assets.evaluation.section import Section
from ml_assets.evaluation.selection import SelectionGap, selection_words
from ml_assets.evaluation.slices import error_slices
from ml_assets.evaluation.tables import Table
from ml_assets.evaluation.verdict_words import verdict_section
from ml_assets.evaluation.wording import number, quantity, size, with_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.evaluation.baseline import Baseline
    from ml_assets.evaluation.card_document import Identity
    from ml_assets.evaluation.comparison import Leaderboard
    from ml_assets.evaluation.gate import Verdict
    from ml_assets.evaluation.record import Evaluation

ORDER = (
    *(
        "data",
        "verdict",
        "scores",
        "comparison",
        "nested",
        "test_looks",
        "answers",
        "behaviour",
        "weak_spots",
        "slices",
        "intervals",
        "explanations",
    ),
    *("limits", "settings", "columns", "lineage", "reproduce"),
)
"""Keys of the known sections in the order they are read; others go before `lineage`."""

PLACED = frozenset(
    {
        *(
            "leaderboard",
            "residuals",
            "confusion_matrix",
            "calibration",
            "search",
            "learning_curve",
            "parameters",
        ),
        *("target_distribution", "feature_distributions", "correlation"),
    }
)
"""Plots that have their place; others are shown with the settings, unless a section names them."""


def facts(
    spec: DatasetSpec,
    winner: Evaluation,
    baseline: Baseline,
    *,
    gap: OptimismGap,
    verdict: Verdict | None,
    identity: Identity,
) -> tuple[Fact, ...]:
    """What a person wants to know first, a line each."""
    label = METRICS[winner.task][winner.metric].label
    name, unit = content.words(winner.family), score_unit(spec)
    found = [
        Fact("model", "Model", f"Version {identity.version}: {name}" if identity.version else name),
        Fact("verdict", "Verdict", _decision(verdict)),
        Fact(
            "score",
            f"{label[0].upper()}{label[1:]}, test rows (lower is better)",
            quantity(with_error(winner.test_score, winner.test_standard_error), unit),
        ),
        Fact("baseline", f"The same, always {baseline.guess}", quantity(number(baseline.test_score), unit)),
        Fact(
            "optimism_gap",
            "Optimism gap, out of fold minus test",
            quantity(with_error(gap.gap, gap.standard_error), unit),
        ),
        Fact("rows", "Rows", f"{winner.train_rows:,} to train, {winner.test_rows:,} to test"),
        Fact("data", "Table", identity.table_version),
        Fact("cost", "Cost", f"{winner.predict_ms_per_1000_rows:,.1f} ms for 1000 rows, {size(winner.model_bytes)}"),
        Fact("made", "Card made", identity.made_at),
    ]
    return tuple(fact for fact in found if fact.value)


def own_sections(
    spec: DatasetSpec,
    board: Leaderboard,
    winner: Evaluation,
    *,
    table: pd.DataFrame,
    baseline: Baseline,
    gap: OptimismGap,
    choice: SelectionGap | None,
    verdict: Verdict | None,
    identity: Identity,
    other_plots: Sequence[str] = (),
) -> Iterator[Section]:
    """Every section that can be made of these, in no order."""
    yield _data(spec, table)
    if verdict is not None:
        yield verdict_section(verdict)
    yield _scores(spec, winner, baseline)
    yield _comparison(board, winner, gap, choice)
    if said := content.answering(spec, winner):
        costs = content.costs_table(winner)
        yield Section("answers", "How it comes to an answer", tuple(said), (costs,) if costs else ())
    yield Section(
        "behaviour", "What it gets right and wrong", pictures=("residuals", "confusion_matrix", "calibration")
    )
    if found := error_slices(spec, table, winner):
        yield _slices(card_data.slices(spec, found, metric=winner.metric))
    yield intervals_section(spec, winner)
    yield Section("limits", "Limits of use", points=tuple(content.limits(spec, winner)))
    yield _settings(winner, other_plots)
    yield _columns(spec)
    yield _lineage(identity)
    yield _reproduce(identity)


def _decision(verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    if verdict.promoted:
        return "promoted: it is the champion"
    return f"not promoted: {verdict.champion} stays" if verdict.champion else "not promoted: there is no champion"


def _data(spec: DatasetSpec, table: pd.DataFrame) -> Section:
    said = [spec.description, card_data.duplicates_sentence(spec, table)]
    if spec.quirks:
        said.append("To know when reading the figures:")
    return Section(
        "data",
        "The data and its quirks",
        _present(*said),
        _filled(corrections_table(spec), card_data.caps(spec, table)),
        ("target_distribution",),
        tuple(spec.quirks),
    )


def _scores(spec: DatasetSpec, winner: Evaluation, baseline: Baseline) -> Section:
    said = (
        f"It was fitted on {winner.train_rows:,} rows and then scored on {winner.test_rows:,} test rows that had no "
        "part in choosing or fitting it. The baseline is the simplest guess there is, on the same rows."
    )
    tables = (content.result_table(winner, baseline), content.scores_table(spec, winner, baseline))
    return Section("scores", "How well it does", (said,), tables)


def _comparison(board: Leaderboard, winner: Evaluation, gap: OptimismGap, choice: SelectionGap | None) -> Section:
    reasons = tuple((content.words(family), reason) for family, reason in board.left_out.items())
    return Section(
        "comparison",
        f"Why this model: {content.words(winner.family)}",
        _present(content.standing(board), gap_words(winner, gap), selection_words(winner, choice)),
        _filled(content.leaderboard_table(board), Table("Left out of the comparison", ("Family", "Why"), reasons)),
        ("leaderboard",),
    )


def _slices(parts: Sequence[card_data.SlicesOf]) -> Section:
    said = (
        "The model is not told the sensitive columns, but its errors can differ between the people or places they "
        "describe. Every row counted here was predicted by a model that had not been fitted on it. The tables say how "
        "large the errors are, not why."
    )
    each = tuple(f"{one.column} is kept from the model: {one.reason}. {one.sentence}" for one in parts)
    return Section("slices", "Errors by sensitive column", (said, *each), tuple(one.table for one in parts))


def _settings(winner: Evaluation, other_plots: Sequence[str]) -> Section:
    params = content.pairs_table("Settings of the winner", content.flat(winner.params), ("Setting", "Value"))
    pictures = ("search", "learning_curve", "parameters", *other_plots)
    return Section("settings", "How its settings were found", (), _filled(params), pictures)


def _columns(spec: DatasetSpec) -> Section:
    said = (
        f"Licence: {spec.licence or 'not stated'}. Owner: {spec.owner}.",
        f"Citation: {spec.citation}" if spec.citation else "",
    )
    tables = _filled(content.columns_table(spec), content.sensitive_table(spec))
    return Section("columns", "The columns", _present(*said), tables, ("feature_distributions", "correlation"))


def _lineage(identity: Identity) -> Section:
    told = {
        "Registered version": identity.version,
        "Table": identity.table_version,
        "Table, version id": identity.data_version,
        "Dagster run": identity.run,
        "Model, SHA-256": identity.model_sha256,
        "Data, hash": identity.data_hash,
        "Splits, hash": identity.splits_hash,
        "Seed": "" if identity.seed is None else str(identity.seed),
        "Code": identity.code_version,
        "Lock file, SHA-256": identity.lock_sha256,
    }
    known = {name: value for name, value in told.items() if value}
    tables = [content.pairs_table("Where it came from", known, ("What", "Value"))]
    if identity.libraries:
        caption = "Libraries that computed the fit"
        tables.append(content.pairs_table(caption, identity.libraries, ("Library", "Version")))
    return Section("lineage", "Where it came from", tables=tuple(tables))


def _reproduce(identity: Identity) -> Section:
    version = f" --model {identity.version}" if identity.version else ""
    source = identity.table_version or "the version of the table that it was made from"
    data = f"{source} (data hash {identity.data_hash[:12]}…)" if identity.data_hash else source
    said = (
        f"To make the model again and compare every prediction: `ml-assets rebuild {identity.dataset}{version}`",
        f"It takes {data}, and the contract, the splits, the seed and the settings that were recorded. It needs the "
        "libraries listed above; with others it says which differ. A new search runs against the clock, and may end on "
        "other settings.",
        f"How it differs from another version: `ml-assets card {identity.dataset} --diff OLD NEW`",
    )
    return Section("reproduce", "How to make it again", said)


def _present(*sentences: str) -> tuple[str, ...]:
    return tuple(sentence for sentence in sentences if sentence)


def _filled(*tables: Table | None) -> tuple[Table, ...]:
    return tuple(table for table in tables if table is not None and table.rows)


def with_pictures(sections: Sequence[Section], pictures: Mapping[str, object]) -> tuple[Section, ...]:
    """The sections that say or show something."""
    return tuple(
        section
        for section in sections
        if section.paragraphs or section.points or section.tables or any(name in pictures for name in section.pictures)
    )
