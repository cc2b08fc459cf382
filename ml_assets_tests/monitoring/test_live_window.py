from pathlib import Path

import pandas as pd
import pytest

from ml_assets.artifacts import ArtifactStore
from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.monitoring.live_window import LiveWindow
from ml_assets.monitoring.window import WindowBounds
from ml_assets.serving.prediction_log import Label, LoggedRequest, PredictionLog


@pytest.fixture
def spec() -> DatasetSpec:
    return load_contract("wine_quality")


@pytest.fixture
def log(tmp_path: Path, spec: DatasetSpec) -> PredictionLog:
    log = PredictionLog(tmp_path / "predictions.db")
    row = {name: "red" if name == "colour" else 1.5 for name in spec.feature_columns}
    for name, at in (("before", 5.0), ("first", 10.0), ("second", 15.0), ("after", 20.0)):
        asked = LoggedRequest(name, spec.name, "1", at, 2.0, 2, "answered")
        log.record(asked, [row, {**row, "ph": None}], [{"prediction": 5.5}, {"prediction": 6.0}])
    log.add_labels(spec.name, [Label("first", 1, 6.0)], received_at=30.0)
    return log


def test_a_window_holds_the_rows_labels_and_counts_of_its_period(log: PredictionLog, spec: DatasetSpec) -> None:
    window = LiveWindow.take(log, spec, WindowBounds(10.0, 20.0))
    assert window.rows["request_id"].tolist() == ["first", "first", "second", "second"]
    assert set(spec.feature_columns) <= set(window.rows.columns)
    assert len(window.labelled) == 1
    assert window.summary == log.summary(spec.name, since=10.0, until=20.0)


@pytest.mark.parametrize("bounds", [WindowBounds(10.0, 20.0), WindowBounds(50.0, 50.0)], ids=["rows", "empty"])
def test_a_window_comes_back_as_it_was(
    log: PredictionLog, spec: DatasetSpec, tmp_path: Path, bounds: WindowBounds
) -> None:
    window = LiveWindow.take(log, spec, bounds)
    ArtifactStore(tmp_path).save(("w",), window)
    loaded = ArtifactStore(tmp_path).load(("w",))
    assert (loaded.bounds, loaded.summary) == (window.bounds, window.summary)
    pd.testing.assert_frame_equal(loaded.rows, window.rows)
    pd.testing.assert_frame_equal(loaded.labelled, window.labelled)


def test_a_dataset_nobody_asked_about_has_an_empty_window(tmp_path: Path, spec: DatasetSpec) -> None:
    window = LiveWindow.take(PredictionLog(tmp_path / "none.db"), spec, WindowBounds(0.0, 1.0))
    assert len(window.rows) == len(window.labelled) == 0
