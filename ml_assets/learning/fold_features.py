"""Features of each fold, made once and read by every worker. What a feature is belongs in `features`."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from ml_assets.artifacts import storage_errors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ml_assets.learning.worker import TrainingRows

FOLDER = "features"


@dataclass(frozen=True)
class FoldFeatures:
    """Features and target of the rows a fit sees, and features of those it is judged by."""

    training: pd.DataFrame
    target: NDArray[Any]
    held_out: pd.DataFrame


def fold_features(rows: TrainingRows, fold: int, folder: Path | None) -> FoldFeatures:
    """The features of one fold, from `folder` where a worker has left them there, else made and left there.

    The plan is fitted on the rows outside the fold; what it learns of the target is cross-fitted on the other folds.
    Large tables are mapped into memory, so that workers share one copy.
    """
    folds = rows.folds_with(fold)
    inside, outside = folds != fold, folds == fold
    target = rows.target[inside]
    place = None if folder is None else folder / FOLDER / str(fold)
    if place is None or not place.exists():
        plan = clone(rows.plan)
        training = plan.fit_transform(rows.table[inside], target, folds=folds[inside])
        held_out = plan.transform(rows.table[outside])
        if place is None:
            return FoldFeatures(training, target, held_out)
        _write(place, training, held_out)
    training, held_out = _read(place)
    training.index, held_out.index = rows.table.index[inside], rows.table.index[outside]
    return FoldFeatures(training, target, held_out)


@lru_cache(maxsize=64)
def columns_of(folder: Path) -> list[str]:
    """Names of the columns left in a fold's folder."""
    return list(np.load(folder / "columns.npy", allow_pickle=False))


def forget(folder: Path) -> None:
    """Removes what workers left in `folder`."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)


def _write(place: Path, training: pd.DataFrame, held_out: pd.DataFrame) -> None:
    """Leaves both tables in `place`, in one rename; of two workers that do, the first counts."""
    import uuid

    aside = place.with_name(f".{place.name}-{uuid.uuid4().hex[:8]}")
    with storage_errors(place):
        aside.mkdir(parents=True)
        np.save(aside / "columns.npy", np.array(training.columns, dtype=str))
        # in columns, as pandas keeps them and trees read them
        np.save(aside / "training.npy", np.asfortranarray(training.to_numpy(dtype=np.float64)))
        np.save(aside / "held_out.npy", np.asfortranarray(held_out.to_numpy(dtype=np.float64)))
        try:
            aside.rename(place)
        except OSError:
            shutil.rmtree(aside, ignore_errors=True)
            if not place.exists():
                raise


def _read(place: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    names = columns_of(place)
    training, held_out = (np.load(place / f"{part}.npy", mmap_mode="r") for part in ("training", "held_out"))
    return pd.DataFrame(training, columns=names, copy=False), pd.DataFrame(held_out, columns=names, copy=False)
