"""Lock files hold pins and hashes, no host names, and everything that is asked for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with copies of the project's declaration and its locks."""
    for name in ("pyproject.toml", *LOCKS):
        shutil.copy(CHECKOUT / name, tmp_path / name)
    return tmp_path


def checked(folder: Path) -> tuple[int, list[str]]:
    command = [sys.executable, str(CHECKOUT / "scripts" / "check_locks.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr.splitlines()


def test_the_locks_are_in_order() -> None:
    assert checked(CHECKOUT) == (0, [])


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://packages.example/simple",
        "--extra-index-url https://packages.example/simple",
        "example @ https://packages.example/example-1.0.whl \\",
        "--find-links packages.example",
        "# from packages.example",
    ],
)
def test_a_line_with_an_address_is_a_fault(project: Path, lock: str, line: str) -> None:
    with (project / lock).open("a") as file:
        file.write(line + "\n")
    code, faults = checked(project)
    assert code == 1
    assert [fault.split(":")[0] for fault in faults] == [lock]


def test_a_pin_without_a_hash_is_a_fault(project: Path) -> None:
    file = project / LOCKS[0]
    lines = file.read_text().splitlines()
    assert "--hash" in lines[1]
    file.write_text("\n".join([lines[0], *lines[next(i for i, x in enumerate(lines) if i and "==" in x) :]]))
    code, faults = checked(project)
    assert code == 1
    assert "no hash" in faults[0]


def test_a_dependency_that_is_not_locked_is_a_fault(project: Path) -> None:
    declaration = project / "pyproject.toml"
    text = declaration.read_text()
    declaration.write_text(text.replace("dependencies = [", 'dependencies = [\n    "not-locked>=1",', 1))
    code, faults = checked(project)
    assert code == 1
    assert faults == [f"{lock}: not-locked is missing; run scripts/lock" for lock in LOCKS]


def test_a_pin_below_what_is_asked_for_is_a_fault(project: Path) -> None:
    declaration = project / "pyproject.toml"
    declaration.write_text(declaration.read_text().replace('"click>=8.1"', '"click>=999"'))
    code, faults = checked(project)
    assert code == 1
    assert all("click" in fault and ">=999" in fault for fault in faults)
