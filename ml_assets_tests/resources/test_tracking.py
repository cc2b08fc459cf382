import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from tracking_worlds import RUN, context, origin

from ml_assets.datasets.contracts import load_contract, load_contracts
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.errors import IntegrityError, StorageError
from ml_assets.families import load_family
from ml_assets.families.base import ProblemShape
from ml_assets.features.plan import plan_for
from ml_assets.resources import registry
from ml_assets.resources.tracking import Tracking, mlflow_client, signature
from ml_assets_tests.mixed_world import TARGET, mixed_spec, mixed_table

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:sqlalchemy"),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
]
SCRIPT = Path(__file__).parent / "tracking_worlds.py"


def _at_once(home: Path, *calls: tuple[str, ...]) -> None:
    """Runs `tracking_worlds` with each list of words, in processes that start work at the same moment."""
    gate = home.parent / "gate"
    environment = {**os.environ, "ML_ASSETS_HOME": str(home), "PYTHONWARNINGS": "ignore"}
    processes = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), *words, str(gate)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for words in calls
    ]
    while len(list(home.parent.glob("ready-*"))) < len(calls) and all(p.poll() is None for p in processes):
        time.sleep(0.05)
    gate.touch()
    for process in processes:
        output = process.communicate(timeout=200)[0]
        assert process.returncode == 0, output


@pytest.fixture
def fresh_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home of this process."""
    import mlflow

    place = tmp_path / "home"
    monkeypatch.setenv("ML_ASSETS_HOME", str(place))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield place
    while mlflow.active_run():
        mlflow.end_run()


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database with its tables and nothing in them; making them takes seconds."""
    place = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ML_ASSETS_HOME", str(place))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        mlflow_client()
    return place / "mlflow" / "mlflow.db"


@pytest.fixture
def world(fresh_world: Path, empty_store: Path) -> Path:
    """An empty home of this process, with MLflow's tables."""
    (fresh_world / "mlflow").mkdir(parents=True)
    shutil.copy(empty_store, fresh_world / "mlflow" / "mlflow.db")
    return fresh_world


