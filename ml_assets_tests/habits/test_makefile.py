"""The Makefile installs once, cleans without touching what is committed, and says what it needs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
RECORDER = '#!/bin/sh\necho "$(basename "$0") $*" >> "$CALLS"\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout whose .venv has tools that only write down how they were called."""
    for name in ("Makefile", "pyproject.toml", "setup.py", "requirements.lock", "requirements-dev.lock"):
        shutil.copy(CHECKOUT / name, tmp_path / name)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "pip", "ml-assets", "ruff", "mypy", "lint-imports"):
        (programs / name).write_text(RECORDER)
        (programs / name).chmod(0o755)
    return tmp_path


def make(folder: Path, *words: str) -> tuple[int, str, list[str]]:
    """Exit code, what was printed, and the tools that were called."""
    calls = folder / "calls"
    calls.unlink(missing_ok=True)
    outer = ("ARGS", "PYTHON", "MFLAGS")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k not in outer}
    done = subprocess.run(
        ["make", *words],
        cwd=folder,
        env={**environment, "CALLS": str(calls)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr, calls.read_text().splitlines() if calls.exists() else []


def installs(calls: list[str]) -> list[str]:
    return [call.split()[-1] for call in calls if " install " in call]


def test_help_is_what_make_alone_prints(project: Path) -> None:
    _, printed, calls = make(project)
    assert [line.split()[1] for line in printed.splitlines()][:3] == ["help", "run", "test"]
    assert calls == []


def test_run_installs_the_lock_once_and_hands_its_arguments_on(project: Path) -> None:
    code, _, first = make(project, "run", "ARGS=iris --budget 10")
    assert code == 0
    assert installs(first) == ["requirements.lock", "."]
    assert first[-1] == "ml-assets run iris --budget 10"
    _, _, second = make(project, "run")
    assert second == ["ml-assets run"]


def test_a_changed_lock_is_installed_and_an_old_one_is_not_taken_for_it(project: Path) -> None:
    lock = project / "requirements.lock"
    before = lock.read_text()
    make(project, "run")
    for text in (before + "\n", before):
        lock.write_text(text)
        assert installs(make(project, "run")[2]) == ["requirements.lock"]


def test_run_after_test_has_nothing_to_install(project: Path) -> None:
    _, _, calls = make(project, "test", "ARGS=-k nothing")
    assert installs(calls) == ["requirements-dev.lock", "."]
    assert calls[-1] == "python -m pytest -n 2 --dist loadfile -k nothing"
    assert installs(make(project, "run")[2]) == []


def test_check_runs_every_tool(project: Path) -> None:
    _, _, calls = make(project, "check")
    assert [call.strip() for call in calls if " install " not in call and call != "pip --version"] == [
        "ruff format --check .",
        "ruff check .",
        "mypy",
        "lint-imports",
        "python scripts/check_locks.py",
    ]


def test_a_python_that_is_too_old_is_named_with_the_remedy(project: Path) -> None:
    (project / ".venv" / "bin" / "pip").unlink()
    old = project / "old-python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit 0\nexit 1\n')
    old.chmod(0o755)
    code, printed, calls = make(project, "run", f"PYTHON={old}")
    assert code == 2
    assert "Python 3.11 or newer is needed" in printed
    assert "is Python 3.9.2" in printed
    assert "PYTHON=" in printed
    assert calls == []


def test_clean_removes_what_was_made_and_nothing_that_is_committed(project: Path) -> None:
    made = ["data/raw/x", ".dagster/x", "mlflow/x", ".mypy_cache/x", "a/__pycache__/x"]
    handed_in = [
        "data/incoming/iris/x.csv",
        "data/batches/iris/1-x/x.csv.gz",
        "data/quarantine/iris/x/x",
        "datasets/a.yaml",
    ]
    kept = [*handed_in, "data/embedded/iris.data.gz", ".venv/lib/__pycache__/x", "a/x.py"]
    for name in made + kept:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).touch()
    assert make(project, "clean")[0] == 0
    assert [name for name in made if (project / name).exists()] == []
    assert [name for name in kept if not (project / name).exists()] == []
    assert make(project, "distclean")[0] == 0
    assert not (project / ".venv").exists()
    assert [name for name in handed_in if (project / name).exists()] == []
    assert (project / "data/embedded/iris.data.gz").exists()


def test_a_checkout_that_was_moved_is_installed_anew(project: Path) -> None:
    make(project, "run")
    moved = project.with_name(project.name + " moved")
    project.rename(moved)
    assert installs(make(moved, "run")[2]) == ["requirements.lock", "."]
