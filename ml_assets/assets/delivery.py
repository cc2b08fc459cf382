"""Rooms 10, 11 and 13: the registered version, the promotion verdict, whether the server has the champion."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
from filelock import FileLock

from ml_assets import __version__
from ml_assets.artifacts import storage_errors
from ml_assets.assets.policy import families_of, families_version, of, policy
from ml_assets.assets.types import DataFrame, Evaluation, Leaderboard, Registration, Verdict
from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.errors import StorageError
from ml_assets.home import Home
from ml_assets.resources import registry
from ml_assets.resources.settings import Settings
from ml_assets.resources.store import stored_model
from ml_assets.resources.tracking import mlflow_client

if TYPE_CHECKING:
    from ml_assets.evaluation.gate import GateEntry

PROBE_SECONDS = 5.0
HISTORY = "deployments.jsonl"


def build_registered_model(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `registered_model`."""

    @dg.asset(
        **policy(spec, "delivery", kinds={"mlflow"}),
        ins={"comparison": of(spec, "comparison"), "evaluations": families_of(spec, "evaluation")},
    )
    def registered_model(
        context: dg.AssetExecutionContext, comparison: Leaderboard, evaluations: dict[str, Evaluation]
    ) -> dg.MaterializeResult[Registration]:
        """The winner as a version in MLflow's registry, tagged with where it came from; alias `challenger`."""
        from ml_assets.learning.fitted_model import read_record

        winner = evaluations[comparison.winner]
        client = mlflow_client()
        run = registry.find_model_run(client, spec.name, winner.model_sha256)
        if run is None:
            raise StorageError(
                f"{spec.name}: no MLflow run holds the {winner.family} model that won; materialize "
                f"{spec.name}/evaluation again"
            )
        file = stored_model(spec.name, winner.family)
        if file.sha256 != winner.model_sha256:
            raise StorageError(
                f"{spec.name}: the {winner.family} model was made again after its evaluation; materialize "
                f"{spec.name}/evaluation and {spec.name}/comparison again"
            )
        record = read_record(file.folder)
        origin = registry.Origin(
            dataset=spec.name,
            family=winner.family,
            dagster_run_id=context.run.run_id,
            code_version=f"{__version__}/{families_version()}",
            data_hash=winner.data_hash,
            splits_hash=winner.splits_hash,
            model_sha256=winner.model_sha256,
            model_path=file.file.relative_to(Home.current().data).as_posix(),
            metric=winner.metric,
            cv_score=winner.cv_score,
            test_score=winner.test_score,
            fold_scores=winner.fold_scores,
            data_version=record.data_version,
            seed=record.seed,
        )
        made = registry.register(client, run, origin)
        client.set_registered_model_alias(spec.name, registry.CHALLENGER, made.version)
        metadata = {
            **asdict(made.origin),
            "fold_scores": list(made.origin.fold_scores),
            "version": made.version,
            "mlflow_run_id": made.mlflow_run_id,
            "mlflow_version": dg.MetadataValue.url(made.url),
        }
        return dg.MaterializeResult(value=made, metadata=metadata)

    return registered_model


