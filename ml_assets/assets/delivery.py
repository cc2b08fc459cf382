"""Rooms 12, 13 and 15: the registered version, the promotion verdict, whether the server has the champion."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import dagster as dg

from ml_assets import __version__
from ml_assets.assets import promotion
from ml_assets.assets.family_report import log_model
from ml_assets.assets.policy import families_of, families_version, of, policy, promotion_version
from ml_assets.assets.types import DataFrame, Evaluation, Leaderboard, Registration
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.errors import StorageError
from ml_assets.home import Home
from ml_assets.resources import registry
from ml_assets.resources.settings import Settings
from ml_assets.resources.store import stored_model
from ml_assets.resources.tracking import Tracking, mlflow_client

PROBE_SECONDS = 5.0


def build_registered_model(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `registered_model`."""

    @dg.asset(
        **policy(spec, "delivery", kinds={"mlflow"}),
        ins={
            "clean_table": of(spec, "clean_table"),
            "comparison": of(spec, "comparison"),
            "evaluations": families_of(spec, "evaluation"),
        },
    )
    def registered_model(
        context: dg.AssetExecutionContext,
        clean_table: DataFrame,
        comparison: Leaderboard,
        evaluations: dict[str, Evaluation],
        tracking: Tracking,
    ) -> dg.MaterializeResult[Registration]:
        """The winner as a version in MLflow's registry, tagged with where it came from; alias `challenger`."""
        from ml_assets.learning.fitted_model import read_record

        winner = evaluations[comparison.winner]
        file = stored_model(spec.name, winner.family)
        if file.sha256 != winner.model_sha256:
            raise StorageError(
                f"{spec.name}: the {winner.family} model was made again after its evaluation; materialize "
                f"{spec.name}/evaluation and {spec.name}/comparison again"
            )
        client = mlflow_client()
        run = registry.find_model_run(client, spec.name, winner.model_sha256)
        if run is None:
            with tracking.family_runs(context, spec.name) as family_run, family_run(winner.family) as tracked:
                run = log_model(tracked, spec, winner, file, clean_table)
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
    """The asset `deployment`, with the promotion gate as a blocking check on it."""

    @dg.asset(
        **policy(spec, "delivery", kinds={"mlflow", "scipy"}, version=promotion_version(spec, "2")),
        ins={
            "clean_table": of(spec, "clean_table"),
            "splits": of(spec, "splits"),
            "evaluations": families_of(spec, "evaluation"),
            "registered_model": of(spec, "registered_model"),
        },
        check_specs=[promotion.check_spec(spec)],
    )
    def deployment(
        context: dg.AssetExecutionContext,
        clean_table: DataFrame,
        splits: DataFrame,
        evaluations: dict[str, Evaluation],
        registered_model: Registration,
        settings: Settings,
    ) -> Iterator[Any]:
        """The promotion verdict; alias `champion` moves only when the challenger is better beyond the noise."""
        client = mlflow_client()
        with promotion.deployment_lock(spec.name):
            verdict = promotion.judge(
                client,
                spec,
                registered_model,
                table=clean_table,
                splits=splits,
                evaluation=evaluations[registered_model.origin.family],
                alpha=settings.significance,
                seed=settings.seed,
                run_id=context.run.run_id,
            )
            now = registry.registered(client, spec.name, registry.CHAMPION)
            let_in_by = promotion.let_through(client, spec, now) if now is not None else ""
        yield dg.MaterializeResult(value=verdict, metadata=promotion.verdict_metadata(verdict, now))
        yield promotion.check_result(spec, verdict, now, let_in_by=let_in_by)

    return deployment


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
