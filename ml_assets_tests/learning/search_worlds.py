"""Real rows, small, and families that misbehave, for the tests of searching; workers import this module too."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from ml_assets import families
from ml_assets.datasets.cleaning import clean
from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.datasets.tables import load_raw_table
from ml_assets.families import family_names
from ml_assets.features.plan import plan_for
from ml_assets.learning.splitting import split
from ml_assets.learning.worker import TrainingRows


@cache
def clean_table(name: str) -> pd.DataFrame:
    """The clean table of an embedded dataset."""
    spec = load_contract(name)
    return clean(spec, load_raw_table(spec, mode="embedded", cache=Path("/nonexistent"))).table


def problem(name: str, rows: int | None = None) -> tuple[DatasetSpec, pd.DataFrame, pd.DataFrame]:
    """Contract, clean table and splits; `rows` takes a sample."""
    spec, table = load_contract(name), clean_table(name)
    if rows is not None:
        table = table.sample(rows, random_state=0)
    return spec, table, split(spec, table, seed=0)


def training_rows(name: str, rows: int | None = None, *, seed: int = 0) -> TrainingRows:
    """Training rows of an embedded dataset."""
    spec, table, splits = problem(name, rows)
    return TrainingRows.of(spec, table, splits, plan_for(spec), seed=seed)


class RowsWithFamilies(TrainingRows):
    """Training rows that bring a folder of more families into the process that unpickles them."""

    def __reduce__(self) -> Any:
        return _unpickle, (self.__dict__["folder"], [str(Path(__file__).parent)], self._plain())

    def _plain(self) -> TrainingRows:
        return TrainingRows(self.spec, self.table, self.fold, self.plan, self.seed)


def with_families(rows: TrainingRows, folder: Path) -> TrainingRows:
    """`rows`, known with the families in `folder` in this process and in every worker."""
    made = RowsWithFamilies(rows.spec, rows.table, rows.fold, rows.plan, rows.seed)
    made.__dict__["folder"] = str(folder)
    add_families(str(folder))
    return made


def add_families(folder: str) -> None:
    """Makes the modules in `folder` families of this process."""
    if folder not in families.__path__:
        families.__path__.append(folder)
    family_names.cache_clear()


def forget_families(folder: str) -> None:
    """Undoes `add_families`."""
    for name in [n for n in sys.modules if n.startswith("ml_assets.families.")]:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(folder):
            del sys.modules[name]
    families.__path__.remove(folder)
    family_names.cache_clear()


def _unpickle(folder: str, path: list[str], rows: TrainingRows) -> TrainingRows:
    sys.path.extend(p for p in path if p not in sys.path)
    add_families(folder)
    return rows


FAMILY = '''
import os
import time
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from ml_assets.families.base import Family


class Model(ClassifierMixin, BaseEstimator):
    def __init__(self, x=0.0):
        self.x = x

    def fit(self, X, y):
        self.classes_ = np.unique(np.asarray(y))
        {fit}
        return self

    def predict_proba(self, X):
        {predict}


class Made(Family):
    """Made for a test."""

    title = "Made"

    def defaults(self, shape):
        return {{"x": 0.0}}

    def suggest(self, trial, shape):
        return {{"x": trial.suggest_float("x", 0.0, 1.0)}}

    def estimator(self, params, shape, *, seed):
        return Model(**params)


FAMILY = Made()
'''

UNIFORM = "return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))"


def write_family(folder: Path, name: str, *, fit: str = "pass", predict: str = UNIFORM) -> None:
    """Writes a family of classifiers whose `fit` and `predict_proba` run these statements."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(FAMILY.format(fit=fit, predict=predict))
