"""Commands about the versions of tables: `data log`, `diff` and `checkout`, and `gc`. Their tables: `data_tables`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ml_assets.datasets.contracts import load_contract, load_contracts
from ml_assets.errors import StorageError
from ml_assets.home import Home

if TYPE_CHECKING:
    from ml_assets.datasets.versions.retention import Freed, Retention
    from ml_assets.datasets.versions.store import TableVersions
    from ml_assets.resources.registry import Registration

ROWS_SHOWN = 5


@click.group()
def data() -> None:
    """Look at the versions of a table, compare them, go back to one.

    Every content that a raw table ever had is a version, kept until `ml-assets gc`. VERSION is its number, the
    beginning of its id, `latest` or `previous`.

    \b
    Examples:
      ml-assets data log wine_quality
      ml-assets data diff wine_quality previous latest
      ml-assets data checkout wine_quality 3
    """


@data.command()
@click.argument("dataset")
@click.option("--json", "as_json", is_flag=True, help="JSON in place of a table.")
def log(dataset: str, as_json: bool) -> None:
    """Show the versions of DATASET, newest first, and the registered models that were made from each.

    \b
    Examples:
      ml-assets data log wine_quality
      ml-assets data log wine_quality --json
    """
    from ml_assets.cli.data_tables import log_document, print_log

    versions = versions_of(dataset)
    document = log_document(versions, _models_by_version(versions, registrations_of(dataset)))
    if as_json:
        click.echo(json.dumps({"dataset": dataset, "versions": document}, indent=2))
    elif document:
        print_log(document)
    else:
        click.echo(f"{dataset} has no versions yet: `ml-assets run {dataset}` keeps the first")


@data.command()
@click.argument("dataset")
@click.argument("v1")
@click.argument("v2")
@click.option("--json", "as_json", is_flag=True, help="JSON in place of tables.")
@click.option("--rows", type=click.IntRange(min=0), default=ROWS_SHOWN, show_default=True, help="Rows of each kind.")
def diff(dataset: str, v1: str, v2: str, as_json: bool, rows: int) -> None:
    """Show how version V2 of DATASET differs from V1: rows added, removed and changed, and each column's figures.

    Rows are changed where the contract names a key; without one they are removed and added. Order and batch do not
    count.

    \b
    Examples:
      ml-assets data diff wine_quality previous latest
      ml-assets data diff wine_quality 1 3 --rows 20
    """
    from ml_assets.cli.data_tables import diff_document, print_diff
    from ml_assets.datasets.versions.difference import difference

    versions = versions_of(dataset)
    old, new = versions.find(v1), versions.find(v2)
    contract = load_contracts().get(dataset)
    key = contract.key if contract is not None else tuple(new.contract.get("key", ()))
    before, after = versions.read(old), versions.read(new)
    found = difference(before, after, key=key)
    made = diff_document(found, before, after, rows=rows)
    if as_json:
        named = {name: {"number": v.number, "id": v.id, "rows": v.rows} for name, v in (("from", old), ("to", new))}
        click.echo(json.dumps({"dataset": dataset, **named, **made}, indent=2, allow_nan=False))
        return
    click.echo(f"{dataset}: {old.label} → {new.label}: {old.rows:,} → {new.rows:,} rows")
    print_diff(made)


@data.command()
@click.argument("dataset")
@click.argument("version")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write it to a .csv or .parquet file, and no more."
)
def checkout(dataset: str, version: str, output: Path | None) -> None:
    """Hold DATASET at VERSION, so that the next run trains on it; `latest` lets go. With -o only write it to a file.

    While it is held, neither the sources nor incoming files are read.

    \b
    Examples:
      ml-assets data checkout wine_quality 3
      ml-assets data checkout wine_quality latest
      ml-assets data checkout wine_quality 1a2b3c -o then.csv
    """
    from ml_assets.datasets.versions.store import LATEST

    versions = versions_of(dataset)
    found = versions.find(version)
    if output is not None:
        from ml_assets.datasets.versions.export import write_table

        write_table(versions.read(found), output)
        click.echo(f"{output}: {found.rows:,} rows of {dataset}, {found.label}")
    elif version == LATEST:
        held = versions.pinned()
        versions.pin(None)
        was = f"is no longer held at {held.label}" if held is not None else "is not held at any version"
        click.echo(f"{dataset} {was}: the next `ml-assets run {dataset}` reads its sources and incoming files")
    else:
        versions.read(found)
        versions.pin(found)
        click.echo(
            f"{dataset} is held at {found.label}, {found.rows:,} rows: the next `ml-assets run {dataset}` takes it\n"
            f"let go with: ml-assets data checkout {dataset} latest"
        )


@click.command()
@click.option("--keep", type=int, default=10, show_default=True, metavar="N", help="Newest versions of each dataset.")
@click.option("--older-than", type=float, metavar="DAYS", help="Remove only versions older than this.")
@click.option("--dry-run", is_flag=True, help="Say what would go; remove nothing.")
def gc(keep: int, older_than: float | None, dry_run: bool) -> None:
    """Remove old versions of tables, and models that are neither current nor registered.

    What stays: the newest N versions of each dataset, the current one, one that is held, and every one that a
    registered or current model was made from. Nothing is removed when the registry cannot be read.

    \b
    Examples:
      ml-assets gc --dry-run
      ml-assets gc --keep 3 --older-than 30
    """
    import time

    from ml_assets.datasets.versions.retention import Retention
    from ml_assets.evaluation.wording import size

    rule, home = Retention(keep, older_than), Home.current()
    names = _kept_datasets(home)
    registered = {name: _registered_for_certain(home, name) for name in names}
    total, verb = 0, "would go" if dry_run else "removed"
    for name in names:
        freed = _collect(home, name, registered[name], rule, now=time.time(), dry_run=dry_run)
        total += sum(part.bytes for part in freed)
        what = [f"version {v.number} ({v.short})" for part in freed for v in part.versions]
        what += [f"model {folder.parent.name}/{folder.name}" for part in freed for folder in part.models]
        if what:
            click.echo(f"{name}: {verb}: {', '.join(what)}")
    click.echo(f"{size(total)} {'would be freed' if dry_run else 'freed'}")


def versions_of(dataset: str) -> TableVersions:
    """The versions of a dataset that has a contract, or had one and left versions behind.

    Raises:
        UnknownNameError: there is no such dataset.
    """
    from ml_assets.datasets.state import table_versions

    home = Home.current()
    if dataset not in _kept_datasets(home):
        load_contract(dataset)
    return table_versions(home, dataset)


def registrations_of(dataset: str) -> tuple[Registration, ...]:
    """Registered versions of a dataset's models; none, and MLflow is not loaded, where the home has no registry yet.

    Raises:
        StorageError: the registry cannot be read.
    """
    home = Home.current()
    local = f"sqlite:///{home.mlflow}"
    if home.tracking_uri.startswith(local) and not Path(home.tracking_uri.removeprefix("sqlite:///")).is_file():
        return ()
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    from ml_assets.resources.registry import registrations
    from ml_assets.resources.tracking import mlflow_client

    try:
        return registrations(mlflow_client(), dataset)
    except (MlflowException, SQLAlchemyError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise StorageError(
            f"the model registry at {home.tracking_uri} cannot be read ({reason}): mend it, or set MLFLOW_TRACKING_URI "
            "to the one that knows the models; nothing was changed"
        ) from error


def _registered_for_certain(home: Home, dataset: str) -> tuple[Registration, ...]:
    """Registered versions of a dataset.

    Raises:
        StorageError: the registry cannot be read, or knows none although one was registered: it is another registry.
    """
    from ml_assets.resources.store import FOLDERS, artifact_store

    found = registrations_of(dataset)
    asset = "registered_model"
    if not found and artifact_store().find((FOLDERS[asset], dataset, asset)) is not None:
        raise StorageError(
            f"{dataset} has a registered model, and the registry at {home.tracking_uri} does not know any: set "
            "MLFLOW_TRACKING_URI to the one that does; nothing was removed"
        )
    return found


def _kept_datasets(home: Home) -> list[str]:
    """Datasets that have versions or models, by name."""
    places = (home.data / "raw", home.data / "models")
    return sorted({folder.name for place in places if place.is_dir() for folder in place.iterdir() if folder.is_dir()})


def _models_by_version(versions: TableVersions, registered: tuple[Registration, ...]) -> dict[str, list[str]]:
    """Numbers of registered models by the id of the table's version that they were made from."""
    found: dict[str, list[str]] = {}
    for registration in registered:
        origin = versions.origin_of(registration.origin.data_hash)
        identity = registration.origin.data_version or (origin.id if origin is not None else "")
        found.setdefault(identity, []).append(registration.version)
    return found


def _collect(
    home: Home, dataset: str, registered: tuple[Registration, ...], rule: Retention, *, now: float, dry_run: bool
) -> tuple[Freed, Freed]:
    from ml_assets.datasets.state import table_versions
    from ml_assets.datasets.versions.retention import collect_models, collect_versions
    from ml_assets.learning.fitted_model import read_record
    from ml_assets.learning.left_out import FILE as LEFT_OUT
    from ml_assets.resources.store import FOLDERS, artifact_store

    store, key = artifact_store(), (FOLDERS["model"], dataset, "model")
    folders = {registration.model_file.parent for registration in registered}
    records: list[Any] = [registration.origin for registration in registered]
    place = store.root.joinpath(*key)
    for family in sorted(place.iterdir()) if place.is_dir() else ():
        current = store.find((*key, family.name))
        if current is not None and not (current.path / LEFT_OUT).exists():  # a family without a model needs nothing
            records.append(read_record(current.path))
    needed = {name for record in records for name in (record.data_hash, record.data_version)}
    return (
        collect_versions(table_versions(home, dataset), rule, needed=needed, now=now, dry_run=dry_run),
        collect_models(store, key, needed=folders, now=now, dry_run=dry_run),
    )
