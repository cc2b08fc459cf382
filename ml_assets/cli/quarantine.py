"""Commands about what was refused: `quarantine list`, `show`, `release`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from ml_assets.datasets.contracts import load_contract
from ml_assets.home import Home

if TYPE_CHECKING:
    from ml_assets.validation.entries import Entry

ROWS_SHOWN = 5
REASONS_SHOWN = 20


@click.group()
def quarantine() -> None:
    """Look at what was refused, and hand it in again.

    \b
    Examples:
      ml-assets quarantine list
      ml-assets quarantine show monday-1a2b3c4d
      ml-assets quarantine release monday-1a2b3c4d --reason "the sensor was right"
    """


@quarantine.command("list")
@click.argument("dataset", required=False)
@click.option("--json", "as_json", is_flag=True, help="JSON in place of a table.")
def list_entries(dataset: str | None, as_json: bool) -> None:
    """Show what is in quarantine, for DATASET or all of them.

    \b
    Examples:
      ml-assets quarantine list
      ml-assets quarantine list wine_quality --json
    """
    from ml_assets.validation.entries import entries

    found = entries(Home.current(), load_contract(dataset).name if dataset else None)
    if as_json:
        click.echo(json.dumps([_brief(entry) for entry in found], indent=2, ensure_ascii=False))
        return
    if not found:
        click.echo("quarantine is empty")
        return
    from rich.table import Table
    from rich.text import Text

    from ml_assets.cli.tables import console

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("dataset", "entry", "file", "refused", "when", "why"):
        table.add_column(name, justify="right" if name == "refused" else "left", no_wrap=name == "entry")
    for row in map(_brief, found):
        cells = (row["dataset"], row["entry"], row["file"], _how_much(row), row["when"], row["why"])
        table.add_row(*(Text(cell) for cell in cells))
    console().print(table)


@quarantine.command()
@click.argument("entry")
def show(entry: str) -> None:
    """Show why ENTRY was refused, and its first rows; the beginning of its name will do.

    \b
    Example:
      ml-assets quarantine show monday-1a2b3c4d
    """
    from ml_assets.validation.entries import find_entry
    from ml_assets.validation.quarantine import TEXT_FILE

    found = find_entry(Home.current(), entry)
    text = found.folder / TEXT_FILE
    click.echo(text.read_text(encoding="utf-8").rstrip() if text.is_file() else found.reason.get("summary", ""))
    if found.rows_file is not None:
        click.echo(f"\nFirst rows of {found.rows_file.name}:")
        with found.rows_file.open(encoding="utf-8", errors="replace") as lines:
            for line, _ in zip(lines, range(ROWS_SHOWN + 1), strict=False):
                click.echo(f"  {_printable(line)}")
    click.echo(f"\n{found.folder}")


@quarantine.command()
@click.argument("entry")
@click.option("--reason", default="", help="Why, for the record.")
def release(entry: str, reason: str) -> None:
    """Hand ENTRY in again, as corrected in place; it is validated like any other file.

    What was refused goes back into data/incoming: the rows, as its rows.csv now has them, or the file as it was. The
    entry moves to data/quarantine/<dataset>/released.

    \b
    Examples:
      ml-assets quarantine release monday-1a2b3c4d
      ml-assets quarantine release mon --reason "the contract allows it now"
    """
    import time

    from ml_assets.validation.entries import find_entry
    from ml_assets.validation.entries import release as put_back

    home = Home.current()
    found = find_entry(home, entry)
    file = put_back(home, found, reason=reason, now=time.time)
    click.echo(f"{file} is validated at the next run: ml-assets run {found.dataset}")


def _brief(entry: Entry) -> dict[str, Any]:
    reason = entry.reason
    return {
        "dataset": entry.dataset,
        "entry": entry.name,
        "kind": reason.get("kind", "table"),
        "file": reason.get("file", ""),
        "when": reason.get("when", ""),
        "rows": reason.get("rows"),
        "refused": reason.get("refused"),
        "why": reason.get("summary", ""),
        "folder": str(entry.folder),
    }


def _how_much(row: dict[str, Any]) -> str:
    if row["kind"] == "rows":
        return f"{row['refused']} of {row['rows']} rows"
    return f"the {row['kind']}"


def _printable(line: str) -> str:
    text = "".join(c if c.isprintable() or c == "\t" else " " for c in line.rstrip("\r\n"))
    return text if len(text) <= 200 else f"{text[:200]}…"
