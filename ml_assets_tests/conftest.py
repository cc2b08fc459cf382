"""Fixtures every test may use: a home of its own, and one in which iris was trained."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ml_assets.processes import one_thread_each
from ml_assets_tests.commands import run_in

one_thread_each()


@pytest.fixture(autouse=True)
def environment_stays() -> Iterator[None]:
    """Puts the environment back: MLflow writes its address there, and later tests would start processes with it."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home that this process, and what it starts, uses."""
    place = tmp_path / "home"
    monkeypatch.setenv("ML_ASSETS_HOME", str(place))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return place


@pytest.fixture(scope="session")
def iris_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A home in which `ml-assets run iris` ran, for tests that only read it; and what the command printed."""
    place = tmp_path_factory.mktemp("iris")
    done = run_in(place, "ml_assets", "run", "iris", "--trials", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    return place, done


@pytest.fixture
def trained_home(iris_run: tuple[Path, object], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of `iris_run` as this process's home; only for reading."""
    monkeypatch.setenv("ML_ASSETS_HOME", str(iris_run[0]))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return iris_run[0]
