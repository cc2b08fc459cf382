"""How many cores there are and what a new process loads first; what runs in the processes belongs elsewhere."""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing import forkserver

from ml_assets.errors import SettingError

CORES_VARIABLE = "ML_ASSETS_CORES"
BACKGROUND = 2
"""How far a step that a champion waits for gives way to fits (of other datasets); as `nice` counts."""
REPORTS = 10
"""How far a step gives way that only draws and tells."""

WORKER_MODULES = (
    "ml_assets.learning.worker",
    "sklearn.calibration",
    "sklearn.ensemble",
    "sklearn.gaussian_process",
    "sklearn.impute",
    "sklearn.kernel_approximation",
    "sklearn.linear_model",
    "sklearn.neighbors",
    "sklearn.neural_network",
    "sklearn.preprocessing",
    "sklearn.svm",
    "xgboost",
    "lightgbm",
    "catboost",
)
"""What a pool worker needs before its first fit; those of an extra are passed over where they are not installed."""

STEP_MODULES = (
    *WORKER_MODULES,
    "ml_assets.automation.preload",
    "ml_assets.datasets.cleaning",
    "ml_assets.datasets.ingestion",
    "ml_assets.datasets.profiles.profiling",
    "ml_assets.evaluation.card",
    "ml_assets.evaluation.plots",
    "ml_assets.learning.search",
    "ml_assets.resources.tracking",
    "ml_assets.validation.fitted_inside",
    "ml_assets.validation.leakage",
    "mlflow.sklearn",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "nbconvert.exporters.html",
    "optuna",
    "pandera.pandas",
    "papermill",
    "pebble",
    "seaborn",
)
"""What Dagster's fork server loads once, so that each step starts in a fraction of a second."""


def cores() -> int:
    """Cores this project may use: `ML_ASSETS_CORES`, else those this process may run on.

    Raises:
        SettingError: the variable is no whole number from 1 up.
    """
    named = os.environ.get(CORES_VARIABLE)
    if named is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not named.isdecimal() or int(named) < 1:
        raise SettingError(f"{CORES_VARIABLE} is '{named}'; give a whole number from 1 up")
    return int(named)


def give_way(by: int = BACKGROUND) -> None:
    """Lets fits go first where cores are short: this step's process gets a smaller share beside them.

    A process that runs other things too, such as a test or a notebook, stays as it is.
    """
    if multiprocessing.parent_process() is not None and hasattr(os, "nice"):
        os.nice(by - os.nice(0))


def start_loading() -> None:
    """Starts the server that Dagster forks steps from, so that it loads its libraries while this process plans.

    The server ends with this process.
    """
    one_thread_each()
    multiprocessing.get_context("forkserver").set_forkserver_preload(list(STEP_MODULES))
    forkserver.ensure_running()


def one_thread_each() -> None:
    """Makes numeric libraries loaded later use one thread a process and sleep, not spin, while they wait.

    Work is spread over processes: two workers of one thread beat one of two, and OpenMP's spinning on a busy
    machine can slow a small fit tenfold. Thread counts set elsewhere would multiply with the processes, so they
    give way; `ML_ASSETS_CORES` is the one setting. How to wait stays as the user has set it.
    """
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
