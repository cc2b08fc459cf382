"""MLflow runs behind one resource over dagster-mlflow, whose own is not safe here; versions belong in `registry`.

Each step of a Dagster run is a process. The stock resource looks for the MLflow run of its Dagster run and starts
one where it finds none, so steps that start together make several. Here a lock makes look-up and creation one act,
and the stock class is handed the run it shall use.
"""

from __future__ import annotations

import logging
import math
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import dagster as dg
from filelock import FileLock

from ml_assets.artifacts import storage_errors
from ml_assets.home import Home

if TYPE_CHECKING:
    import pandas as pd
    from dagster_mlflow.resources import MlFlow
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.models import ModelSignature

    from ml_assets.datasets.spec import DatasetSpec

DAGSTER_RUN = "dagster_run_id"
FAMILY = "family"
STEP_FAILED = "step_failed"
"""Tag of a parent run in which a step failed; steps that end later leave its status alone."""
MODEL_TRAINING = {"mlflow.experimentKind": "custom_model_development"}
"""Makes MLflow's UI open an experiment on its training runs, not on traces of language models."""
UI_ADDRESS_VARIABLE = "MLFLOW_UI_ADDRESS"


def mlflow_client() -> MlflowClient:
    """A client of the home's tracking store and registry, whose tables are made first, once, under a lock."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    home = Home.current()
    import mlflow

    with storage_errors(home.mlflow):
        home.mlflow.mkdir(parents=True, exist_ok=True)
        lock = FileLock(home.mlflow / "first-use.lock").acquire()
    with lock:
        mlflow.set_tracking_uri(home.tracking_uri)
        client = mlflow.MlflowClient()
        client.search_registered_models(max_results=1)
    return client


def ui_address() -> str:
    """Where MLflow's UI is for whoever follows a link: `MLFLOW_UI_ADDRESS`, the port of `make ui` by default."""
    return os.environ.get(UI_ADDRESS_VARIABLE, "http://127.0.0.1:5000")


@dataclass(frozen=True)
class TrackedRun:
    """An MLflow run that is open while its `with` block lasts."""

    run_id: str
    experiment_id: str
    client: MlflowClient

    @property
    def url(self) -> str:
        """Address of the run in MLflow's UI."""
        return f"{ui_address()}/#/experiments/{self.experiment_id}/runs/{self.run_id}"

    def log(
        self,
        *,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
        images: Mapping[str, bytes] | None = None,
    ) -> None:
        """Logs parameters, finite metrics, tags and PNG images (as `plots/<name>.png`)."""
        import mlflow

        mlflow.set_tags(dict(tags or {}))
        mlflow.log_params(dict(params or {}))
        mlflow.log_metrics({k: float(v) for k, v in (metrics or {}).items() if math.isfinite(v)})
        for name, png in (images or {}).items():
            self.log_file(f"plots/{name}.png", png)

    def log_file(self, name: str, content: bytes) -> None:
        """Logs bytes as the artifact `name`, which may have folders."""
        place = PurePosixPath(name)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / place.name
            file.write_bytes(content)
            self.client.log_artifact(self.run_id, str(file), str(place.parent) if place.parent.name else None)

    def log_curve(self, name: str, points: list[tuple[float, float]]) -> None:
        """Logs a metric over time; points are (seconds since the start, value)."""
        from mlflow.entities import Metric

        metrics = [Metric(name, value, int(seconds * 1000), step) for step, (seconds, value) in enumerate(points)]
        self.client.log_batch(self.run_id, metrics=metrics)

    def log_table(self, frame: pd.DataFrame, name: str) -> None:
        """Logs a table as `<name>.json`, which MLflow's UI shows as a table."""
        self.client.log_table(self.run_id, frame, f"{name}.json")

    def log_model(
        self, pipeline: Any, spec: DatasetSpec, example: pd.DataFrame, *, distribution: str = "ml-assets"
    ) -> str:
        """Logs a fitted pipeline with signature, input example and what it needs; returns its model address."""
        import mlflow.sklearn

        logging.getLogger("mlflow.sklearn").addFilter(_is_not_about_pickles)
        info = mlflow.sklearn.log_model(
            pipeline,
            name="model",
            serialization_format="cloudpickle",
            signature=signature(spec),
            input_example=example,
            pip_requirements=[distribution],
        )
        return str(info.model_uri)


def _is_not_about_pickles(record: logging.LogRecord) -> bool:
    """MLflow warns that a pickle runs code when loaded; here models are loaded only after their hash matched."""
    return "pickle or cloudpickle format requires" not in record.getMessage()