def test_processes_on_a_fresh_store_make_one_parent_and_one_child_a_family(fresh_world: Path) -> None:
    families = ["linear", "svm"]
    iris, wine = ("step", "iris", "linear,svm"), ("step", "wine_quality", "linear,svm")
    _at_once(fresh_world, iris, ("step", "iris", "svm,linear"), wine)
    client = mlflow_client()
    assert sorted(e.name for e in client.search_experiments() if e.name != "Default") == ["iris", "wine_quality"]
    for dataset in ("iris", "wine_quality"):
        experiment = client.get_experiment_by_name(dataset)
        assert experiment is not None
        runs = client.search_runs([experiment.experiment_id])
        (parent,) = [r for r in runs if "mlflow.parentRunId" not in r.data.tags]
        children = [r for r in runs if r.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
        assert len(runs) == 3
        assert sorted(r.data.tags["family"] for r in children) == families
        assert parent.data.tags["dagster_run_id"] == RUN
        assert {f: parent.data.tags[f] for f in families} == dict.fromkeys(families, "was here")
        assert {r.info.status for r in runs} == {"FINISHED"}
        assert all(r.data.metrics == {"cv_log_loss": 0.5} for r in children)


def test_another_dagster_run_is_another_parent_run(world: Path) -> None:
    with Tracking().parent_run(context(), "iris") as first:
        pass
    with Tracking().parent_run(context(), "iris") as same:
        assert same.run_id == first.run_id
    with Tracking().parent_run(context("another"), "iris") as second:
        assert second.run_id != first.run_id
        assert second.url.endswith(f"/#/experiments/{second.experiment_id}/runs/{second.run_id}")


def test_a_step_that_fails_leaves_failed_runs(world: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        Tracking().family_runs(context(), "iris") as family_run,
        family_run("svm") as run,
    ):
        raise ZeroDivisionError
    client = mlflow_client()
    found = client.get_run(run.run_id)
    assert found.info.status == "FAILED"
    assert client.get_run(found.data.tags["mlflow.parentRunId"]).info.status == "FAILED"


def test_what_is_logged_is_there(world: Path) -> None:
    with Tracking().family_runs(context(), "iris") as family_run, family_run("svm") as run:
        run.log(params={"C": 0.5}, metrics={"good": 1, "bad": float("nan")}, tags={"t": "x"}, images={"roc": b"png"})
        run.log_file("page.html", b"<p>")
        run.log_curve("best", [(0.5, 2.0), (1.5, 1.0)])
        run.log_table(pd.DataFrame({"number": [0, 1]}), "trials")
    client = mlflow_client()
    found = client.get_run(run.run_id)
    assert found.data.params == {"C": "0.5"}
    assert found.data.metrics == {"good": 1.0, "best": 1.0}
    assert [m.value for m in client.get_metric_history(run.run_id, "best")] == [2.0, 1.0]
    assert {f.path for f in client.list_artifacts(run.run_id)} == {"page.html", "plots", "trials.json"}
    assert [f.path for f in client.list_artifacts(run.run_id, "plots")] == ["plots/roc.png"]
    assert (world / "mlflow" / "artifacts" / "iris").is_dir()


def _raw_rows(spec: DatasetSpec) -> pd.DataFrame:
    """Rows as a contract allows them: the middle of each range, each label in turn."""
    labels = {n: spec.columns[n].allowed for n in spec.categorical_features}
    return pd.DataFrame(
        {
            n: [(labels[n] or ("x",))[i % len(labels[n] or "x")] for i in range(60)]
            if n in labels
            else [float(i % 9 + 1) for i in range(60)]
            for n in spec.feature_columns
        }
    ).astype({n: "int64" for n, c in spec.columns.items() if c.dtype == "integer" and n in spec.numeric_features})


def _pipeline(spec: DatasetSpec, rows: pd.DataFrame) -> object:
    from sklearn.pipeline import Pipeline

    shape = ProblemShape(spec.task, len(rows), len(spec.feature_columns), len(spec.labels))
    family = load_family("linear")
    estimator = family.estimator(family.defaults(shape), shape, seed=0)
    target = [spec.labels[i % len(spec.labels)] if spec.labels else float(i) for i in range(len(rows))]
    return Pipeline([("features", plan_for(spec)), ("estimator", estimator)]).fit(rows, target)


@pytest.mark.parametrize("name", list(load_contracts()))
def test_a_registered_model_predicts_raw_rows_through_mlflow(
    world: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    import mlflow

    spec = load_contract(name)
    rows = _raw_rows(spec)
    pipeline = _pipeline(spec, rows)
    logging.getLogger("mlflow").propagate = True
    with Tracking().family_runs(context(), name) as family_run, family_run("linear") as run:
        run.log(tags={"model_sha256": "a" * 64})
        run.log_model(pipeline, spec, rows.head(3))
    client = mlflow_client()
    found = registry.find_model_run(client, name, "a" * 64)
    assert found is not None
    made = registry.register(client, found, origin(name))
    assert registry.register(client, found, origin(name)) == made
    client.set_registered_model_alias(name, registry.CHALLENGER, made.version)
    assert registry.registered(client, name, registry.CHALLENGER) == made
    model = mlflow.pyfunc.load_model(f"models:/{name}@{registry.CHALLENGER}")
    assert model.metadata.signature == signature(spec)
    assert list(model.predict(rows.head(4))) == list(pipeline.predict(rows.head(4)))  # type: ignore[attr-defined]
    assert not [r for r in caplog.records if "pickle" in r.getMessage()]


def test_a_model_of_a_table_with_every_dtype_predicts_through_mlflow(world: Path) -> None:
    import mlflow

    spec = mixed_spec()
    table = mixed_table(spec, 60)
    rows = table[list(spec.feature_columns)]
    linear = load_family("linear")
    shape = ProblemShape(spec.task, len(rows), 40)
    estimator = linear.estimator(linear.defaults(shape), shape, seed=0)
    pipeline = make_pipeline(plan_for(spec), estimator).fit(rows, table[TARGET])
    with Tracking().family_runs(context(), "mixed") as family_run, family_run("linear") as run:
        address = run.log_model(pipeline, spec, rows.head(3), distribution="ml-assets[boosters]")
    assert "ml-assets[boosters]" in Path(mlflow.pyfunc.get_model_dependencies(address)).read_text().split()
    model = mlflow.pyfunc.load_model(address)
    assert [str(column.type) for column in model.metadata.signature.inputs] == [
        "DataType.double",
        "DataType.long",
        "DataType.double",
        "DataType.string",
        "DataType.string",
        "DataType.datetime",
        "DataType.string",
        "DataType.double",
        "DataType.string",
    ]
    assert list(model.predict(rows.head(9))) == list(pipeline.predict(rows.head(9)))


def test_the_same_bytes_registered_by_several_processes_are_one_version(world: Path) -> None:
    with Tracking().family_runs(context(), "iris") as family_run, family_run("linear") as run:
        spec = load_contract("iris")
        rows = _raw_rows(spec)
        run.log_model(_pipeline(spec, rows), spec, rows.head(2))
    _at_once(world, *[("register", "iris", run.run_id)] * 2)
    client = mlflow_client()
    versions = client.search_model_versions("name = 'iris'")
    assert [str(v.version) for v in versions] == ["1"]
    other = registry.register(client, client.get_run(run.run_id), origin("iris", sha256="b" * 64))
    assert other.version == "2"
    assert registry.register(client, client.get_run(run.run_id), origin("iris")).version == "1"


def test_a_run_that_was_cut_off_before_its_model_was_logged_is_passed_over(world: Path) -> None:
    with Tracking().family_runs(context(), "iris") as family_run, family_run("linear") as run:
        run.log(tags={"model_sha256": "a" * 64})
    assert registry.find_model_run(mlflow_client(), "iris", "a" * 64) is None
    assert registry.find_model_run(mlflow_client(), "never", "a" * 64) is None


def test_an_alias_nobody_set_points_at_nothing(world: Path) -> None:
    client = mlflow_client()
    assert registry.registered(client, "iris", registry.CHAMPION) is None
    client.create_registered_model("iris")
    assert registry.registered(client, "iris", registry.CHAMPION) is None
    assert registry.champion_ref("iris") is None


def test_an_alias_on_a_version_that_is_not_ours_is_told_with_a_remedy(world: Path) -> None:
    client = mlflow_client()
    client.create_registered_model("iris")
    client.create_model_version("iris", "file:///elsewhere")
    client.set_registered_model_alias("iris", registry.CHAMPION, "1")
    with pytest.raises(IntegrityError, match=r"version 1 of 'iris' was not registered by ml_assets.*point the alias"):
        registry.champion_ref("iris")


def test_the_champion_names_file_and_hash(world: Path, tmp_path: Path) -> None:
    client = mlflow_client()
    client.create_registered_model("iris")
    version = client.create_model_version("iris", "file:///there", tags=origin("iris").tags())
    client.set_registered_model_alias("iris", registry.CHAMPION, str(version.version))
    champion = registry.champion_ref("iris")
    assert champion is not None
    assert (champion.version, champion.sha256, champion.family) == ("1", "a" * 64, "linear")
    assert Path(champion.path) == world / "data" / "models/iris/model/linear/0/pipeline.joblib"
    registered = registry.registered(client, "iris", registry.CHAMPION)
    assert registered is not None
    registered.save(tmp_path)
    assert registry.Registration.load(tmp_path) == registered


def test_a_home_that_cannot_be_made_is_an_error_with_a_remedy(fresh_world: Path) -> None:
    fresh_world.write_text("")
    with pytest.raises(StorageError, match="a file is where a folder should be"):
        mlflow_client()
