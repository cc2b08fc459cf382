"""What the graph keeps of feature engineering: the plan, its steps and their gains, and the table of all rows."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Self

import pandas as pd

from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.features.discovery import StepRecord, discover
from ml_assets.features.plan import FeaturePlan, plan_for

if TYPE_CHECKING:
    from pathlib import Path

    from ml_assets.features.discovery import Discovered

PLAN_FILE: Final = "plan.joblib"
STEPS_FILE: Final = "steps.json"
BUDGET_SHARE: Final = 0.15
"""Part of a dataset's budget after which no further step is considered."""


@dataclass(frozen=True)
class FeatureSet:
    """A plan fitted on the training rows, what was considered for it, and the table it makes of all rows."""

    plan: FeaturePlan
    table: pd.DataFrame
    considered: tuple[StepRecord, ...] = ()

    @classmethod
    def of(
        cls,
        spec: DatasetSpec,
        table: pd.DataFrame,
        splits: pd.DataFrame,
        *,
        seed: int = 0,
        found: Sequence[Discovered] = (),
    ) -> Self:
        """Fits the plan of `spec` with the steps kept of `found` on the training rows of a clean `table`."""
        training = splits[splits["part"] == "train"]
        rows, others = table.loc[training.index], table.loc[table.index.difference(training.index, sort=False)]
        plan = plan_for(spec, seed=seed, steps=tuple(step.transformer for step in found if step.kept))
        features = plan.fit_transform(rows, rows[spec.target].to_numpy(), folds=training["fold"].to_numpy())
        return cls(
            plan, pd.concat([features, plan.transform(others)]).loc[table.index], tuple(map(StepRecord.of, found))
        )

    def save(self, folder: Path) -> None:
        """Writes `plan.joblib`, `steps.json` and `features.parquet`."""
        import joblib

        joblib.dump(self.plan, folder / PLAN_FILE, compress=("zlib", 3))
        (folder / STEPS_FILE).write_text(json.dumps([asdict(step) for step in self.considered], indent=1))
        self.table.to_parquet(folder / "features.parquet")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads back what `save` wrote; only for folders whose bytes were verified."""
        import joblib

        considered = tuple(StepRecord(**step) for step in json.loads((folder / STEPS_FILE).read_text()))
        return cls(joblib.load(folder / PLAN_FILE), pd.read_parquet(folder / "features.parquet"), considered)


def find_steps(
    spec: DatasetSpec,
    table: pd.DataFrame,
    splits: pd.DataFrame,
    *,
    seconds: float = math.inf,
    threads: int = 1,
    seed: int = 0,
) -> tuple[Discovered, ...]:
    """What `discovery` considers for the training rows of a clean `table`, of which alone it sees anything."""
    training = splits[splits["part"] == "train"]
    rows, fold = table.loc[training.index], training["fold"].to_numpy()
    target = rows[spec.target].to_numpy()
    return discover(
        plan_for(spec, seed=seed).fit_transform(rows, target, folds=fold),
        target,
        fold,
        classes=tuple(sorted(set(target))) if spec.task is Task.CLASSIFICATION else (),
        units={name: column.unit for name, column in spec.columns.items()},
        apart=spec.group is not None or spec.time is not None,
        seconds=seconds,
        threads=threads,
        seed=seed,
    )
