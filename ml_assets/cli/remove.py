"""`ml-assets remove`: a person's own table out of the graph again."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import click

from ml_assets.home import Home

TRACKING_VARIABLE = "MLFLOW_TRACKING_URI"


@click.command()
@click.argument("name")
@click.option("--data", is_flag=True, help="What was made of it too: versions, tables, models, reports.")
def remove(name: str, data: bool) -> None:
    """Take the dataset NAME out of the graph.

    Its contract is put aside in datasets/.removed of the home, from where it can be put back; with --data so are the
    batches that were accepted. Its source, and files in incoming and quarantine, stay where they are.

    \b
    Examples:
      ml-assets remove churn
      ml-assets remove churn --data
    """
    from ml_assets.datasets.own_contracts import (
        handed_in_folders,
        is_known,
        made_folders,
        own_contract,
        remove_contract,
    )

    home = Home.current()
    made = made_folders(home, name)
    left_over = data and bool(made) and not is_known(home, name)
    if not left_over:
        own_contract(home, name)
    if data:
        _remove_made(home, name, made)
    if not left_over:
        aside = remove_contract(home, name, now=time.time())
        click.echo(f"{name} is out of the graph; its contract is {aside}")
    if made and not data:
        click.echo(f"What was made of it is kept; to remove that too: ml-assets remove {name} --data")
        for folder in made:
            click.echo(f"  {folder}")
    for folder in handed_in_folders(home, name):
        click.echo(f"kept     {folder}, with files that were handed in")


def _remove_made(home: Home, name: str, made: Sequence[Path]) -> None:
    """Removes what was made of a dataset, and what Dagster and the registry say of it, lest they name lost files."""
    from ml_assets.artifacts import storage_errors
    from ml_assets.datasets.own_contracts import set_batches_aside

    if home.dagster.is_dir():
        _forget_assets(home, name)
    if (home.mlflow / "mlflow.db").is_file() or TRACKING_VARIABLE in os.environ:
        _forget_models(name)
    if (aside := set_batches_aside(home, name, now=time.time())) is not None:
        click.echo(f"aside    {aside}, with the files that were handed in and accepted")
    for folder in filter(Path.is_dir, made):
        with storage_errors(folder):
            shutil.rmtree(folder)
        click.echo(f"removed  {folder}")


def _forget_assets(home: Home, name: str) -> None:
    from ml_assets.automation.instance import open_instance

    with open_instance(home) as instance:
        keys = [key for key in instance.all_asset_keys() if key.path[0] == name]
        if keys:
            instance.wipe_assets(keys)
            click.echo(f"removed  what Dagster knew of {len(keys)} assets")


def _forget_models(name: str) -> None:
    from mlflow.exceptions import MlflowException

    from ml_assets.resources.tracking import mlflow_client, tracking_lock

    with tracking_lock():
        client = mlflow_client()
        try:
            client.delete_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return
    click.echo(f"removed  the registered model {name}")
