"""`python -m benchmarks.coverage`: how often 90 % intervals and sets hold the truth, over many splits of each table.

Each split draws its own test rows and folds by another seed, fits one fast model (histogram gradient boosting, 100
rounds), and makes intervals and sets as a run makes them: from out-of-fold errors, adaptive where that pays, with those
of one width beside them. Large tables are thinned to `--rows` at random for every split. Prints one Markdown table.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from ml_assets.datasets.cleaning import clean
from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.datasets.tables import load_raw_table
from ml_assets.evaluation.metrics import class_positions
from ml_assets.features.plan import plan_for
from ml_assets.learning.conformal import Intervals
from ml_assets.learning.intervals import Errors, difficulty_of, fit_intervals
from ml_assets.learning.search_result import SearchResult
from ml_assets.learning.splitting import split
from ml_assets.learning.worker import TrainingRows

TABLES = ("california_housing", "wine_quality", "boston_housing", "iris")


@dataclass(frozen=True)
class Measured:
    """One split: share of test rows whose interval or set holds the truth, its mean size, and those of one width."""

    coverage: float
    size: float
    plain_coverage: float
    plain_size: float
    adaptive: bool


def measure(spec: DatasetSpec, table: pd.DataFrame, *, coverage: float, seed: int) -> Measured:
    """Coverage on the test rows of one split."""
    splits = split(spec, table, seed=seed)
    is_train = (splits["part"] == "train").to_numpy()
    train, test = table[is_train], table[(splits["part"] == "test").to_numpy()]
    fold = splits["fold"].to_numpy()[is_train]
    features = list(spec.numeric_features)
    X, y = train[features].to_numpy(dtype=np.float64), train[spec.target].to_numpy()
    new = test[features].to_numpy(dtype=np.float64)
    if spec.task is Task.CLASSIFICATION:
        return _sets(spec, train, test, X, y, new, fold, coverage)
    oof = np.empty(len(y))
    for k in np.unique(fold):
        oof[fold == k] = _regressor().fit(X[fold != k], y[fold != k]).predict(X[fold == k])
    prediction, truth = _regressor().fit(X, y).predict(new), test[spec.target].to_numpy(dtype=np.float64)
    rows = TrainingRows(spec, train, fold, plan_for(spec), seed)
    found = SearchResult("one", {}, (1.0,), (), 0.0, (), tuple(train.index), oof)
    difficulty = difficulty_of(rows, {"one": found})
    known = Errors(train, oof, difficulty[1] if difficulty else None)
    made = fit_intervals(spec, known, difficulty=difficulty[0] if difficulty else None)
    if not isinstance(made, Intervals):
        raise TypeError(f"{spec.name}: {len(train)} rows gave no intervals")
    plain = Intervals(made.errors, limits=made.limits)
    (low, high), (one, other) = (i.around(prediction, test, coverage).T for i in (made, plain))
    return Measured(
        coverage=float(np.mean((low <= truth) & (truth <= high))),
        size=float(np.mean(high - low)),
        plain_coverage=float(np.mean((one <= truth) & (truth <= other))),
        plain_size=float(np.mean(other - one)),
        adaptive=made.is_adaptive,
    )


def _sets(
    spec: DatasetSpec, train: pd.DataFrame, test: pd.DataFrame, X: Any, y: Any, new: Any, fold: Any, coverage: float
) -> Measured:
    classes = tuple(sorted(set(y)))
    oof = np.zeros((len(y), len(classes)))
    for k in np.unique(fold):
        model = _classifier().fit(X[fold != k], y[fold != k].astype(str))
        oof[np.ix_(fold == k, [classes.index(c) for c in model.classes_])] = model.predict_proba(X[fold == k])
    shares = _classifier().fit(X, y.astype(str)).predict_proba(new)
    made = fit_intervals(spec, Errors(train, oof), classes=classes)
    if made is None or isinstance(made, Intervals):
        raise TypeError(f"{spec.name}: {len(train)} rows gave no sets")
    inside = made.around(shares, test, coverage)
    positions = class_positions(test[spec.target].to_numpy(dtype=object), classes)
    held, single = inside[np.arange(len(test)), positions].mean(), (shares.argmax(axis=1) == positions).mean()
    return Measured(float(held), float(inside.sum(axis=1).mean()), float(single), 1.0, True)


def _regressor() -> HistGradientBoostingRegressor:
    return HistGradientBoostingRegressor(max_iter=100, random_state=0)


def _classifier() -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(max_iter=50, min_samples_leaf=5, random_state=0)


def measured(name: str, *, splits: int, rows: int, coverage: float) -> list[Measured]:
    """Every split of one embedded table."""
    spec = load_contract(name)
    whole = clean(spec, load_raw_table(spec, mode="embedded", cache=Path("none"))).table
    with threadpool_limits(1, "openmp"):
        drawn = (whole.sample(rows, random_state=seed) if len(whole) > rows else whole for seed in range(splits))
        return [measure(spec, table, coverage=coverage, seed=seed) for seed, table in enumerate(drawn)]


def line(name: str, found: list[Measured]) -> str:
    """One table's line."""
    held = np.array([one.coverage for one in found])
    error = held.std(ddof=1) / np.sqrt(len(held)) if len(held) > 1 else float("nan")
    sizes = np.mean([one.size for one in found]) / np.mean([one.plain_size for one in found])
    plain, adaptive = np.mean([one.plain_coverage for one in found]), np.mean([one.adaptive for one in found])
    return f"| {name} | {len(found)} | {held.mean():.2%} ± {error:.2%} | {plain:.2%} | {sizes:.3f} | {adaptive:.0%} |"


def main() -> None:
    """Measures what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--coverage", type=float, default=0.9)
    parser.add_argument("--tables", default=",".join(TABLES))
    asked = parser.parse_args()
    print("| table | splits | coverage | of one width, or the likeliest class alone | size over plain | adaptive |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in asked.tables.split(","):
        print(line(name, measured(name, splits=asked.splits, rows=asked.rows, coverage=asked.coverage)), flush=True)


if __name__ == "__main__":
    main()
