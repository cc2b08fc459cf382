"""What the profile of a table's version says in words and tables. Plots are `profile_plots`, figures `profiling`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from ml_assets.evaluation.contract_tables import caps_table, corrections_table
from ml_assets.evaluation.tables import Table
from ml_assets.evaluation.wording import cell, listed, number, percent, rows_of

if TYPE_CHECKING:
    from ml_assets.datasets.profiles.document import ColumnProfile, TableProfile

MOST_DRIFT_ROWS: Final = 40


def headline(profile: TableProfile) -> str:
    """Rows, columns and where they came from, in a sentence or two."""
    spec, batches = profile.spec, profile.batches
    sources = [f"{name} ({count:,})" for name, count in list(batches.items())[:6]]
    more = [f"{len(batches) - 6} more"] if len(batches) > 6 else []
    origin = f" They came from {listed(sources + more)}." if batches else ""
    return f"{spec.title}: {profile.rows:,} rows of {len(profile.columns)} columns.{origin}"


def quirks(profile: TableProfile) -> list[str]:
    """What the contract says a reader must know, and what was counted."""
    spec = profile.spec
    found = [*spec.quirks]
    if profile.duplicates:
        fate = {"drop": "dropped", "keep": "kept", "independent": "independent rows"}[spec.duplicates]
        repeat = "repeats" if profile.duplicates == 1 else "repeat"
        copies = rows_of(profile.duplicates, profile.rows)
        found.append(f"{copies} {repeat} an earlier row exactly; by the contract copies are {fate}.")
    found += [
        f"Column {name} is sensitive and no feature: {c.sensitive}." for name, c in spec.columns.items() if c.sensitive
    ]
    found += [f"Column {name} is no feature: {c.ignored}." for name, c in spec.columns.items() if c.ignored]
    return found


def caps(profile: TableProfile) -> Table:
    """Rows at the cap of each column that has one."""
    return caps_table(profile.spec, {column.name: column.capped for column in profile.columns}, profile.rows)


def corrections(profile: TableProfile) -> Table:
    """Values of the sources that the contract corrects on the way to the clean table."""
    return corrections_table(profile.spec)


def changes(profile: TableProfile) -> list[str]:
    """What became of the last version's rows and columns, as sentences."""
    made = profile.changes
    if made is None:
        return ["This is the first version; there is none to compare it with."]
    if made.nothing:
        return [f"Nothing: the last version has the same {made.rows_before:,} rows."]
    changed = f", {made.rows_changed:,} changed" if profile.spec.key else ""
    found = [
        f"Of the rows, {made.rows_added:,} are new, {made.rows_removed:,} gone{changed}: there were "
        f"{made.rows_before:,} before, and are {profile.rows:,} now."
    ]
    if not profile.spec.key:
        found.append("Without a key in the contract, a row that changed counts as gone and new.")
    for what, names in (
        ("New columns", made.columns_added),
        ("Columns that are gone", made.columns_removed),
        ("Columns of another type than before, and not compared", made.columns_retyped),
    ):
        if names:
            found.append(f"{what}: {listed(list(names))}.")
    moved = [drift.column for drift in profile.drift if drift.moved]
    limit = profile.spec.tolerances.drift
    found.append(
        f"Moved by more than the contract's tolerance (index {limit:g}): {listed(moved)}."
        if moved
        else f"No column moved by more than the contract's tolerance (index {limit:g})."
    )
    return found


def columns(profile: TableProfile) -> Table:
    """Every column's figures."""
    rows = tuple(
        (
            column.name,
            _kind(column),
            f"{column.missing:,} ({percent(column.missing_share)})" if column.missing else "0",
            f"{column.distinct:,}",
            *(_figure(column, value) for value in (column.minimum, column.quantiles.get("0.5"), column.mean)),
            _figure(column, column.maximum),
        )
        for column in profile.columns
    )
    header = ("Column", "Values", "Missing", "Distinct", "Smallest", "Median", "Mean", "Largest")
    return Table("Every column; of a text the figures are its length", header, rows)


def labels(profile: TableProfile, name: str) -> Table:
    """Rows by label of one column, the most frequent first."""
    column = profile.column(name)
    before = profile.changes.rows_before if profile.changes and column.labels_earlier else 0
    rows = [
        (label, f"{count:,}", percent(count / column.rows), *_earlier_share(column, label, before))
        for label, count in column.labels.items()
    ]
    if column.other:
        rows.append(("others", f"{column.other:,}", percent(column.other / column.rows), *([""] if before else [])))
    header = ("Label", "Rows", "Share", *(["Last version"] if before else []))
    return Table(f"Rows by {name}", header, tuple(rows))


def drift(profile: TableProfile) -> Table:
    """How far each column moved from the last version, the farthest first."""
    rows = tuple(
        (
            found.column,
            f"{found.psi:.3f}" + (" (moved)" if found.moved else ""),
            f"{found.distance:.3f} ({found.measure})",
            *(_figure(profile.column(found.column), mean) for mean in (found.mean_before, found.mean_now)),
            f"{percent(found.missing_before)} / {percent(found.missing_now)}",
        )
        for found in profile.drift[:MOST_DRIFT_ROWS]
    )
    header = ("Column", "Stability index", "Distance", "Mean before", "Mean now", "Missing before / now")
    limit = profile.spec.tolerances.drift
    return Table(
        f"Against the last version; a column counts as moved from an index of {limit:g} on that is no chance",
        header,
        rows,
    )


def missing(profile: TableProfile) -> str:
    """Which columns lack values, in a sentence."""
    lacking = [column.name for column in profile.columns if column.missing]
    if not lacking:
        return "No value is missing."
    shown = [*lacking[:8], *([f"{len(lacking) - 8} more"] if len(lacking) > 8 else [])]
    return f"{len(lacking)} of {len(profile.columns)} columns lack values: {listed(shown)}."


def correlations(profile: TableProfile) -> list[str]:
    """The pairs that go together most, and what the square was computed from, as sentences."""
    found = profile.correlations
    pairs = [
        (abs(r), f"{found.columns[j]} and {found.columns[i]} ({r:.2f})")
        for i, row in enumerate(found.matrix)
        for j, r in enumerate(row[:i])
        if r is not None
    ]
    strongest = [text for _, text in sorted(pairs, key=lambda pair: (-pair[0], pair[1]))[:3]]
    sentences = [f"Strongest: {listed(strongest)}."] if strongest else []
    if found.rows < profile.rows:
        sentences.append(f"Computed from {found.rows:,} rows drawn at random (seed {profile.seed}).")
    if found.left_out:
        sentences.append(f"{found.left_out} further columns are left out.")
    return sentences


def _kind(column: ColumnProfile) -> str:
    kind = {"float": "number", "integer": "whole number", "boolean": "yes or no", "category": "label"}
    return kind.get(column.dtype, column.dtype) + ("" if column.role == "feature" else f", {column.role}")


def _figure(column: ColumnProfile, value: float | None) -> str:
    if value is None:
        return ""
    if column.dtype == "date":
        return datetime.fromtimestamp(value, UTC).date().isoformat()
    return cell(value) if value.is_integer() else number(value)


def _earlier_share(column: ColumnProfile, label: str, rows_before: int) -> list[str]:
    return [percent(column.labels_earlier.get(label, 0) / rows_before)] if rows_before else []
