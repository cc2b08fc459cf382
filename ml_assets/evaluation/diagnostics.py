"""The winner under the lens: metrics with intervals, worst slices, errors by region of the target, gaps between groups.

Each is computed in a module of its own; here they are brought together and kept. Words: `diagnostics_words`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.evaluation.clusters import clusters_of
from ml_assets.evaluation.documents import as_float, plain, read_document, write_document
from ml_assets.evaluation.group_gaps import GroupGap, group_gaps
from ml_assets.evaluation.metrics import row_losses
from ml_assets.evaluation.record import Evaluation, labels_of
from ml_assets.evaluation.regions import Region, target_regions
from ml_assets.evaluation.score_intervals import ScoreInterval, score_intervals
from ml_assets.evaluation.slice_search import FoundSlice, find_slices

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE = "diagnostics.json"


@dataclass(frozen=True)
class Diagnostics:
    """What is known of one model beyond its score.

    Attributes:
        scores: metrics of the test rows, over which rows were drawn.
        slices: the worst slices found, those beyond the noise first.
        regions: errors by region of the target and of the prediction.
        gaps: between the groups of each sensitive column.
    """

    dataset: str
    family: str
    task: Task
    metric: str
    model_sha256: str
    data_hash: str
    splits_hash: str
    scores: tuple[ScoreInterval, ...]
    slices: tuple[FoundSlice, ...]
    regions: tuple[Region, ...]
    gaps: tuple[GroupGap, ...]

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """Lower and upper end by metric, of those of all test rows that have an interval."""
        return {s.metric: (s.low, s.high) for s in self.scores if not s.label and s.low == s.low}

    def save(self, folder: Path) -> None:
        """Write `diagnostics.json`."""
        write_document(folder / FILE, plain(asdict(self)))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read `diagnostics.json`."""
        content = read_document(folder / FILE)
        content["task"] = Task(content["task"])
        for name, kind in (("scores", ScoreInterval), ("slices", FoundSlice), ("regions", Region), ("gaps", GroupGap)):
            content[name] = tuple(_item(kind, entry) for entry in content[name])
        return cls(**content)


def diagnose(spec: DatasetSpec, table: pd.DataFrame, evaluation: Evaluation, *, seed: int = 0) -> Diagnostics:
    """Diagnostics of an evaluated model.

    Scores are of test rows; slices, regions and gaps of out-of-fold predictions, which are many more.

    Args:
        spec: the contract.
        table: the clean table, indexed by row_id.
        evaluation: of the model.
        seed: of the bootstrap and of the halves that slices are searched and tested on.
    """
    clusters = clusters_of(spec, table)
    rows = table.loc[evaluation.oof.index]
    losses = row_losses(evaluation.task, labels_of(evaluation.oof), evaluation.oof_prediction, evaluation.classes)

    def of(index: pd.Index[Any]) -> np.ndarray[Any, Any] | None:
        return clusters.loc[index].to_numpy() if clusters is not None else None

    return Diagnostics(
        dataset=evaluation.dataset,
        family=evaluation.family,
        task=evaluation.task,
        metric=evaluation.metric,
        model_sha256=evaluation.model_sha256,
        data_hash=evaluation.data_hash,
        splits_hash=evaluation.splits_hash,
        scores=score_intervals(spec, evaluation, clusters=of(evaluation.test.index), seed=seed),
        slices=find_slices(spec, rows, losses, clusters=of(rows.index), seed=seed),
        regions=target_regions(evaluation),
        gaps=group_gaps(spec, rows, evaluation),
    )


def _item(kind: type[Any], entry: Mapping[str, Any]) -> Any:
    """One entry of a list, with tuples and not-a-numbers as they were."""
    kinds = kind.__annotations__
    return kind(
        **{
            name: as_float(value)
            if kinds[name] == "float"
            else tuple(value)
            if kinds[name].startswith("tuple")
            else value
            for name, value in entry.items()
        }
    )
