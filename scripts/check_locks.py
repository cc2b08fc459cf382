"""Checks that the lock files hold pins and hashes only, and everything that pyproject.toml asks for.

Usage: python scripts/check_locks.py [FOLDER]; exit code 1 and a line for each fault.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[a-z0-9,_-]+\])?==(?P<version>[^\s;]+)(?: ; [^/\\@]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")
RUN_LOCK = "requirements.lock"
DEV_LOCK = "requirements-dev.lock"


def read_lock(file: Path, faults: list[str]) -> dict[str, set[str]]:
    """Pinned versions by package; a line that is neither a pin nor a hash, such as one with an address, is a fault."""
    pins: dict[str, set[str]] = {}
    hashed = True
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if pin := PIN.fullmatch(line):
            pins.setdefault(canonicalize_name(pin["name"]), set()).add(pin["version"])
            if not hashed:
                faults.append(f"{file.name}:{number}: the pin before this one has no hash")
            hashed = False
        elif HASH.fullmatch(line):
            hashed = True
        else:
            faults.append(f"{file.name}:{number}: neither a pin nor a hash: {line.strip()[:60]!r}")
    return pins


def unmet(requirements: list[str], pins: dict[str, set[str]], *, lock: str) -> list[str]:
    """A line for each requirement that the pins do not meet."""
    faults = []
    for text in requirements:
        wanted = Requirement(text)
        versions = pins.get(canonicalize_name(wanted.name), set())
        if not versions:
            faults.append(f"{lock}: {wanted.name} is missing; run scripts/lock")
        faults += [
            f"{lock}: {wanted.name} {v} is not {wanted.specifier}" for v in versions if v not in wanted.specifier
        ]
    return faults


def check(folder: Path) -> list[str]:
    """Every fault of the two locks in `folder`."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    faults: list[str] = []
    run = read_lock(folder / RUN_LOCK, faults)
    dev = read_lock(folder / DEV_LOCK, faults)
    faults += unmet([*project["dependencies"], *extras["build"]], run, lock=RUN_LOCK)
    faults += unmet([*project["dependencies"], *extras["build"], *extras["dev"]], dev, lock=DEV_LOCK)
    other = sorted(name for name, versions in run.items() if dev.get(name) != versions)
    return faults + [f"{DEV_LOCK}: {name} is not pinned as in {RUN_LOCK}; run scripts/lock" for name in other]


if __name__ == "__main__":
    sys.exit("\n".join(check(Path(*sys.argv[1:]))) or 0)