def signature(spec: DatasetSpec) -> ModelSignature:
    """What the model takes and gives, from the contract: the types of the clean table, booleans as 0 and 1."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    kinds = {"float": "double", "boolean": "double", "category": "string", "text": "string", "date": "datetime"}

    def kind(name: str) -> str:
        column = spec.columns[name]
        return kinds.get(column.dtype) or ("double" if column.missing_share else "long")

    inputs = Schema([ColSpec(kind(n), n, required=not spec.columns[n].missing_share) for n in spec.feature_columns])
    return ModelSignature(inputs, Schema([ColSpec("double" if spec.columns[spec.target].is_number else "string")]))


FamilyRun = Callable[[str], AbstractContextManager[TrackedRun]]
"""Opens the run of the family it is given."""


class Tracking(dg.ConfigurableResource):  # type: ignore[type-arg]
    """MLflow for assets: one experiment a dataset, one parent run a Dagster run, one child run a family."""

    @contextmanager
    def parent_run(self, context: dg.AssetExecutionContext, dataset: str) -> Iterator[TrackedRun]:
        """The run that stands for this Dagster run in the experiment of `dataset`; made on first use."""
        with self._session(context, dataset) as (_, run):
            yield run

    @contextmanager
    def family_runs(self, context: dg.AssetExecutionContext, dataset: str) -> Iterator[FamilyRun]:
        """What opens the child run of a family below the parent run; each is made on first use."""
        with self._session(context, dataset) as (session, parent):

            @contextmanager
            def family_run(family: str) -> Iterator[TrackedRun]:
                client, where = parent.client, parent.experiment_id
                tags = {
                    "mlflow.parentRunId": parent.run_id,
                    FAMILY: family,
                    f"{DAGSTER_RUN}_of_family": context.run.run_id,
                }
                query = f"tags.`mlflow.parentRunId` = '{parent.run_id}' and tags.{FAMILY} = '{family}'"
                run_id = _find_or_create(client, where, query, name=family, tags=tags)
                with session.start_run(run_id=run_id, nested=True):
                    yield TrackedRun(run_id, where, client)

            yield family_run

    @contextmanager
    def _session(self, context: dg.AssetExecutionContext, dataset: str) -> Iterator[tuple[MlFlow, TrackedRun]]:
        client = mlflow_client()
        experiment_id = _experiment(client, dataset)
        query = f"tags.{DAGSTER_RUN} = '{context.run.run_id}'"
        tags = {DAGSTER_RUN: context.run.run_id, "dataset": dataset, "dagster_job": context.run.job_name}
        name = f"dagster {context.run.run_id[:8]}"
        run_id = _find_or_create(client, experiment_id, query, name=name, tags=tags)
        session = _stock_session(context, dataset, run_id)
        try:
            yield session, TrackedRun(run_id, experiment_id, client)
        except BaseException:
            client.set_tag(run_id, STEP_FAILED, "true")
            session.end_run(status="FAILED")
            raise
        failed = STEP_FAILED in client.get_run(run_id).data.tags
        session.end_run(status="FAILED" if failed else "FINISHED")


def _stock_session(context: dg.AssetExecutionContext, dataset: str, run_id: str) -> MlFlow:
    """dagster-mlflow's class, given the run it shall use and the four attributes that it reads from its context."""
    config = {
        "experiment_name": dataset,
        "mlflow_tracking_uri": Home.current().tracking_uri,
        "mlflow_run_id": run_id,
    }
    given = SimpleNamespace(log=context.log, dagster_run=context.run, run_id=context.run.run_id, resource_config=config)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*`(_create_mlflow_run_hook|MlFlow)`", category=dg.BetaWarning)
        from dagster_mlflow.resources import MlFlow

        return MlFlow(given)


def tracking_lock() -> FileLock:
    """Lock that makes look-up and creation in MLflow one act."""
    return FileLock(Home.current().mlflow / "runs.lock")


def _experiment(client: MlflowClient, dataset: str) -> str:
    with tracking_lock():
        found = client.get_experiment_by_name(dataset)
        if found is not None:
            return str(found.experiment_id)
        artifacts = Home.current().mlflow / "artifacts" / dataset
        location = artifacts.as_uri() if Home.current().tracking_uri.startswith("sqlite") else None
        return str(
            client.create_experiment(dataset, artifact_location=location, tags={"dataset": dataset, **MODEL_TRAINING})
        )


def _find_or_create(client: MlflowClient, experiment_id: str, query: str, *, name: str, tags: Mapping[str, str]) -> str:
    with tracking_lock():
        found: list[Run] = client.search_runs([experiment_id], query, max_results=1)
        run = found[0] if found else client.create_run(experiment_id, run_name=name, tags=dict(tags))
        return str(run.info.run_id)
