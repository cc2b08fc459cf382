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
SOURCES = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "ml_assets", "ml_assets_tests", "data/embedded")


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
        for pattern in ("*.py", "*.yaml", "*.j2", "py.typed")
        for file in (CHECKOUT / "ml_assets").rglob(pattern)
    }
    assert "ml_assets/evaluation/card.html.j2" in wanted
    assert "ml_assets/datasets/iris.yaml" in wanted
    assert wanted - contents == set()


def test_wheel_contains_the_embedded_tables(contents: set[str]) -> None:
    embedded = {f"ml_assets/embedded/{file.name}" for file in (CHECKOUT / "data" / "embedded").glob("*.gz")}
    assert len(embedded) == 5
    assert embedded <= contents


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
