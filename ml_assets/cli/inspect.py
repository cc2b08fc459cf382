"""Commands that only look: `status`, `leaderboard`, `env`."""

from __future__ import annotations

import json
from typing import Any

import click

from ml_assets.datasets.contracts import load_contract, load_contracts
from ml_assets.errors import UserError
from ml_assets.families import model_names
from ml_assets.home import HOME_VARIABLE, Home


@click.command()
@click.argument("dataset")
@click.option("--json", "as_json", is_flag=True, help="JSON in place of a table.")
def leaderboard(dataset: str, as_json: bool) -> None:
    """Show the model families of DATASET, best first.

    \b
    Examples:
      ml-assets leaderboard iris
      ml-assets leaderboard wine_quality --json
    """
    from ml_assets.cli.tables import print_leaderboards, stored_leaderboard
    from ml_assets.evaluation.documents import plain

    spec = load_contract(dataset)
    board = stored_leaderboard(spec.name)
    if board is None:
        raise UserError(f"{spec.name} has no leaderboard yet: run `ml-assets run {spec.name}`")
    if not as_json:
        print_leaderboards([spec.name])
        return
    rows = json.loads(board.to_frame().reset_index().to_json(orient="records"))
    document = {
        "dataset": board.dataset,
        "metric": board.metric,
        "winner": board.winner,
        "leader": board.leader,
        "significance": board.alpha,
        "correction": "Holm",
        "equivalence_margin": plain(board.equivalence_margin),
        "families": rows,
        "left_out": dict(board.left_out),
    }
    click.echo(json.dumps(document, indent=2))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="JSON in place of a table.")
def status(as_json: bool) -> None:
    """Show each dataset's champion, what is not up to date, and whether a server runs.

    \b
    Example:
      ml-assets status
    """
    from ml_assets.serving.probe import probe

    home = Home.current()
    rows = _dataset_rows(home)
    server = probe(home.server_record, timeout=2.0)
    if as_json:
        click.echo(json.dumps({"home": str(home.root), "datasets": rows, "server": server.message}, indent=2))
        return
    from rich.table import Table

    from ml_assets.cli.tables import console

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("dataset", "champion", "incoming files", "to make", "why"):
        table.add_column(name, justify="right" if name in ("incoming files", "to make") else "left")
    for row in rows:
        table.add_row(row["dataset"], row["champion"], str(row["incoming"]), str(row["to_make"]), row["why"])
    console().print(table)
    click.echo(f"\nserver: {server.message}\nhome:   {home.root}")


def _dataset_rows(home: Home) -> list[dict[str, Any]]:
    from ml_assets.automation.instance import open_instance
    from ml_assets.automation.staleness import find_stale
    from ml_assets.datasets.incoming.arrivals import pending_files
    from ml_assets.definitions import defs
    from ml_assets.resources.registry import champion_ref
    from ml_assets.resources.settings import default_settings

    rows = []
    with open_instance(home) as instance:
        graph = defs.resolve_asset_graph()
        for spec in load_contracts().values():
            stale = find_stale(instance, graph, spec, model_names(), asked={"seed": default_settings().seed})
            champion = champion_ref(spec.name)
            rows.append(
                {
                    "dataset": spec.name,
                    "champion": f"version {champion.version} ({champion.family})" if champion else "none yet",
                    "incoming": len(pending_files(spec, home)),
                    "to_make": len(stale.keys),
                    "why": "; ".join(stale.reasons[:2]) or "up to date",
                }
            )
    return rows


@click.command()
def env() -> None:
    """Print the environment that Dagster's and MLflow's own commands need to see this home.

    \b
    Example:
      eval "$(ml-assets env)" && dagster asset materialize -m ml_assets --select 'key:iris/raw_table'
    """
    import shlex

    from ml_assets.automation.instance import prepare_dagster_home

    home = Home.current()
    prepare_dagster_home(home)
    variables = {
        HOME_VARIABLE: str(home.root),
        "DAGSTER_HOME": str(home.dagster),
        "MLFLOW_TRACKING_URI": home.tracking_uri,
    }
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")