def build_deployment(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `deployment`."""

    @dg.asset(
        **policy(spec, "delivery", kinds={"mlflow", "scipy"}),
        ins={
            "clean_table": of(spec, "clean_table"),
            "splits": of(spec, "splits"),
            "evaluations": families_of(spec, "evaluation"),
            "registered_model": of(spec, "registered_model"),
        },
    )
    def deployment(
        context: dg.AssetExecutionContext,
        clean_table: DataFrame,
        splits: DataFrame,
        evaluations: dict[str, Evaluation],
        registered_model: Registration,
        settings: Settings,
    ) -> dg.MaterializeResult[Verdict]:
        """The promotion verdict; alias `champion` moves only when the challenger is better beyond the noise."""
        from ml_assets.evaluation.decisions import rule_of
        from ml_assets.evaluation.gate import GateEntry, decide

        client = mlflow_client()
        with deployment_lock(spec.name):
            champion = registry.registered(client, spec.name, registry.CHAMPION)
            entry = _champion_entry(spec, champion, clean_table, splits) if champion else None
            made = evaluations[registered_model.origin.family]
            challenger = GateEntry.of(made, version=registered_model.label, rule=rule_of(spec.decision.costs))
            verdict = decide(dataset=spec.name, challenger=challenger, champion=entry, alpha=settings.significance)
            if verdict.promoted:
                client.set_registered_model_alias(spec.name, registry.CHAMPION, registered_model.version)
            client.set_model_version_tag(spec.name, registered_model.version, "verdict", verdict.reason)
            _remember(spec, {"dagster_run_id": context.run.run_id, **verdict.to_dict()})
        now = registry.registered(client, spec.name, registry.CHAMPION)
        metadata = {"champion_version": now.version if now else None, **verdict.to_dict()}
        return dg.MaterializeResult(value=verdict, metadata=metadata)

    return deployment


def deployment_lock(dataset: str) -> FileLock:
    """Lock that makes the verdict on a dataset and the move of its alias one act."""
    folder = Home.current().locks
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / f"deploy-{dataset}.lock")


def _champion_entry(
    spec: DatasetSpec, champion: registry.Registration, table: DataFrame, splits: DataFrame
) -> "GateEntry":
    """The champion as the gate sees it: its folds, and its losses on today's test rows that it never saw."""
    import pandas as pd

    from ml_assets.evaluation.decisions import rule_of
    from ml_assets.evaluation.evaluate import predict, true_values
    from ml_assets.evaluation.gate import GateEntry
    from ml_assets.evaluation.metrics import row_losses
    from ml_assets.learning.decision import costs_of
    from ml_assets.learning.fitted_model import load_verified, read_training_rows

    origin = champion.origin
    pipeline = load_verified(champion.model_file, origin.model_sha256)
    tested = splits.index[splits["part"] == "test"].difference(list(read_training_rows(champion.model_file.parent)))
    rows = table.loc[tested]
    if spec.task is Task.CLASSIFICATION:
        # A class the champion never saw costs it more than any guess would; the gate compares the rows it can answer.
        rows = rows[rows[spec.target].isin(pipeline.classes_)]
    classes = tuple(map(str, pipeline.classes_)) if spec.task is Task.CLASSIFICATION else ()
    prediction = predict(spec.task, pipeline, rows[list(spec.feature_columns)])
    losses = row_losses(spec.task, true_values(spec, rows), prediction, classes)
    return GateEntry(
        version=champion.label,
        family=origin.family,
        fold_scores=origin.fold_scores,
        splits_hash=origin.splits_hash,
        row_losses=pd.Series(losses, index=rows.index),
        rule=rule_of(costs_of(pipeline)),
    )


def _remember(spec: DatasetSpec, verdict: dict[str, Any]) -> None:
    """Adds a line to the dataset's history of verdicts, in one write."""
    history = Home.current().reports / spec.name / HISTORY
    line = json.dumps({"decided_at": datetime.now(UTC).isoformat(timespec="seconds"), **verdict})
    with storage_errors(history):
        history.parent.mkdir(parents=True, exist_ok=True)
        with history.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def build_serving_probe(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `serving_probe`."""

    @dg.asset(
        **policy(spec, "delivery", kinds={"fastapi"}),
        deps=[dg.AssetKey([spec.name, "deployment"])],
        check_specs=[
            dg.AssetCheckSpec(
                "answers_with_champion",
                asset=[spec.name, "serving_probe"],
                description="A running server answers with the version that is champion; none running is no failure.",
            )
        ],
    )
    def serving_probe() -> Iterator[Any]:
        """Whether a server runs, and which version it answers with for this dataset."""
        from ml_assets.serving.probe import probe

        found = probe(Home.current().server_record, timeout=PROBE_SECONDS)
        champion = registry.registered(mlflow_client(), spec.name, registry.CHAMPION)
        served, wanted = found.versions.get(spec.name), champion.version if champion else None
        yield dg.MaterializeResult(
            metadata={
                "state": found.state,
                "message": found.message,
                "served_version": served,
                "champion_version": wanted,
            }
        )
        yield dg.AssetCheckResult(
            check_name="answers_with_champion",
            passed=found.state == "no server" or (found.state == "answers" and served == wanted),
            severity=dg.AssetCheckSeverity.WARN,
            description=found.message,
        )

    return serving_probe
