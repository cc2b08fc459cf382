"""`ml-assets card`: the model card of a version, and how two versions differ. What they say belongs in the core."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ml_assets.artifacts import write_atomically
from ml_assets.datasets.contracts import load_contract
from ml_assets.home import Home

if TYPE_CHECKING:
    from ml_assets.evaluation.card_files import CardFiles

FORMATS = ("html", "md", "json")


@click.command()
@click.argument("dataset")
@click.option("--version", type=click.IntRange(min=1), metavar="N", help="Registered version; the newest by default.")
@click.option("--format", "ending", type=click.Choice(FORMATS), default="html", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this file.")
@click.option(
    "--diff", "pair", type=click.IntRange(min=1), nargs=2, metavar="OLD NEW", help="How version NEW differs from OLD."
)
def card(dataset: str, version: int | None, ending: str, output: Path | None, pair: tuple[int, int] | None) -> None:
    """Say where the model card of DATASET is, or write it; with --diff a page on how two versions differ.

    A card tells what a version predicts, the verdict on it, how well it does, on what data, and its limits: as a page
    (html), as text (md), or as figures (json). Each registered version has one.

    \b
    Examples:
      ml-assets card iris
      ml-assets card iris --version 2 --format md -o card.md
      ml-assets card iris --diff 1 2
    """
    from ml_assets.evaluation.card_files import CardFiles

    if pair is not None and version is not None:
        raise click.UsageError("--diff names both versions; leave --version out")
    name = load_contract(dataset).name
    files = CardFiles(name, Home.current().reports / name)
    file = files.file(version, ending) if pair is None else _difference(files, *pair, ending=ending)
    if output is None:
        click.echo(str(file))
    else:
        write_atomically(output, file.read_bytes())
        click.echo(f"{output}: {_what(name, pair, file)}")


def _what(dataset: str, pair: tuple[int, int] | None, file: Path) -> str:
    if pair is not None:
        return f"how version {pair[1]} of {dataset} differs from version {pair[0]}"
    return f"the model card of {dataset}, {file.stem.replace('-', ' ')}"


def _difference(files: CardFiles, old: int, new: int, *, ending: str) -> Path:
    """Writes the difference beside the cards in every format, and returns the file of the one that is asked for."""
    import json

    from ml_assets.evaluation.card_difference import difference
    from ml_assets.evaluation.card_difference_page import difference_page
    from ml_assets.evaluation.card_html import html_page
    from ml_assets.evaluation.card_markdown import markdown_page
    from ml_assets.evaluation.documents import plain

    found = difference(files.document(old), files.document(new))
    page = difference_page(found)
    figures = json.dumps(plain(found.to_dict()), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    texts = {"html": html_page(page), "md": markdown_page(page), "json": figures}
    for part, text in texts.items():
        write_atomically(files.folder / f"difference-{old}-{new}.{part}", text.encode())
    return files.folder / f"difference-{old}-{new}.{ending}"
