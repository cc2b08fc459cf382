"""The systems that are compared: the script that runs each, the environment it needs, the words it is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEERS = HERE / "peers"


@dataclass(frozen=True)
class System:
    """A system; `reserve` seconds of each budget are kept back for what it does outside the limit it is told."""

    name: str
    title: str
    script: Path
    environment: str | None
    """Name of the requirements in `peers/requirements`; none for this project, which runs in this interpreter."""
    packages: tuple[str, ...]
    """Whose versions a result names."""
    words: tuple[str, ...] = ()
    reserve: float = 0.0


def _peer(
    name: str, title: str, script: str, environment: str, package: str, *words: str, reserve: float = 0.0
) -> System:
    return System(name, title, PEERS / script, environment, (package,), words, reserve)


_ALL = (
    System(
        "ml_assets",
        "this project",
        HERE / "ours.py",
        None,
        ("ml-assets", "scikit-learn", "xgboost", "optuna"),
        reserve=5.0,  # `run` reads the graph before the first row, from where on its budget counts
    ),
    _peer("autogluon_medium", "AutoGluon, medium", "run_autogluon.py", "autogluon", "autogluon.tabular", "medium"),
    _peer("autogluon_best", "AutoGluon, best", "run_autogluon.py", "autogluon", "autogluon.tabular", "best"),
    _peer("flaml", "FLAML", "run_flaml.py", "flaml", "flaml"),
    _peer("mljar", "mljar-supervised, Compete", "run_mljar.py", "mljar", "mljar-supervised"),
    _peer("xgboost_tuned", "XGBoost, tuned by TPE", "run_xgboost.py", "xgboost", "xgboost", "tuned"),
    _peer("xgboost", "XGBoost, defaults", "run_xgboost.py", "xgboost", "xgboost", "defaults"),
    _peer("catboost", "CatBoost, defaults", "run_catboost.py", "catboost", "catboost"),
    _peer(
        "hist_gradient_boosting",
        "scikit-learn's gradient boosting, defaults",
        "run_sklearn.py",
        "sklearn",
        "scikit-learn",
        "hist_gradient_boosting",
    ),
    _peer(
        "random_forest",
        "scikit-learn's random forest, defaults",
        "run_sklearn.py",
        "sklearn",
        "scikit-learn",
        "random_forest",
    ),
    _peer("extra_trees", "500 extra trees", "run_sklearn.py", "sklearn", "scikit-learn", "extra_trees"),
    _peer("linear", "scikit-learn's linear models, defaults", "run_sklearn.py", "sklearn", "scikit-learn", "linear"),
)
SYSTEMS = {system.name: system for system in _ALL}
