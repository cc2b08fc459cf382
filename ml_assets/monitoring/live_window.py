"""What a server answered in one period, taken from its log once, so that every verdict is on the same rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

import pandas as pd

from ml_assets.evaluation.documents import read_document, write_document
from ml_assets.monitoring.window import WindowBounds
from ml_assets.serving.prediction_log import LogSummary, PredictionLog

if TYPE_CHECKING:
    from pathlib import Path

    from ml_assets.datasets.spec import DatasetSpec

DOCUMENT = "window.json"


@dataclass(frozen=True)
class LiveWindow:
    """One period of the prediction log of one dataset.

    Attributes:
        rows: answered rows with their predictions, as `PredictionLog.window` gives them.
        labelled: those of them whose label came, as `PredictionLog.labelled` gives them.
        summary: counts and latencies of the requests.
    """

    bounds: WindowBounds
    rows: pd.DataFrame
    labelled: pd.DataFrame
    summary: LogSummary

    @classmethod
    def take(cls, log: PredictionLog, spec: DatasetSpec, bounds: WindowBounds) -> Self:
        """Reads the period `bounds` from the log."""
        period = {"since": bounds.start, "until": bounds.end}
        columns = {name: spec.columns[name] for name in spec.feature_columns}
        return cls(
            bounds=bounds,
            rows=log.window(spec.name, columns=columns, **period),
            labelled=log.labelled(spec.name, **period),
            summary=log.summary(spec.name, **period),
        )

    def save(self, folder: Path) -> None:
        """Writes `window.json`, `rows.parquet` and `labelled.parquet`."""
        write_document(folder / DOCUMENT, {"bounds": asdict(self.bounds), "summary": asdict(self.summary)})
        self.rows.to_parquet(folder / "rows.parquet")
        self.labelled.to_parquet(folder / "labelled.parquet")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads back what `save` wrote."""
        document = read_document(folder / DOCUMENT)
        return cls(
            bounds=WindowBounds(**document["bounds"]),
            rows=pd.read_parquet(folder / "rows.parquet"),
            labelled=pd.read_parquet(folder / "labelled.parquet"),
            summary=LogSummary(**document["summary"]),
        )
