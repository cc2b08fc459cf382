"""What every peer's script shares: the rows it reads, the seconds it has left, the answer it writes.

A script is run as `python run_NAME.py TRAIN TEST TARGET TASK BUDGET SEED OUT [WORD]` in an environment of its own. It
marks the end of fitting by the file `OUT.fitted`. OUT has the column `prediction`, or for each class
`probability_<label>`.
Nothing here, and no script beside, imports the project or the rest of the comparison.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

STARTED = float(os.environ.get("COMPARISON_STARTED", time.time()))
"""When this process was started, as seconds since 1970; whoever starts it may know better."""
ISO_DATE = r"\d{4}-\d\d-\d\d(?:[ T][\d:.]+)?"
warnings.simplefilter("ignore")


@dataclass(frozen=True)
class Job:
    """One fit: training rows with their target, test rows without, and what there is of time and cores."""

    train: pd.DataFrame
    test: pd.DataFrame
    target: str
    task: str
    budget: float
    seed: int
    out: Path
    word: str

    @classmethod
    def given(cls) -> Job:
        """The job of this process's command line, its files read."""
        train, test, target, task, budget, seed, out, *words = sys.argv[1:]
        classes = {target: str} if task == "classification" else {}
        rows = pd.read_csv(train, dtype=classes)
        asked = _alike(pd.read_csv(test), rows)
        return cls(rows, asked, target, task, float(budget), int(seed), Path(out), "".join(words))

    @property
    def features(self) -> pd.DataFrame:
        """The training rows without their target."""
        return self.train.drop(columns=self.target)

    @property
    def labels(self) -> pd.Series:
        """The target of the training rows."""
        return self.train[self.target]

    @property
    def is_classification(self) -> bool:
        """Whether probabilities are asked for."""
        return self.task == "classification"

    @property
    def folder(self) -> Path:
        """Where files may be written."""
        return self.out.parent

    @property
    def cores(self) -> int:
        """Cores this process may run on."""
        return int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1))

    def seconds_left(self) -> float:
        """Of the budget, which counts from the start of this process; never less than one."""
        return max(1.0, self.budget - (time.time() - STARTED))

    def fitted(self) -> None:
        """Marks the end of fitting."""
        self.out.with_name(self.out.name + ".fitted").touch()

    def answer(self, values: Any, classes: Iterable[Any] = ()) -> None:
        """Writes predictions, or probabilities with a column a class."""
        names = [f"probability_{label}" for label in classes] if self.is_classification else ["prediction"]
        pd.DataFrame(_columns(values, len(names)), columns=names).to_csv(self.out, index=False)


def dated(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with texts that are all ISO dates as dates."""
    made = frame.copy()  # `assign` takes no column called `self`
    for name in frame:
        if _is_dates(frame[name]):
            made[name] = pd.to_datetime(frame[name])
    return made


def numbered(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with each date as days since 1970 and as the day of its year."""
    frame = dated(frame)
    for name in frame.select_dtypes("datetime"):
        days = (frame[name] - pd.Timestamp(0)).dt.total_seconds() / 86_400
        frame[f"{name}: day of year"] = frame[name].dt.dayofyear
        frame[name] = days
    return frame


def texts(frame: pd.DataFrame) -> list[str]:
    """The columns that are no numbers."""
    return [str(name) for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]


def _is_dates(column: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(column):
        return False
    return bool(column.dropna().astype(str).str.fullmatch(ISO_DATE).all())


def _alike(test: pd.DataFrame, train: pd.DataFrame) -> pd.DataFrame:
    """The test rows with numbers where the training rows have them."""
    made = test.copy()
    for name in test:
        if pd.api.types.is_numeric_dtype(train[name]):
            made[name] = pd.to_numeric(test[name], errors="coerce")
    return made


def _columns(values: Any, columns: int) -> Any:
    import numpy as np

    return np.asarray(values, dtype=float).reshape(-1, columns)
