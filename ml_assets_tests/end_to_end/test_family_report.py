"""What `family_report` leaves for people: pictures in Dagster, and every family's run in MLflow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ml_assets.assets.family_report import check_same_model, check_same_setting
from ml_assets.datasets.contracts import load_contract
from ml_assets.errors import TrainingError
from ml_assets.families import ENSEMBLE, model_names
from ml_assets.learning.left_out import LeftOut
from ml_assets.resources import registry
from ml_assets.resources.store import StoredModel, model_or_left_out, stored_families, stored_model
from ml_assets.resources.tracking import FAMILY, mlflow_client

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:sqlalchemy"),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
]


@pytest.fixture
def runs(trained_home: Path) -> dict[str, Any]:
    """The MLflow run of each family that has one."""
    client = mlflow_client()
    experiment = client.get_experiment_by_name("iris")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id], f"tags.{FAMILY} != ''", max_results=100)
    by_family = {run.data.tags[FAMILY]: run for run in found}
    assert len(by_family) == len(found), "one run a family"
    return by_family


def test_each_familys_run_has_its_search_its_scores_its_pictures_and_its_model_once(runs: dict[str, Any]) -> None:
    client = mlflow_client()
    stored = {name: model_or_left_out("iris", name) for name in model_names()}
    models = {name: model for name, model in stored.items() if isinstance(model, StoredModel)}
    assert runs.keys() == models.keys()
    assert len(models) >= 8
    for family, run in runs.items():
        assert len(run.outputs.model_outputs) == 1, family
        assert {"cv_log_loss", "test_log_loss", "model_bytes"} <= run.data.metrics.keys()
        assert run.data.tags["model_sha256"] == models[family].sha256
        files = {file.path for file in client.list_artifacts(run.info.run_id, "plots")}
        assert {"plots/confusion_matrix.png", "plots/calibration.png"} <= files
        assert family == ENSEMBLE or "plots/learning_curve.png" in files


def test_the_registered_version_is_the_model_in_its_familys_run(runs: dict[str, Any]) -> None:
    champion = registry.registered(mlflow_client(), "iris", registry.CHAMPION)
    assert champion is not None
    run = runs[champion.origin.family]
    assert champion.mlflow_run_id == run.info.run_id


def test_pictures_are_on_each_familys_partition(trained_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(trained_home / ".dagster"))
    with dg.DagsterInstance.get() as instance:
        told = instance.fetch_materializations(dg.AssetKey(["iris", "family_report"]), limit=100).records
    seen = {
        record.partition_key: set(record.asset_materialization.metadata)
        for record in told
        if record.asset_materialization is not None
    }
    assert {"learning_curve", "confusion_matrix", "calibration", "mlflow_run"} <= seen["svm"]
    assert all("search" in names for names in seen.values())


def test_what_does_not_belong_together_is_refused_with_the_remedy(trained_home: Path) -> None:
    spec = load_contract("iris")
    found, made = (stored_families(spec, asset, ["svm"])["svm"] for asset in ("tuned_params", "evaluation"))
    check_same_setting(spec, found, made)
    check_same_model(spec, made, stored_model("iris", "svm"))
    other = replace(made, params={**made.params, "C": -1.0})
    for search, evaluation in ((found, other), (LeftOut("svm", "no time was left for it"), made)):
        with pytest.raises(TrainingError, match="from another search; materialize iris/model and iris/evaluation"):
            check_same_setting(spec, search, evaluation)
    with pytest.raises(TrainingError, match="made again after its evaluation; materialize iris/evaluation"):
        check_same_model(spec, replace(made, model_sha256="0" * 64), stored_model("iris", "svm"))
