"""A wheel holds what an installed package needs, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SOURCES = (
    "pyproject.toml",
    "setup.py",
    "README.md",
    "LICENSE",
    "ml_assets",
    "ml_assets_tests",
    "data/embedded",
    "notebooks",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the checkout, so that the build leaves nothing behind there."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("dist")
    for name in SOURCES:
        source, target = CHECKOUT / name, copy / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


@pytest.fixture
def contents(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_contains_every_module_contract_and_template(contents: set[str]) -> None:
    wanted = {
        file.relative_to(CHECKOUT).as_posix()
        for pattern in ("*.py", "*.yaml", "*.json", "*.j2", "py.typed")
        for file in (CHECKOUT / "ml_assets").rglob(pattern)
    }
    assert "ml_assets/evaluation/page.html.j2" in wanted
    assert "ml_assets/datasets/iris.yaml" in wanted
    assert wanted - contents == set()


def test_wheel_contains_the_embedded_tables(contents: set[str]) -> None:
    embedded = {f"ml_assets/embedded/{file.name}" for file in (CHECKOUT / "data" / "embedded").glob("*.gz")}
    assert len(embedded) == 5
    assert embedded <= contents


def test_wheel_contains_the_notebooks(contents: set[str]) -> None:
    notebooks = {f"ml_assets/notebooks/{file.name}" for file in (CHECKOUT / "notebooks").glob("*.ipynb")}
    assert "ml_assets/notebooks/data_profile.ipynb" in notebooks
    assert notebooks <= contents


def test_wheel_contains_the_licence_and_no_tests(contents: set[str]) -> None:
    assert any(name.endswith("licenses/LICENSE") for name in contents)
    assert not [name for name in contents if "test" in name]
    assert {name.split("/")[0].split("-")[0] for name in contents} == {"ml_assets"}


def test_a_package_without_a_checkout_reads_its_own_tables(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    program = """
from pathlib import Path
from ml_assets.datasets.sources import fetch_sources
from ml_assets.datasets.contracts import load_contracts
from ml_assets.home import Home, embedded_folder
files = {name: len(fetch_sources(spec, mode="embedded", cache=Path("none"))) for name, spec in load_contracts().items()}
print(embedded_folder(), Home.current().root, sum(files.values()))
"""
    work = tmp_path / "work"
    work.mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "ML_ASSETS_HOME"} | {
        "PYTHONPATH": str(tmp_path / "site")
    }
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=work, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "site" / "ml_assets" / "embedded"), str(work), "5"]


def test_a_package_without_a_checkout_runs_its_own_notebook(wheel: Path, tmp_path: Path) -> None:
    site, figures = tmp_path / "site", tmp_path / "figures"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    figures.mkdir()
    program = """
import sys
from pathlib import Path
import polars as pl
from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.profiles.profiling import profile
from ml_assets.notebook_runs import notebook_file, page, run_notebook
spec, folder = load_contract("iris"), Path(sys.argv[1])
values = {name: ["Iris-setosa"] * 3 if c.dtype == "category" else [1.0, 2.0, 3.0] for name, c in spec.columns.items()}
profile(spec, pl.DataFrame({**values, "batch": ["a"] * 3})).save(folder)
ran = run_notebook(notebook_file("data_profile.ipynb"), {"dataset": "iris", "profile_folder": str(folder)})
print(notebook_file("data_profile.ipynb"), "Iris: 3 rows of 5 columns" in page(ran, title="x"))
"""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-c", program, str(figures)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(site / "ml_assets" / "notebooks" / "data_profile.ipynb"), "True"]
