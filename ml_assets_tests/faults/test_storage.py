"""Homes that cannot be written: one message with the remedy, exit code 1, no traceback."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ml_assets_tests.commands import run_in


def mount(place: Path, options: str) -> None:
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"no small file system can be mounted here: {done.stderr.strip()}")


@pytest.fixture(params=["size=1m", "size=3m"], ids=["full at the start", "full in the middle"])
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    mount(tmp_path, str(request.param))
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def test_full_disk_is_named_with_the_remedy(small_disk: Path) -> None:
    done = run_in(small_disk, "ml_assets", "run", "iris", "--trials", "1")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "free some space" in done.stderr
    assert "ML_ASSETS_HOME" in done.stderr
    assert "Traceback" not in done.stderr


def test_read_only_home_is_named_with_the_remedy(tmp_path: Path) -> None:
    mount(tmp_path, "size=1m,ro")
    try:
        done = run_in(tmp_path, "ml_assets", "run", "iris")
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)
    assert done.returncode == 1
    assert "read-only" in done.stderr
    assert "Traceback" not in done.stderr


def test_home_that_is_a_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    file = tmp_path / "home"
    file.write_text("not a folder")
    done = run_in(file, "ml_assets", "run", "iris", DAGSTER_HOME=str(tmp_path))
    assert done.returncode == 1
    assert "a file is where a folder should be" in done.stderr
    assert os.listdir(tmp_path) == ["home"]  # noqa: PTH208
