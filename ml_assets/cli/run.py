"""`ml-assets run`: make what is stale, show how it goes, end with the leaderboard."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ml_assets.cli.settings import given_settings, use_cores
from ml_assets.datasets.contracts import load_contract, load_contracts
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.errors import RunFailedError, UserError
from ml_assets.families import choose_models
from ml_assets.home import Home
from ml_assets.processes import start_loading

if TYPE_CHECKING:
    from dagster import AssetKey, DagsterInstance

    from ml_assets.automation.launch import RunOutcome, RunPart
    from ml_assets.automation.staleness import StaleAssets


@click.command()
@click.argument("datasets", nargs=-1, metavar="[DATASET]...")
@click.option("--families", metavar="A,B", help="Only these model families, separated by commas.")
@click.option(
    "--budget", type=float, metavar="SECONDS", help="Time of a dataset, first row to champion.  [default: 60]"
)
@click.option("--trials", type=int, metavar="N", help="N settings a family; alone it makes a run repeatable.")
@click.option("--jobs", type=int, metavar="N", help="Cores to use.  [default: all]")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of splits, searches and models.")
@click.option("--fresh", is_flag=True, help="Make everything again, stale or not.")
def run(
    datasets: tuple[str, ...],
    families: str | None,
    budget: float | None,
    trials: int | None,
    jobs: int | None,
    seed: int,
    fresh: bool,
) -> None:
    """Train, compare, register and deploy what is not up to date.

    Without DATASET it takes every dataset. What is up to date is left as it is and said so.

    \b
    Examples:
      ml-assets run
      ml-assets run iris wine_quality --families xgboost,svm
      ml-assets run california_housing --budget 120 --jobs 2
      ml-assets run iris --trials 10
    """
    specs = [load_contract(name) for name in dict.fromkeys(datasets)] or list(load_contracts().values())
    chosen = choose_models(families.split(",") if families is not None else None)
    settings = given_settings(budget, trials, seed)
    use_cores(jobs)
    _load_meanwhile()
    make(specs, chosen, settings=settings, fresh=fresh)


def _load_meanwhile() -> None:
    """Starts loading what steps need, its output kept from the terminal."""
    from ml_assets.cli.progress import quiet_processes

    with quiet_processes(Home.current().dagster / "logs" / "steps.log"):
        start_loading()


def make(specs: Sequence[DatasetSpec], families: Sequence[str], *, settings: Mapping[str, Any], fresh: bool) -> None:
    """Makes what is stale and prints the leaderboard.

    Raises:
        RunFailedError: steps failed; datasets without a failure are finished all the same.
    """
    from ml_assets.automation.instance import open_instance
    from ml_assets.automation.launch import plan_parts
    from ml_assets.automation.staleness import find_stale, tables_to_look_at
    from ml_assets.definitions import defs

    home = Home.current()
    with open_instance(home) as instance:
        graph = defs.resolve_asset_graph()
        failed: list[RunOutcome] = []
        warnings: list[str] = []

        def stale_assets() -> list[StaleAssets]:
            broken = {problem.step.partition("__")[0] for outcome in failed for problem in outcome.problems}
            sound = [spec for spec in specs if spec.name not in broken]
            return [find_stale(instance, graph, spec, families, asked=settings, everything=fresh) for spec in sound]

        def made(keys: Sequence[AssetKey]) -> None:
            parts = plan_parts(graph, keys, families)
            outcomes = [_watched(instance, home, part, _share(settings, part, parts)) for part in parts]
            failed.extend(outcome for outcome in outcomes if not outcome.success)
            warnings.extend(warning for outcome in outcomes for warning in outcome.warnings)

        stale = stale_assets()
        if not fresh and (tables := tables_to_look_at(instance, stale)):
            _say_why(stale, tables)
            made(tables)
            _say_what_came_in(instance, tables)
            stale = stale_assets()
        _say_what_is_stale(stale)
        if fresh:
            _forget_searches(home, specs)
        if keys := [key for dataset in stale for key in dataset.keys]:
            made(keys)
    _print_results([spec.name for spec in specs])
    _print_warnings(warnings)
    if failed:
        raise _failure(failed)


def _forget_searches(home: Home, specs: Sequence[DatasetSpec]) -> None:
    """Drops journals of searches that were cut off, which a run would go on from otherwise."""
    for spec in specs:
        shutil.rmtree(home.searches / spec.name, ignore_errors=True)


def _share(settings: Mapping[str, Any], part: RunPart, parts: Sequence[RunPart]) -> dict[str, Any]:
    """Settings of one part: families that cannot share a run share the budget."""
    families = sum(len(p.families) for p in parts)
    return {**settings, "budget_share": len(part.families) / families} if len(parts) > 1 else dict(settings)


def _say_what_is_stale(stale: Sequence[StaleAssets]) -> None:
    for dataset in stale:
        if dataset.keys:
            click.echo(f"{dataset.dataset}: {len(dataset.keys)} assets to make ({'; '.join(dataset.reasons[:3])})")
        else:
            click.echo(f"{dataset.dataset}: up to date, nothing is trained")


def _say_why(stale: Sequence[StaleAssets], tables: Sequence[AssetKey]) -> None:
    names = {key.path[0] for key in tables}
    for dataset in stale:
        if dataset.dataset in names:
            click.echo(f"{dataset.dataset}: {dataset.reasons[0]}")


def _say_what_came_in(instance: DagsterInstance, tables: Sequence[AssetKey]) -> None:
    """What became of each incoming file, as the raw tables that were just made tell."""
    from ml_assets.automation.staleness import latest_metadata

    for key in tables:
        for line in latest_metadata(instance, key).get("files", ()):
            click.echo(f"{key.path[0]}: {line}")


def _watched(instance: Any, home: Home, part: RunPart, settings: Mapping[str, Any]) -> RunOutcome:
    from ml_assets.automation.launch import execute
    from ml_assets.cli.progress import quiet_processes, watch

    invocation = uuid.uuid4().hex
    log = home.dagster / "logs" / f"{invocation[:12]}.log"
    with quiet_processes(log) as terminal, watch(instance, home, part, invocation, terminal=terminal):
        outcome = execute(instance, part, settings=settings, invocation=invocation)
    shutil.rmtree(home.progress / outcome.run_id, ignore_errors=True)
    return outcome


def _failure(outcomes: Sequence[RunOutcome]) -> RunFailedError:
    problems = [problem for outcome in outcomes for problem in outcome.problems]
    lines = [f"{problem.step.replace('__', '/', 1)}: {problem.message}" for problem in problems]
    only_input = bool(problems) and all(problem.exit_code == UserError.exit_code for problem in problems)
    runs = ", ".join(outcome.run_id for outcome in outcomes)
    message = "\n  ".join([f"the run did not finish (Dagster run {runs})", *lines])
    return RunFailedError(message, UserError.exit_code if only_input else 1)


def _print_results(datasets: Sequence[str]) -> None:
    from ml_assets.cli.tables import print_leaderboards

    boards = print_leaderboards(datasets)
    if boards:
        home = Home.current()
        click.echo("\nWhere to look next")
        click.echo("  Dagster's and MLflow's UI   make ui   (or: ml-assets ui)")
        for dataset in boards:
            click.echo(f"  {dataset:<27} {_readable(home.reports / dataset / 'model_card.html')}")


def _print_warnings(warnings: Sequence[str]) -> None:
    if warnings:
        click.echo("\nWorth a look")
        for warning in warnings:
            click.echo(f"  {warning}")


def _readable(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
