"""What a process loads: the core without Dagster and MLflow, the definitions without the heavy libraries."""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import ml_assets
from ml_assets.cli import cli

CHECKOUT = Path(__file__).resolve().parents[2]
SHELL = {"__main__", "assets", "automation", "cli", "definitions", "resources"}
HEAVY = ("matplotlib", "mlflow", "optuna", "pandas", "pandera", "scipy", "seaborn", "sklearn", "xgboost")


def core_modules() -> list[str]:
    packages = pkgutil.walk_packages(ml_assets.__path__, "ml_assets.")
    return sorted(m.name for m in packages if m.name.split(".")[1] not in SHELL | {"embedded"})


def loaded_after(code: str, tmp_path: Path, *options: str) -> set[str]:
    """Top-level names of the modules that a new interpreter holds after `code`; it must not write to stderr."""
    program = f"{code}\nimport json, sys\nprint(json.dumps(sorted({{n.partition('.')[0] for n in sys.modules}})))"
    environment = {**os.environ, "ML_ASSETS_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, *options, "-c", program], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    names: list[str] = json.loads(done.stdout.splitlines()[-1])
    return set(names)


def test_the_core_loads_neither_dagster_nor_mlflow(tmp_path: Path) -> None:
    modules = core_modules()
    assert "ml_assets.learning.search" in modules
    loaded = loaded_after(f"import importlib\nfor name in {modules!r}: importlib.import_module(name)", tmp_path)
    assert not loaded & {"dagster", "dagster_mlflow", "mlflow"}


def test_every_core_module_is_under_the_import_contract() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = project["tool"]["importlinter"]["contracts"][0]
    covered = {name.split(".")[1] for name in contract["source_modules"]}
    assert {name.split(".")[1] for name in core_modules()} <= covered
    assert {"dagster", "mlflow", "ml_assets.assets", "ml_assets.resources"} <= set(contract["forbidden_modules"])


def test_loading_the_definitions_loads_no_heavy_library(tmp_path: Path) -> None:
    loaded = loaded_after("import ml_assets; ml_assets.defs", tmp_path)
    assert "dagster" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_loading_the_definitions_warns_of_nothing(tmp_path: Path) -> None:
    """Every warning is an error, but for the one that Dagster's own modules give for an attribute of pydantic."""
    code = """
import warnings
from pydantic.warnings import PydanticDeprecatedSince20
warnings.simplefilter("error")
warnings.filterwarnings("ignore", "The `__fields__`", PydanticDeprecatedSince20, r"dagster(_shared)?\\.")
from ml_assets.definitions import defs
defs.resolve_asset_graph()
defs.resolve_all_job_defs()
"""
    loaded_after(code, tmp_path)


@pytest.mark.parametrize("command", ["--help", *(f"{name} --help" for name in cli.commands), "--version"])
def test_help_loads_neither_dagster_nor_a_heavy_library(command: str, tmp_path: Path) -> None:
    code = f"from ml_assets.cli import cli\ncli.main({command.split()!r}, standalone_mode=False)"
    assert loaded_after(code, tmp_path).isdisjoint({"dagster", *HEAVY})
