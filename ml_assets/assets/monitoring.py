"""Room 16: what the champion was trained on, what came in since, how far that moved, and what to do about it."""

import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import dagster as dg

from ml_assets.artifacts import ArtifactStore
from ml_assets.assets.metadata import table
from ml_assets.assets.policy import families_of, key, of, policy
from ml_assets.assets.types import (
    DataFrame,
    DriftReport,
    Evaluation,
    Leaderboard,
    LivePerformance,
    LiveWindow,
    Profile,
    RetrainDecision,
)
from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.home import Home
from ml_assets.resources import registry
from ml_assets.resources.settings import Settings
from ml_assets.resources.store import artifact_key, artifact_store
from ml_assets.resources.tracking import mlflow_client

MINIMUM_LABELS = 50


def build_monitoring_baseline(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `monitoring_baseline`."""

    @dg.asset(
        **policy(spec, "monitoring", kinds={"pandas"}, version="2"),
        ins={
            "clean_table": of(spec, "clean_table"),
            "splits": of(spec, "splits"),
            "evaluations": families_of(spec, "evaluation"),
            "comparison": of(spec, "comparison"),
        },
        deps=[key(spec, "deployment")],
    )
    def monitoring_baseline(
        clean_table: DataFrame,
        splits: DataFrame,
        evaluations: dict[str, Evaluation],
        comparison: Leaderboard,
        settings: Settings,
    ) -> dg.MaterializeResult[Profile]:
        """How the training rows look, and the champion's out-of-fold predictions of them; live rows are compared to it.

        Where the gate kept an older champion its predictions of these rows are not out of fold, and are left out.
        """
        from ml_assets.datasets.identity import table_hash
        from ml_assets.monitoring.profile import build_profile

        winner = evaluations[comparison.winner]
        champion = registry.registered(mlflow_client(), spec.name, registry.CHAMPION)
        serves = champion is not None and champion.origin.model_sha256 == winner.model_sha256
        profile = build_profile(
            spec,
            clean_table.loc[splits.index[splits["part"] == "train"]],
            _predicted_values(spec, winner) if serves else None,
            data_hash=table_hash(clean_table),
            created_at=time.time(),
            seed=settings.seed,
        )
        return dg.MaterializeResult(value=profile, metadata={"reference_rows": profile.rows})

    return monitoring_baseline


def _predicted_values(spec: DatasetSpec, winner: Evaluation) -> list[Any]:
    if spec.task is Task.REGRESSION:
        return list(winner.oof_prediction)
    return [winner.classes[at] for at in winner.oof_said]


def build_live_window(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `live_window`."""

    @dg.asset(
        **policy(spec, "monitoring", kinds={"sqlite", "pandas"}, version="2"),
        ins={"monitoring_baseline": of(spec, "monitoring_baseline")},
    )
    def live_window(monitoring_baseline: Profile) -> dg.MaterializeResult[LiveWindow]:
        """Rows the server answered since the baseline was made or a retraining was last decided."""
        from ml_assets.monitoring.live_window import LiveWindow as Window
        from ml_assets.monitoring.window import window_bounds
        from ml_assets.serving.prediction_log import PredictionLog

        last = last_decision(spec.name)
        bounds = window_bounds(
            baseline_created_at=monitoring_baseline.created_at,
            settled_until=last.settled_until if last else None,
            now=time.time(),
        )
        window = Window.take(PredictionLog(Home.current().prediction_log), spec, bounds)
        metadata: dict[str, Any] = {
            "dagster/row_count": len(window.rows),
            "from": dg.MetadataValue.timestamp(bounds.start),
            "until": dg.MetadataValue.timestamp(bounds.end),
        }
        return dg.MaterializeResult(value=window, metadata=metadata)

    return live_window


def last_decision(dataset: str, store: ArtifactStore | None = None) -> RetrainDecision | None:
    """The decision on `dataset` that was taken last, or None."""
    store, place = store or artifact_store(), artifact_key(dg.AssetKey([dataset, "retrain_decision"]))
    return store.load(place) if store.find(place) else None


def build_drift_report(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `drift_report`."""

    @dg.asset(
        **policy(spec, "monitoring", kinds={"scipy"}, version="2"),
        ins={
            "monitoring_baseline": of(spec, "monitoring_baseline"),
            "live_window": of(spec, "live_window"),
        },
        check_specs=[
            dg.AssetCheckSpec(
                "no_drift",
                asset=[spec.name, "drift_report"],
                description="No feature, and not the prediction, moved significantly and by more than a little.",
            )
        ],
    )
    def drift_report(monitoring_baseline: Profile, live_window: LiveWindow, settings: Settings) -> Iterator[Any]:
        """KS or chi-square test, PSI and effect size of each feature and of the prediction."""
        from ml_assets.monitoring.drift import drift

        report = drift(
            monitoring_baseline,
            live_window.rows,
            bounds=live_window.bounds,
            minimum_rows=settings.minimum_live_rows,
        )
        metadata = {"state": report.state, "rows": report.rows, "features": table(report.to_frame())}
        yield dg.MaterializeResult(value=report, metadata=metadata)
        yield dg.AssetCheckResult(
            check_name="no_drift",
            passed=report.state != "drift",
            severity=dg.AssetCheckSeverity.WARN,
            description=report.state,
            metadata={"drifted": [feature.name for feature in report.drifted]},
        )

    return drift_report


def build_live_performance(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `live_performance`."""

    @dg.asset(
        **policy(spec, "monitoring", kinds={"sqlite", "pandas"}),
        ins={"live_window": of(spec, "live_window")},
    )
    def live_performance(live_window: LiveWindow) -> dg.MaterializeResult[LivePerformance]:
        """Requests, refusals and latency; and the error on rows whose label came, beside the champion's test score."""
        from ml_assets.monitoring.performance import live_performance as measure

        champion = registry.registered(mlflow_client(), spec.name, registry.CHAMPION)
        holdout = {champion.origin.metric: champion.origin.test_score} if champion else {}
        measured = measure(
            live_window.summary, live_window.labelled, spec, holdout=holdout, minimum_labels=MINIMUM_LABELS
        )
        return dg.MaterializeResult(value=measured, metadata=asdict(measured))

    return live_performance


def build_retrain_decision(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `retrain_decision`."""

    @dg.asset(
        **policy(spec, "monitoring", kinds={"python"}),
        ins={
            "drift_report": of(spec, "drift_report"),
            "live_performance": of(spec, "live_performance"),
        },
    )
    def retrain_decision(
        drift_report: DriftReport, live_performance: LivePerformance, settings: Settings
    ) -> dg.MaterializeResult[RetrainDecision]:
        """Whether the window calls for retraining; a sensor turns a yes into one run."""
        from ml_assets.monitoring.decision import decide_retrain

        decision = decide_retrain(
            drift_report,
            live_performance,
            minimum_rows=settings.minimum_live_rows,
            last_decision=last_decision(spec.name),
            decided_at=time.time(),
        )
        return dg.MaterializeResult(value=decision, metadata={**asdict(decision), "drifted": list(decision.drifted)})

    return retrain_decision
