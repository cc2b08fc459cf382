"""Stage by stage, the software-defined assets; each loads, calls one function of the core, and returns.

What assets of a dataset share is in `policy`, how results look in the UI in `metadata`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ml_assets.assets.card import build_model_card
from ml_assets.assets.delivery import build_deployment, build_registered_model, build_serving_probe
from ml_assets.assets.diagnostics import build_diagnostics
from ml_assets.assets.evaluation import build_comparison, build_evaluation
from ml_assets.assets.explanations import build_explanations
from ml_assets.assets.family_report import build_family_report
from ml_assets.assets.features import build_features
from ml_assets.assets.ingestion import build_raw_table
from ml_assets.assets.monitoring import (
    build_drift_report,
    build_live_performance,
    build_live_window,
    build_monitoring_baseline,
    build_retrain_decision,
)
from ml_assets.assets.preparation import build_clean_table, build_splits
from ml_assets.assets.profile import build_data_profile
from ml_assets.assets.training import build_model, build_tuned_params

if TYPE_CHECKING:
    import dagster as dg

    from ml_assets.datasets.spec import DatasetSpec

ROOMS = (
    build_raw_table,
    build_data_profile,
    build_clean_table,
    build_splits,
    build_features,
    build_tuned_params,
    build_model,
    build_evaluation,
    build_comparison,
    build_diagnostics,
    build_explanations,
    build_registered_model,
    build_deployment,
    build_family_report,
    build_model_card,
    build_serving_probe,
    build_monitoring_baseline,
    build_live_window,
    build_drift_report,
    build_live_performance,
    build_retrain_decision,
)


def build_dataset_assets(spec: DatasetSpec) -> list[dg.AssetsDefinition]:
    """Every asset of one dataset, in the order the data flows."""
    return [build(spec) for build in ROOMS]
