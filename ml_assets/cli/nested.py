"""`ml-assets nested`: the whole procedure judged on folds that it never saw."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from ml_assets.artifacts import write_atomically
from ml_assets.cli.settings import settings_of, use_cores
from ml_assets.cli.stored import stored
from ml_assets.datasets.contracts import load_contract
from ml_assets.families import ENSEMBLE, choose_models
from ml_assets.home import Home
from ml_assets.processes import cores

if TYPE_CHECKING:
    from pathlib import Path

    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.evaluation.nested import NestedFold, NestedValidation
    from ml_assets.learning.nested import Procedure

DONE = "folds.json"


@click.command()
@click.argument("dataset")
@click.option("--families", metavar="A,B", help="Only these model families, separated by commas.")
@click.option("--budget", type=float, metavar="SECONDS", help="Time of each fold.  [default: 60]")
@click.option("--trials", type=int, metavar="N", help="N settings a family; alone it makes the result repeatable.")
@click.option("--jobs", type=int, metavar="N", help="Cores to use.  [default: all]")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of inner folds, searches and models.")
def nested(
    dataset: str, families: str | None, budget: float | None, trials: int | None, jobs: int | None, seed: int
) -> None:
    """Judge the whole way from rows of DATASET to a model on folds that it never saw.

    For each fold the features are found, the families race and the best is fitted on the other folds alone, and the
    fold is scored once: nested cross-validation. It takes the budget times the folds; stopped, it goes on where it was.
    What it finds is on the model card from its next making on. Test rows take no part.

    \b
    Examples:
      ml-assets nested iris --budget 20
      ml-assets nested wine_quality --trials 3
    """
    spec = load_contract(dataset)
    settings = settings_of(budget, trials, seed)
    use_cores(jobs)
    chosen = [name for name in choose_models(families.split(",") if families is not None else None) if name != ENSEMBLE]
    from ml_assets.evaluation.metrics import METRICS
    from ml_assets.learning.nested import Procedure

    procedure = Procedure(chosen, settings.seconds, settings.trials, cores(), seed)
    found = _validated(spec, procedure)
    label = METRICS[found.task][found.metric].label
    click.echo(
        f"\nnested  {label} {found.score:.4g} ± {found.standard_error:.2g}: what to expect of a model made this way"
    )
    click.echo(
        f"inner   {found.inner_score:.4g} on the folds that chose; the difference is what choosing flatters, and"
    )
    click.echo("        what fewer rows cost")


def _validated(spec: DatasetSpec, procedure: Procedure) -> NestedValidation:
    from ml_assets.datasets.identity import table_hash
    from ml_assets.evaluation.metrics import primary_metric
    from ml_assets.evaluation.nested import NestedValidation
    from ml_assets.learning.cores import hold_cores
    from ml_assets.learning.nested import nested_folds
    from ml_assets.learning.pool import warm_up

    table, splits, home = stored(spec, "clean_table"), stored(spec, "splits"), Home.current()
    hashes = table_hash(table), table_hash(splits)
    told = {name: value for name, value in asdict(procedure).items() if name != "workers"}
    folder = home.searches / spec.name / f"nested-{_fingerprint(spec, told, *hashes)}"
    folds = _begun(folder)
    number = splits.loc[splits["part"] == "train", "fold"].nunique()
    each = f"{procedure.seconds:.0f} s" if procedure.trials is None else f"{procedure.trials} trials a family"
    click.echo(f"{spec.name}: {number} folds, {each} each" + (f"; {len(folds)} are done" if folds else ""))
    warm_up()
    with hold_cores(cores(), total=cores(), folder=home.locks) as workers:
        made, held = [], replace(procedure, workers=workers)
        for one in nested_folds(spec, table, splits, held, folder=folder, known=folds):
            made.append(one)
            write_atomically(folder / DONE, json.dumps([asdict(fold) for fold in made]).encode())
            click.echo(
                f"  fold {one.fold}  {one.family:<22} {one.inner_score:>10.4g} on the inner folds "
                f"{one.score:>10.4g} on the fold itself  {one.seconds:>5.0f} s"
            )
    found = NestedValidation(
        dataset=spec.name,
        task=spec.task,
        metric=primary_metric(spec.task),
        folds=tuple(made),
        procedure=told,
        data_hash=hashes[0],
        splits_hash=hashes[1],
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    found.save(home.reports / spec.name)
    shutil.rmtree(folder, ignore_errors=True)
    return found


def _begun(folder: Path) -> list[NestedFold]:
    from ml_assets.evaluation.nested import NestedFold

    file = folder / DONE
    return [NestedFold(**one) for one in json.loads(file.read_text())] if file.exists() else []


def _fingerprint(spec: DatasetSpec, procedure: dict[str, object], *hashes: str) -> str:
    """Names the validation that can be continued: same rows, folds, contract, code and procedure."""
    from ml_assets.assets.policy import families_version, weights_version
    from ml_assets.assets.training import SEARCH_VERSION

    code = weights_version(spec, families_version(SEARCH_VERSION))
    parts = [*hashes, spec.model_dump_json(), code, json.dumps(procedure, default=list)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
