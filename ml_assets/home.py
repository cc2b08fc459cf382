"""Where everything made is kept: the one folder under which a project's data, models and databases live.

How an artifact is written belongs in `artifacts`; what a setting means belongs where it is used.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
HOME_VARIABLE = "ML_ASSETS_HOME"


@dataclass(frozen=True)
class Home:
    """Paths below one home; two homes share nothing."""

    root: Path

    @classmethod
    def current(cls) -> Home:
        """The home `ML_ASSETS_HOME` names, else the checkout, else (an installed package) the working folder."""
        named = os.environ.get(HOME_VARIABLE)
        if named:
            return cls(Path(named).expanduser().absolute())
        return cls(CHECKOUT if (CHECKOUT / "pyproject.toml").is_file() else Path.cwd())

    @property
    def data(self) -> Path:
        """Tables, models, reports: what the assets make."""
        return self.root / "data"

    @property
    def contracts(self) -> Path:
        """`datasets/<name>.yaml`: contracts of a person's own tables."""
        return self.root / "datasets"

    @property
    def incoming(self) -> Path:
        """`incoming/<dataset>/`: files a person or a program drops for the next run."""
        return self.data / "incoming"

    @property
    def batches(self) -> Path:
        """`batches/<dataset>/`: files that were taken, and their rows."""
        return self.data / "batches"

    @property
    def quarantine(self) -> Path:
        """`quarantine/<dataset>/`: what was refused, each with its reason."""
        return self.data / "quarantine"

    @property
    def searches(self) -> Path:
        """Journals of hyperparameter searches."""
        return self.data / "searches"

    @property
    def progress(self) -> Path:
        """`progress/<run>/<dataset>.json`: how a search that is under way stands."""
        return self.data / "progress"

    @property
    def reports(self) -> Path:
        """`reports/<dataset>/model_card.html`, `cards/` with one of each version, and what else a person reads."""
        return self.data / "reports"

    @property
    def locks(self) -> Path:
        """Lock files that processes of this home share."""
        return self.data / "locks"

    @property
    def prediction_log(self) -> Path:
        """SQLite file with every request the server answered."""
        return self.data / "serving" / "predictions.db"

    @property
    def server_record(self) -> Path:
        """Small JSON file that a running server keeps: its address and process id."""
        return self.data / "serving" / "server.json"

    @property
    def dagster(self) -> Path:
        """`DAGSTER_HOME` of this home."""
        return self.root / ".dagster"

    @property
    def mlflow(self) -> Path:
        """MLflow's database and artifacts."""
        return self.root / "mlflow"

    @property
    def tracking_uri(self) -> str:
        """MLflow's tracking and registry address: `MLFLOW_TRACKING_URI`, else SQLite in this home."""
        return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self.mlflow / 'mlflow.db'}"


def embedded_folder() -> Path:
    """Folder with the committed canonical files: `data/embedded` of a checkout, or its copy in the package."""
    folder = CHECKOUT / "data" / "embedded"
    return folder if folder.is_dir() else Path(str(resources.files("ml_assets") / "embedded"))
