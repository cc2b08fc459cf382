"""What `data log` and `data diff` show, as documents and as tables. The commands themselves are in `data`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from ml_assets.cli.tables import console

if TYPE_CHECKING:
    import polars as pl
    from rich.table import Table

    from ml_assets.datasets.versions.difference import TableDifference
    from ml_assets.datasets.versions.store import TableVersions

FIGURES = ("missing", "distinct", "mean", "std", "min", "max", "top")
LONGEST = 24


def log_document(versions: TableVersions, models: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """One entry a version, newest first.

    Args:
        versions: of one dataset.
        models: numbers of registered models by the id of the version that they were made from.
    """
    current, pinned = versions.current(), versions.pinned()
    return [
        {
            "number": version.number,
            "id": version.id,
            "created_at": datetime.fromtimestamp(version.created_at, UTC).isoformat(timespec="seconds"),
            "rows": version.rows,
            "added": version.added,
            "removed": version.removed,
            "changed": version.changed,
            "bytes": version.bytes_added,
            "batches": dict(version.batches),
            "models": list(models.get(version.id, ())),
            "current": current is not None and version.id == current.id,
            "held": pinned is not None and version.id == pinned.id,
        }
        for version in reversed(versions.log())
    ]


def print_log(document: Sequence[Mapping[str, Any]]) -> None:
    """Prints one line a version."""
    from ml_assets.evaluation.wording import size

    table = _table("version:", "id", "made", "rows:", "added:", "removed:", "changed:", "on disk:", "models", "")
    for row in document:
        made = datetime.fromisoformat(row["created_at"]).astimezone()
        notes = [note for note in ("current", "held") if row[note]]
        table.add_row(
            str(row["number"]),
            row["id"][:12],
            f"{made:%Y-%m-%d %H:%M}",
            f"{row['rows']:,}",
            *(f"{sign}{row[name]:,}" for sign, name in (("+", "added"), ("−", "removed"), ("~", "changed"))),
            size(row["bytes"]),
            ", ".join(row["models"]),
            ", ".join(notes),
        )
    console().print(table)


def diff_document(found: TableDifference, before: pl.DataFrame, after: pl.DataFrame, *, rows: int) -> dict[str, Any]:
    """A difference as JSON has it: counts, columns, figures side by side, and the first `rows` rows of each kind."""
    from ml_assets.datasets.versions.difference import column_figures

    then, now = column_figures(before), column_figures(after)
    changed = islice(found.changed_cells(), rows)
    return {
        "added": found.counts.added,
        "removed": found.counts.removed,
        "changed": found.counts.changed,
        "key": list(found.key),
        "columns_added": list(found.columns_added),
        "columns_removed": list(found.columns_removed),
        "columns_retyped": list(found.columns_retyped),
        "columns": {name: {"from": _plain(then.get(name)), "to": _plain(now.get(name))} for name in {**then, **now}},
        "rows": {
            "added": _plain(found.added.head(rows).to_dicts()),
            "removed": _plain(found.removed.head(rows).to_dicts()),
            "changed": [{"key": _plain(key), "columns": _plain(cells)} for key, cells in changed],
        },
    }


def print_diff(document: Mapping[str, Any]) -> None:
    """Prints counts, the figures of each column, and the rows that a difference's document has."""
    click.echo(f"+{document['added']:,} added, −{document['removed']:,} removed, ~{document['changed']:,} changed")
    for kind in ("added", "removed", "retyped"):
        if names := document[f"columns_{kind}"]:
            click.echo(f"columns {kind}: {', '.join(map(_text, names))}")
    click.echo()
    figures = _table("column", *(f"{name}:" if name != "top" else name for name in FIGURES))
    for name, sides in document["columns"].items():
        figures.add_row(_cell(name), *(_cell(_side_by_side(sides, figure)) for figure in FIGURES))
    console().print(figures)
    for kind in ("added", "removed"):
        _print_rows(kind, document["rows"][kind], document[kind])
    _print_changed(document)


def _print_rows(kind: str, rows: Sequence[Mapping[str, Any]], count: int) -> None:
    if rows:
        click.echo(f"\n{kind} ({len(rows)} of {count:,})")
        table = _table(*rows[0])
        for row in rows:
            table.add_row(*(_cell(_value(value)) for value in row.values()))
        console().print(table)


def _print_changed(document: Mapping[str, Any]) -> None:
    if rows := document["rows"]["changed"]:
        click.echo(f"\nchanged ({len(rows)} of {document['changed']:,})")
        table = _table(*document["key"], "change")
        for row in rows:
            cells = (f"{name}: {_value(old)} → {_value(new)}" for name, (old, new) in row["columns"].items())
            table.add_row(*(_cell(_value(value)) for value in row["key"].values()), _cell("; ".join(cells)))
        console().print(table)


def _side_by_side(sides: Mapping[str, Any], figure: str) -> str:
    """A figure of both versions; once where it is the same, and empty where neither has it."""
    then, now = (_value((sides[side] or {}).get(figure, "")) for side in ("from", "to"))
    return then if then == now else f"{then or '–'} → {now or '–'}"


def _value(value: Any) -> str:
    from ml_assets.evaluation.wording import number

    if value is None:
        return "–"
    if isinstance(value, Mapping):
        return ", ".join(f"{_text(label)} {count:,}" for label, count in value.items())
    if isinstance(value, float):
        return number(value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else _text(value)


def _text(value: object) -> str:
    from ml_assets.datasets.reading.wording import plain

    text = plain(str(value))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _cell(text: str) -> Any:
    from rich.text import Text

    return Text(text)


def _table(*names: str) -> Table:
    """An empty table; a name that ends in a colon is a column of numbers."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        number = name.endswith(":")
        table.add_column(Text(_text(name.removesuffix(":") if number else name)), justify="right" if number else "left")
    return table


def _plain(value: Any) -> Any:
    """`value` as JSON has it: dates as ISO 8601, numbers that are not finite as text."""
    if isinstance(value, Mapping):
        return {key: _plain(found) for key, found in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(found) for found in value]
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
