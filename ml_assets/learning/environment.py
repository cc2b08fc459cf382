"""What a fit is computed by: the versions of the libraries whose change can change a model's numbers."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version

from ml_assets.home import CHECKOUT

LOCK = "requirements.lock"
LIBRARIES = ("numpy", "scipy", "pandas", "polars", "scikit-learn", "xgboost", "lightgbm", "catboost", "joblib")


def library_versions() -> dict[str, str]:
    """Version by name, Python's, the processor's kind and the package's own among them."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in ("ml-assets", *LIBRARIES):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def differences(then: dict[str, str], now: dict[str, str]) -> dict[str, tuple[str, str]]:
    """What differs by name, as (then, now); "none" stands for what is not there."""
    names = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    return {name: (then.get(name, "none"), now.get(name, "none")) for name in names}


def lock_sha256() -> str:
    """SHA-256 of the checkout's lock file; empty for an installed package, which has none."""
    file = CHECKOUT / LOCK
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
