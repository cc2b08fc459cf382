"""The model registry in MLflow: versions, where they come from, and the aliases on them. Runs belong in `tracking`."""

from __future__ import annotations

import json
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ml_assets.errors import IntegrityError, UnknownNameError, UserError
from ml_assets.home import Home
from ml_assets.resources.tracking import mlflow_client, tracking_lock, ui_address

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

    from ml_assets.serving.host import ChampionRef

CHAMPION = "champion"
CHALLENGER = "challenger"
FILE = "registration.json"


@dataclass(frozen=True)
class Origin:
    """Where a registered version comes from; MLflow keeps it as the version's tags.

    Attributes:
        model_sha256: hash of the pipeline file; it is loaded only if its bytes still match.
        model_path: the pipeline file below the home's `data`.
        fold_scores: primary metric on each fold.
        data_version: id of the raw table's version; empty where it is not known, as in older registrations.
        seed: of splits and fit; None where it is not known.
    """

    dataset: str
    family: str
    dagster_run_id: str
    code_version: str
    data_hash: str
    splits_hash: str
    model_sha256: str
    model_path: str
    metric: str
    cv_score: float
    test_score: float
    fold_scores: tuple[float, ...]
    data_version: str = ""
    seed: int | None = None

    def tags(self) -> dict[str, str]:
        """The origin as MLflow's tags, each value as JSON or as the string it is."""
        return {k: v if isinstance(v, str) else json.dumps(v) for k, v in asdict(self).items()}


@dataclass(frozen=True)
class Registration:
    """One version in the registry."""

    version: str
    mlflow_run_id: str
    origin: Origin

    @classmethod
    def of(cls, version: ModelVersion) -> Self:
        """A version as MLflow knows it.

        Raises:
            IntegrityError: it lacks the tags that say where it comes from.
        """
        missing = [f.name for f in fields(Origin) if f.default is MISSING and f.name not in version.tags]
        if missing:
            raise IntegrityError(
                f"version {version.version} of '{version.name}' was not registered by ml_assets (no tag "
                f"'{missing[0]}'): point the alias at a version that was"
            )
        tags: dict[str, Any] = {f.name: version.tags[f.name] for f in fields(Origin) if f.name in version.tags}
        numbers = {name: json.loads(tags[name]) for name in ("cv_score", "test_score", "seed") if name in tags}
        scores = tuple(json.loads(tags["fold_scores"]))
        return cls(str(version.version), str(version.run_id), Origin(**(tags | numbers | {"fold_scores": scores})))

    @property
    def label(self) -> str:
        """What a person calls the version."""
        return f"version {self.version}"

    @property
    def url(self) -> str:
        """Address of the version in MLflow's UI."""
        return f"{ui_address()}/#/models/{self.origin.dataset}/versions/{self.version}"

    @property
    def model_file(self) -> Path:
        """The pipeline file."""
        return Home.current().data / self.origin.model_path

    def save(self, folder: Path) -> None:
        """Writes `registration.json`."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads back what `save` wrote."""
        document = json.loads((folder / FILE).read_text())
        scores = tuple(document["origin"]["fold_scores"])
        return cls(**{**document, "origin": Origin(**{**document["origin"], "fold_scores": scores})})


def find_model_run(client: MlflowClient, dataset: str, model_sha256: str) -> Run | None:
    """The newest family run that logged the model with these bytes to its end, or None."""
    experiment = client.get_experiment_by_name(dataset)
    if experiment is None:
        return None
    query = f"tags.model_sha256 = '{model_sha256}'"
    found = client.search_runs([experiment.experiment_id], query, order_by=["start_time DESC"])
    return next((run for run in found if run.outputs.model_outputs), None)


def registered(client: MlflowClient, dataset: str, alias: str) -> Registration | None:
    """The version of `dataset` that `alias` points at, or None."""
    from mlflow.exceptions import MlflowException

    try:
        return Registration.of(client.get_model_version_by_alias(dataset, alias))
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def registrations(client: MlflowClient, dataset: str) -> tuple[Registration, ...]:
    """Every version of `dataset` that was registered by ml_assets, the oldest first."""
    found: list[ModelVersion] = []
    page: str | None = None
    while page is None or page:
        some = client.search_model_versions(f"name = '{dataset}'", max_results=1000, page_token=page)
        found, page = [*found, *some], some.token or ""
    ours = [v for v in found if all(f.name in v.tags for f in fields(Origin) if f.default is MISSING)]
    return tuple(sorted((Registration.of(v) for v in ours), key=lambda r: int(r.version)))


def find_registration(client: MlflowClient, dataset: str, name: str) -> Registration:
    """The version of `dataset` that is called `name`: its number, or an alias such as "champion".

    Raises:
        UserError: there is none registered.
        UnknownNameError: there is none of that name.
    """
    known = registrations(client, dataset)
    if not known:
        raise UserError(f"{dataset} has no registered model yet: run `ml-assets run {dataset}`")
    numbered = {registration.version: registration for registration in known}
    found = numbered.get(name) or registered(client, dataset, name)
    if found is None:
        raise UnknownNameError(f"model version of {dataset}", name, [CHAMPION, CHALLENGER, *numbered])
    return found


def register(client: MlflowClient, run: Run, origin: Origin) -> Registration:
    """The version that holds these bytes: one that is there already, else a new one from `run`'s model."""
    name = origin.dataset
    with tracking_lock():
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name, tags={"dataset": name})
        known = client.search_model_versions(f"name = '{name}'", max_results=10_000)
        same = [v for v in known if _same_origin(v, origin)]
        if same:
            return Registration.of(max(same, key=lambda v: int(v.version)))
        model_id = run.outputs.model_outputs[-1].model_id
        made = client.create_model_version(
            name, f"models:/{model_id}", run.info.run_id, tags=origin.tags(), model_id=model_id
        )
        return Registration.of(made)


def _same_origin(version: ModelVersion, origin: Origin) -> bool:
    """Whether a version holds the same bytes, scored on the same folds."""
    wanted = (origin.model_sha256, origin.splits_hash)
    return (version.tags.get("model_sha256"), version.tags.get("splits_hash")) == wanted


def champion_ref(dataset: str) -> ChampionRef | None:
    """The champion of `dataset` as the registry names it now, or None where there is none yet."""
    from ml_assets.serving.host import ChampionRef

    champion = registered(mlflow_client(), dataset, CHAMPION)
    if champion is None:
        return None
    return ChampionRef(
        dataset=dataset,
        version=champion.version,
        sha256=champion.origin.model_sha256,
        path=str(champion.model_file),
        family=champion.origin.family,
        run_id=champion.origin.dagster_run_id,
        data_hash=champion.origin.data_hash,
    )
