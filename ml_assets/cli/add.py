"""`ml-assets add`: a person's own table into the graph. Looking at it is `check`, taking it out is `remove`."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ml_assets.errors import SettingError
from ml_assets.home import Home

if TYPE_CHECKING:
    from ml_assets.datasets.inference.guess import Inference
    from ml_assets.datasets.spec import Column, DatasetSpec, Duplicates

COLUMNS_SHOWN = 40
NOTES_SHOWN = 20
LEFT_OUT_SHOWN = 8
LABELS_SHOWN = 6
COLUMNS_CHECKED = 500
LABEL_CHARACTERS = 24
DUPLICATES = (
    "What becomes of rows that repeat an earlier one: kept on one side of every split, dropped, or split like any "
    "other rows, because rows to predict will repeat them too.  [default: keep]"
)


@click.command()
@click.argument("file")
@click.option("--target", required=True, metavar="COLUMN", help="What to predict.")
@click.option("--name", metavar="NAME", help="Of the dataset.  [default: from the file's name]")
@click.option("--task", type=click.Choice(["regression", "classification"]), help="A number or a class.")
@click.option("--key", multiple=True, metavar="COLUMN", help="Names a row; give it again for several columns.")
@click.option("--group", metavar="COLUMN", help="Rows with the same value stay on one side of every split.")
@click.option("--time", "time_column", metavar="COLUMN", help="Date by which training rows come before test rows.")
@click.option("--test-share", type=float, metavar="SHARE", help="Of the rows, held back for the test.  [default: 0.2]")
@click.option("--duplicates", type=click.Choice(["keep", "drop", "independent"]), help=DUPLICATES)
@click.option("--query", metavar="SQL", help="SELECT that gives the rows, where FILE is a database's address.")
@click.option("--sheet", metavar="NAME", help="Of a workbook.  [default: the first]")
@click.option("--replace", is_flag=True, help="Take the place of the dataset of that name.")
def add(
    file: str,
    target: str,
    name: str | None,
    task: str | None,
    key: tuple[str, ...],
    group: str | None,
    time_column: str | None,
    test_share: float | None,
    duplicates: Duplicates | None,
    query: str | None,
    sheet: str | None,
    replace: bool,
) -> None:
    """Make the table in FILE a dataset, with a contract guessed from what is in it.

    FILE is delimited text, Parquet, JSON lines or an Excel workbook, compressed or not, or the address of an SQLite or
    PostgreSQL database. The contract is a YAML file in the home, with a comment for each guess; change it as you like.

    \b
    Examples:
      ml-assets add churn.csv --target churned
      ml-assets add visits.xlsx --target cost --group patient --time day --name visits
      ml-assets add sqlite:///shop.db --query "SELECT * FROM orders" --target paid
    """
    from ml_assets.datasets.inference.guess import Wishes, infer
    from ml_assets.datasets.inference.names import dataset_name
    from ml_assets.datasets.own_contracts import refuse_taken, store_contract
    from ml_assets.datasets.reading.opening import open_table
    from ml_assets.datasets.spec import Task

    if test_share is not None and not 0 < test_share < 1:
        raise SettingError(f"a test share of {test_share:g} makes no sense; give a number between 0 and 1, such as 0.1")
    home, now = Home.current(), time.time()
    chosen = dataset_name(name, file, query)
    refuse_taken(home, chosen, replace=replace)
    _refuse_incoming(home, file)
    origin, secret = _without_password(file, chosen)
    opened = open_table(origin, query=query, sheet=sheet, home=home.root)
    wishes = Wishes(chosen, target, Task(task) if task else None, key, group, time_column, test_share, duplicates)
    inference = infer(opened, wishes, home=home.root)
    written = store_contract(home, chosen, _contract_text(inference, opened.source.name, now), now=now)
    _print_decisions(inference, opened.source.name)
    _print_notes([*_failed_checks(inference, now), *map(str, inference.notes)])
    _print_next(chosen, written, secret)
    _mention_earlier(home, chosen)


def _mention_earlier(home: Home, name: str) -> None:
    """That there is something of an earlier dataset of this name, which this one goes on with."""
    from ml_assets.datasets.own_contracts import made_folders

    if made_folders(home, name):
        click.echo(
            f"\nThere is a dataset {name} already in {home.data}: its versions, batches and models go on. If this is "
            f"another table, begin anew: ml-assets remove {name} --data, and add it again."
        )


def _refuse_incoming(home: Home, file: str) -> None:
    """A file that the next run would take away cannot be a source.

    Raises:
        SettingError: the file lies in incoming or quarantine.
    """
    path = Path(file).expanduser().absolute()
    for folder in (home.incoming, home.quarantine):
        if path.is_relative_to(folder):
            raise SettingError(f"{path} lies in {folder}, from where runs take files away: move it elsewhere first")


def _without_password(file: str, dataset: str) -> tuple[str, str]:
    """The address to open, and the variable that holds it where it is a secret, which no contract shows."""
    from ml_assets.datasets.reading.addresses import address_variable, holds_password

    if not holds_password(file):
        return file, ""
    variable = address_variable(dataset)
    os.environ[variable] = file
    return f"${variable}", variable


def _contract_text(inference: Inference, origin: str, now: float) -> str:
    from ml_assets.datasets.contracts import parse_contract
    from ml_assets.datasets.inference.contract_text import contract_text

    day = time.strftime("%Y-%m-%d", time.gmtime(now))
    look = [f"  - {note}" for note in inference.notes[:NOTES_SHOWN]]
    heading = (
        f"Guessed by `ml-assets add` from {origin} on {day}. Every line is yours to change; `ml-assets check "
        f"{inference.spec.name}` says whether the table keeps what is written here.",
        *(["Look at these first; why is told where they belong:", *look] if look else []),
    )
    text = contract_text(inference.spec, inference.comments, heading=heading)
    parse_contract(text, origin=inference.spec.name)
    return text


def _failed_checks(inference: Inference, now: float) -> list[str]:
    """What the contract's own checks have against the table; a very wide one is left to `ml-assets check`."""
    import datetime as dt

    from ml_assets.validation.contract_checks import check_table

    if len(inference.spec.columns) > COLUMNS_CHECKED:
        return []
    moment = dt.datetime.fromtimestamp(now, dt.UTC).replace(tzinfo=None)
    failed = [o for o in check_table(inference.spec, inference.table, now=moment) if not o.passed]
    return [f"check `{o.name}` {'refuses the table' if o.blocking else 'warns'}: {o.summary}" for o in failed]


