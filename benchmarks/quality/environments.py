"""A virtual environment for each system, made once and kept under one folder, or this interpreter for all of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.quality.systems import HERE, PEERS, System

TABLE_PACKAGES = HERE / "tables.txt"
PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check", "install")
ASK_VERSIONS = """
import importlib.metadata, json, platform, sys
found = {"python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        found[name] = "not installed"
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Environments:
    """Interpreters by system; without a folder every one is this interpreter, for systems it has the packages of."""

    folder: Path | None

    def interpreter(self, system: System) -> Path:
        """The Python that runs the system, its packages installed."""
        if self.folder is None or system.environment is None:
            return Path(sys.executable)
        requirements = PEERS / "requirements" / f"{system.environment}.txt"
        place = self.folder / system.environment
        python = place / "bin" / "python"
        if not _made(place, requirements):
            _run([sys.executable, "-m", "venv", "--clear", str(place)])
            _run([str(python), *PIP, "-r", str(requirements)])
            _stamp(place, requirements)
        return python

    def tables(self) -> Path:
        """The folder that holds the packages which carry tables; they are installed without what they depend on."""
        if self.folder is None:
            raise ValueError("tables of other packages need a folder of environments to be installed in")
        place = self.folder / "tables"
        if not _made(place, TABLE_PACKAGES):
            words = ["--no-deps", "--upgrade", "--target", str(place), "-r", str(TABLE_PACKAGES)]
            _run([sys.executable, *PIP, *words])
            _stamp(place, TABLE_PACKAGES)
        return place

    def versions(self, system: System) -> dict[str, str]:
        """Versions of Python and of the system's packages where it runs."""
        command = [str(self.interpreter(system)), "-c", ASK_VERSIONS, *system.packages]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        answer: dict[str, str] = json.loads(done.stdout)
        return answer


def _made(place: Path, requirements: Path) -> bool:
    stamp = place / "made-from.txt"
    return stamp.exists() and stamp.read_text() == requirements.read_text()


def _stamp(place: Path, requirements: Path) -> None:
    (place / "made-from.txt").write_text(requirements.read_text())


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
