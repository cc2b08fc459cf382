"""`ml-assets rebuild`: a registered model made again from the version of the table that made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ml_assets.errors import IntegrityError, TrainingError, UserError

if TYPE_CHECKING:
    from ml_assets.datasets.versions.store import TableVersions, Version
    from ml_assets.learning.fitted_model import ModelRecord
    from ml_assets.learning.rebuild import Rebuild
    from ml_assets.resources.registry import Registration

OTHER_BYTES = "other bytes (memory that libraries leave unset is stored too; the predictions decide)"


@click.command()
@click.argument("dataset")
@click.option("--model", default="champion", show_default=True, metavar="VERSION", help="Registered version or alias.")
def rebuild(dataset: str, model: str) -> None:
    """Make a registered model of DATASET again, and say whether it is the same.

    The table's version, the contract, the seed and the setting are those that the model was made from. Nothing is
    stored. Exit code 0 only if the metric and every prediction on the test rows come out bit for bit as they were.

    \b
    Examples:
      ml-assets rebuild iris
      ml-assets rebuild wine_quality --model 3
    """
    from ml_assets.artifacts import folder_sha256
    from ml_assets.cli.data import versions_of
    from ml_assets.learning.fitted_model import load_verified, read_record
    from ml_assets.learning.rebuild import contract_of
    from ml_assets.learning.rebuild import rebuild as make_again
    from ml_assets.resources.registry import find_registration
    from ml_assets.resources.tracking import mlflow_client

    versions = versions_of(dataset)
    registration = find_registration(mlflow_client(), dataset, model)
    origin, folder = registration.origin, registration.model_file.parent
    stored = load_verified(registration.model_file, origin.model_sha256)
    if folder_sha256(folder)[: len(folder.name)] != folder.name:
        raise IntegrityError(f"{folder} was changed after it was written: put it back from a copy")
    record = read_record(folder)
    version = _table_version(versions, registration, record)
    click.echo(
        f"{dataset} {registration.label} ({origin.family}), from {version.label} of the table, {version.rows:,} rows"
    )
    found = make_again(
        record,
        versions.read(version),
        stored=stored,
        stored_sha256=origin.model_sha256,
        recorded=origin.test_score,
        spec=contract_of(record.contract or version.contract, origin=registration.label),
    )
    _report(found)
    if not found.is_same:
        raise TrainingError(_why_not(found, registration))


def _table_version(versions: TableVersions, registration: Registration, record: ModelRecord) -> Version:
    origin = registration.origin
    found = versions.files.stored(record.data_version) or versions.origin_of(origin.data_hash)
    if found is None:
        raise UserError(
            f"the version of the table that {registration.label} was made from is not kept: it is older than versions "
            "are, or was removed by hand; a model that is registered from now on can be rebuilt"
        )
    return found


def _report(found: Rebuild) -> None:
    same = "the same" if found.recorded == found.stored == found.rebuilt else "NOT the same"
    predictions = "the same bit for bit" if found.same_predictions else f"up to {found.largest_difference:g} apart"
    lines = {
        "clean table": "the same" if found.same_data else "NOT the same",
        "splits": "the same" if found.same_splits else "NOT the same",
        found.metric: f"{found.rebuilt!r}, {same} (recorded {found.recorded!r}, stored model now {found.stored!r})",
        "predictions": f"{predictions}, {found.test_rows:,} test rows",
        "model file": "the same bytes" if found.same_bytes else OTHER_BYTES,
    }
    for name, text in lines.items():
        click.echo(f"  {name:<12} {text}")
    for name, (then, now) in found.libraries.items():
        click.echo(f"  {name} was {then} and is {now}")


def _why_not(found: Rebuild, registration: Registration) -> str:
    from ml_assets import __version__
    from ml_assets.assets.policy import families_version

    reasons = [f"{name} {then} then, {now} now" for name, (then, now) in found.libraries.items()]
    if (code := f"{__version__}/{families_version()}") != registration.origin.code_version:
        reasons.append(f"ml_assets' own families {registration.origin.code_version} then, {code} now")
    if not found.same_data:
        reasons.append("the clean table is another: cleaning or corrections changed")
    if not found.same_splits:
        reasons.append("the splits are others: splitting changed, or the seed was not recorded")
    told = "; ".join(reasons) or "nothing that was recorded differs: was it made on another machine?"
    return f"the rebuilt model is not the same as {registration.label}: {told}"
