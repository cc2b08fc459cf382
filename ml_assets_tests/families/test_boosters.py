"""LightGBM and CatBoost, which come with an extra: away unless installed, families like the others where they are."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ml_assets.errors import SettingError
from ml_assets.families import ENSEMBLE, OF_EXTRA, distribution_of, family_names, load_family

CHECKOUT = Path(__file__).resolve().parents[2]
CONFORMING = """
import io, optuna, joblib
from ml_assets.datasets.spec import Task
from ml_assets.families import OF_EXTRA, family_names, load_family
from ml_assets.families.conformance import CHECKS, problem

optuna.logging.set_verbosity(optuna.logging.WARNING)
for name in sorted(OF_EXTRA):
    assert name in family_names()
    for check in CHECKS:
        check(load_family(name))
    for task in Task:
        table, target, shape = problem(task)
        written = set()
        for _ in range(2):
            buffer = io.BytesIO()
            family = load_family(name)
            joblib.dump(family.estimator(family.defaults(shape), shape, seed=0).fit(table, target), buffer)
            written.add(buffer.getvalue())
        assert len(written) == 1, f"{name}: two fits are not the same bytes"
    print(name, "conforms")
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages of the extra, and no other."""
    asked = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["boosters"]
    folder = tmp_path_factory.mktemp("boosters")
    command = [sys.executable, "-m", "pip", "--quiet", "install", "--no-deps", "--target", str(folder), *asked]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"the extra `boosters` cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
    return folder


def test_families_of_the_extra_conform_and_give_the_same_bytes(installed: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CONFORMING], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["catboost conforms", "lightgbm conforms"]


def test_a_model_says_that_it_needs_the_extra() -> None:
    assert distribution_of("catboost") == "ml-assets[boosters]"
    assert distribution_of(ENSEMBLE, ["linear", "lightgbm"]) == "ml-assets[boosters]"
    assert distribution_of(ENSEMBLE, ["linear", "xgboost"]) == "ml-assets"


def test_without_the_extra_they_are_no_families_and_the_remedy_is_told() -> None:
    missing = [name for name in OF_EXTRA if importlib.util.find_spec(name) is None]
    assert not set(missing) & set(family_names())
    for name in missing:
        with pytest.raises(
            SettingError, match=rf"family '{name}' needs a package .* pip install 'ml-assets\[boosters\]'"
        ):
            load_family(name)