def _print_decisions(inference: Inference, origin: str) -> None:
    from ml_assets.datasets.reading.wording import plain

    spec, rows = inference.spec, inference.table.height
    left_out = {n: c.ignored for n, c in spec.columns.items() if c.ignored}
    click.echo(f"{spec.name}: {rows} rows and {len(spec.columns)} columns of {plain(origin)}\n")
    if len(spec.columns) <= COLUMNS_SHOWN:
        width = max(map(len, spec.columns))
        for name, column in spec.columns.items():
            click.echo(f"  {name:<{width}}  {column.dtype:<8}  {_promises(column)}".rstrip())
        click.echo()
    click.echo(f"  predicts    {spec.target}: {_prediction(inference)}")
    click.echo(f"  from        {_features(spec)}")
    if left_out:
        shown = "; ".join(f"{name} ({reason})" for name, reason in list(left_out.items())[:LEFT_OUT_SHOWN])
        more = f"; and {len(left_out) - LEFT_OUT_SHOWN} more" if len(left_out) > LEFT_OUT_SHOWN else ""
        click.echo(f"  leaves out  {shown}{more}")
    for what, named in (("key", ", ".join(spec.key)), ("group", spec.group), ("time", spec.time)):
        if named:
            click.echo(f"  {what:<10}  {named}")
    often = f", drawn {spec.repeats} times" if spec.repeats > 1 else ""
    click.echo(f"  splits      {spec.test_share:.0%} to test with, {spec.folds} folds{often}")


def _promises(column: Column) -> str:
    """What else than its type is promised of a column, in a few words."""
    parts = []
    if column.range is not None:
        parts.append(f"{column.range[0]:g} … {column.range[1]:g}")
    if column.period is not None:
        parts.append(f"{column.period[0]:%Y-%m-%d} … {column.period[1]:%Y-%m-%d}")
    if column.allowed is not None:
        more = " …" if len(column.allowed) > LABELS_SHOWN else ""
        parts.append(" | ".join(label[:LABEL_CHARACTERS] for label in column.allowed[:LABELS_SHOWN]) + more)
    if column.missing_share:
        parts.append(f"missing up to {column.missing_share:.0%}")
    return "; ".join([*parts, *(["no feature"] if column.ignored else [])])


def _prediction(inference: Inference) -> str:
    spec = inference.spec
    if spec.task.value == "regression":
        values = inference.table[spec.target]
        return f"a number: {float(values.min()):.6g} … {float(values.max()):.6g} (regression)"  # type: ignore[arg-type]
    counts = Counter(inference.table[spec.target].drop_nulls().to_list()).most_common()
    shown = " | ".join(f"{label[:LABEL_CHARACTERS]} ({rows})" for label, rows in counts[:LABELS_SHOWN])
    more = f" and {len(counts) - LABELS_SHOWN} more" if len(counts) > LABELS_SHOWN else ""
    return f"a class: {shown}{more} (classification)"


def _features(spec: DatasetSpec) -> str:
    counts = Counter(spec.columns[name].dtype for name in spec.feature_columns)
    return ", ".join(f"{number} {dtype}" for dtype, number in counts.most_common())


def _print_notes(notes: Sequence[str]) -> None:
    if not notes:
        return
    click.echo("\nLook at")
    for note in notes[:NOTES_SHOWN]:
        click.echo(f"  - {note}")
    if len(notes) > NOTES_SHOWN:
        click.echo(f"  and {len(notes) - NOTES_SHOWN} more, in the contract's comments")


def _print_next(name: str, written: Path, secret: str) -> None:
    click.echo(f"\nContract  {written}")
    if secret:
        click.echo(f"Password  not written anywhere; before each command: export {secret}=<the address you gave>")
    click.echo(f"Next      ml-assets check {name}\n          ml-assets run {name}")
