"""`ml-assets check`: a dataset, or a file for one, by its contract; nothing is trained, taken or moved."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ml_assets.datasets.contracts import load_contract, load_contracts
from ml_assets.errors import ContractViolation, UserError
from ml_assets.home import Home

if TYPE_CHECKING:
    from ml_assets.datasets.examination import ExaminedFile
    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.validation.outcomes import CheckOutcome

REASONS_SHOWN = 20


@click.command()
@click.argument("subject", metavar="NAME|FILE")
@click.option("--dataset", metavar="NAME", help="Whose file it is.  [default: whose columns it has]")
@click.option("--json", "as_json", is_flag=True, help="JSON in place of lines.")
def check(subject: str, dataset: str | None, as_json: bool) -> None:
    """Check the dataset NAME, or the rows of FILE as if it were handed in.

    Nothing is trained, and FILE stays where it is. Exit code 2 says that a check would refuse the table, or that a row
    of the file would be refused.

    \b
    Examples:
      ml-assets check wine_quality
      ml-assets check monday.csv
      ml-assets check monday.csv --dataset wine_quality --json
    """
    contracts = load_contracts()
    if dataset is None and subject in contracts:
        _check_dataset(contracts[subject], as_json=as_json)
        return
    path = Path(subject).expanduser()
    if dataset is None and not path.exists():
        if path.suffix or len(path.parts) > 1:
            raise UserError(f"{subject} does not exist: check the path")
        load_contract(subject)
    _check_file(path, load_contract(dataset) if dataset is not None else None, as_json=as_json)


def _check_dataset(spec: DatasetSpec, *, as_json: bool) -> None:
    from ml_assets.assets.ingestion import source_mode
    from ml_assets.datasets.examination import examine_dataset

    outcomes = examine_dataset(spec, Home.current(), mode=source_mode(), now=time.time())
    if as_json:
        click.echo(
            json.dumps({"dataset": spec.name, "checks": [_document(o) for o in outcomes]}, indent=2, default=str)
        )
    else:
        width = max((len(outcome.name) for outcome in outcomes), default=0)
        for outcome in outcomes:
            click.echo(f"{_mark(outcome)} {outcome.name:<{width}}  {outcome.summary}")
    failed = [outcome.name for outcome in outcomes if outcome.blocking and not outcome.passed]
    if failed:
        raise ContractViolation(
            f"{spec.name}: {', '.join(failed)} would refuse the table: correct the table, or the contract "
            f"{spec.name}.yaml if the table is right"
        )


def _mark(outcome: CheckOutcome) -> str:
    return "✓" if outcome.passed else "✗" if outcome.blocking else "!"


def _document(outcome: CheckOutcome) -> dict[str, object]:
    return {
        "name": outcome.name,
        "passed": outcome.passed,
        "blocking": outcome.blocking,
        "summary": outcome.summary,
        "figures": dict(outcome.figures),
        "rows": [{"batch": r.batch, "row": r.row, "column": r.column, "value": r.value} for r in outcome.failing_rows],
    }


def _check_file(path: Path, spec: DatasetSpec | None, *, as_json: bool) -> None:
    from ml_assets.assets.ingestion import source_mode
    from ml_assets.datasets.examination import dataset_of, examine_file

    chosen = spec if spec is not None else dataset_of(path, load_contracts())
    found = examine_file(chosen, path, Home.current(), mode=source_mode())
    whole = found.screened.refuses_file(chosen)
    if as_json:
        click.echo(json.dumps(_file_document(path, found, whole), indent=2, default=str))
    else:
        _print_file(path, found)
    if found.refused:
        told = f"all of {path.name} would be refused: {whole}" if whole else f"{found.refused} rows would be refused"
        raise ContractViolation(f"{chosen.name}: {told}; correct the file, or the contract if the file is right")


def _print_file(path: Path, found: ExaminedFile) -> None:
    good = found.screened.rows - found.refused
    mark = "✗" if found.refused else "✓"
    click.echo(f"{mark} {path.name} as {found.spec.name}: {good} of {found.screened.rows} rows keep the contract")
    for line in _reasons(found)[:REASONS_SHOWN]:
        click.echo(f"  {line}")
    if len(found.screened.reasons) > REASONS_SHOWN:
        click.echo(f"  and {len(found.screened.reasons) - REASONS_SHOWN} more")
    if not found.refused:
        click.echo(f"  to hand it in, copy it to {Home.current().incoming / found.spec.name}")


def _reasons(found: ExaminedFile) -> Sequence[str]:
    return [f"row {reason.row}: {reason.message}" for reason in found.screened.reasons]


def _file_document(path: Path, found: ExaminedFile, whole: str | None) -> dict[str, object]:
    return {
        "file": str(path),
        "dataset": found.spec.name,
        "rows": found.screened.rows,
        "refused": found.refused,
        "whole_file_refused": whole,
        "reasons": [
            {"row": r.row, "column": r.column, "value": r.value, "rule": r.rule, "message": r.message}
            for r in found.screened.reasons
        ],
    }
