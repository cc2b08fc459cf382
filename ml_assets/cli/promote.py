"""`ml-assets promote`: the gate once more, or a person's decision against it, on record."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from ml_assets.cli.stored import stored
from ml_assets.datasets.contracts import load_contract
from ml_assets.errors import PromotionRefused, SettingError

if TYPE_CHECKING:
    import pandas as pd

    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.evaluation.record import Evaluation
    from ml_assets.evaluation.verdict import Force
    from ml_assets.resources.registry import Registration

SHORTEST_REASON = 10


@click.command()
@click.argument("dataset")
@click.option("--version", default="challenger", show_default=True, metavar="N", help="Registered version or alias.")
@click.option("--force", is_flag=True, help="Promote it whatever the gate says; needs --reason.")
@click.option("--reason", metavar="TEXT", help=f"Why, in at least {SHORTEST_REASON} characters; kept with your name.")
def promote(dataset: str, version: str, force: bool, reason: str | None) -> None:
    """Ask the promotion gate of DATASET again, or overrule it.

    Without --force the gate decides; exit code 1 if the champion stays. With it the version becomes champion whatever
    the gate says; who, when and why is kept in the verdict, in deployments.jsonl and on the version in MLflow. An
    earlier version is brought back the same way.

    \b
    Examples:
      ml-assets promote iris
      ml-assets promote iris --force --reason "the new sensor needs it, agreed with the plant"
      ml-assets promote iris --version 3 --force --reason "version 4 answers nonsense for wet days"
    """
    spec = load_contract(dataset)
    by = _force(force, reason)
    from ml_assets.resources.registry import find_registration
    from ml_assets.resources.tracking import mlflow_client

    client = mlflow_client()
    registration = find_registration(client, spec.name, version)
    table, splits = stored(spec, "clean_table"), stored(spec, "splits")
    _decide(client, spec, registration, table, splits, by)


def _force(force: bool, reason: str | None) -> Force | None:
    """Who overrules the gate, when and why; None where nobody does."""
    if not force:
        if reason is not None:
            raise SettingError("--reason goes with --force: without it the gate decides, by its own reasons")
        return None
    if reason is None or len(reason.strip()) < SHORTEST_REASON:
        raise SettingError(f"--force needs --reason with at least {SHORTEST_REASON} characters: it is kept for others")
    from ml_assets.evaluation.verdict import Force as Overruled

    return Overruled(by=_user(), at=datetime.now(UTC).isoformat(timespec="seconds"), reason=reason.strip())


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "somebody without a user name"


def _evaluation(spec: DatasetSpec, registration: Registration) -> Evaluation | None:
    """The stored evaluation of the version's family; whether it is of this very model is looked at later."""
    from ml_assets.resources.store import stored_families

    family = registration.origin.family
    found: dict[str, Any] = stored_families(spec, "evaluation", [family])
    made = found.get(family)
    return made if hasattr(made, "test") else None


def _decide(
    client: Any,
    spec: DatasetSpec,
    registration: Registration,
    table: pd.DataFrame,
    splits: pd.DataFrame,
    force: Force | None,
) -> None:
    from ml_assets.assets import promotion
    from ml_assets.home import Home
    from ml_assets.resources import registry
    from ml_assets.resources.settings import default_settings

    settings = default_settings()
    with promotion.deployment_lock(spec.name):
        verdict = promotion.judge(
            client,
            spec,
            registration,
            table=table,
            splits=splits,
            evaluation=_evaluation(spec, registration),
            alpha=settings.significance,
            seed=settings.seed,
            force=force,
        )
        now = registry.registered(client, spec.name, registry.CHAMPION)
        promotion.keep_outside_a_run(client, Home.current(), spec, verdict, now)
    click.echo(f"gate: {verdict.reason}")
    for part in verdict.parts:
        click.echo(f"  {part.name:<16} {part.state:<15} {part.words}")
    for note in verdict.notes:
        click.echo(f"  note: {note}")
    if verdict.promoted or verdict.is_same_model:
        click.echo(f"{spec.name}: {registration.label} is champion")
    else:
        raise PromotionRefused(
            f"{spec.name}: {registration.label} is not promoted; to overrule the gate: ml-assets promote {spec.name} "
            f'--version {registration.version} --force --reason "…"'
        )
