"""Two real tables with quickly fitted models, for the tests of this folder; fixtures belong in `conftest`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ml_assets.datasets.cleaning import clean
from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.evaluation.baseline import Baseline, baseline
from ml_assets.evaluation.comparison import Leaderboard, compare
from ml_assets.evaluation.evaluate import evaluate, true_values
from ml_assets.home import embedded_folder
from ml_assets_tests.canonical import canonical

if TYPE_CHECKING:
    from ml_assets.evaluation.record import Evaluation

IRIS_COLUMNS = ("sepal_length", "sepal_width", "petal_length", "petal_width")
CALIFORNIA_COLUMNS = (
    "longitude",
    "latitude",
    "housing_median_age",
    "total_rooms",
    "total_bedrooms",
    "population",
    "households",
    "median_income",
    "median_house_value",
)


@dataclass(frozen=True, eq=False)
class World:
    """A dataset with everything that the evaluation room makes of it."""

    spec: DatasetSpec
    table: pd.DataFrame
    splits: pd.DataFrame
    evaluations: dict[str, Evaluation]
    board: Leaderboard
    baseline: Baseline
    trials: pd.DataFrame
    pipelines: dict[str, object]


def spec_of(name: str, target: str, columns: dict[str, dict[str, object]], **extra: object) -> DatasetSpec:
    return DatasetSpec.model_validate(
        {
            "name": name,
            "target": target,
            "columns": columns,
            "sources": [{"name": "x.csv", "embedded": "x.csv.gz", "sha256": "0" * 64}],
            **extra,
        }
    )


def split(table: pd.DataFrame, spec: DatasetSpec, folds: int, seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    is_test = generator.permutation(len(table)) < len(table) // 5
    fold = np.full(len(table), -1)
    splitter = (KFold if spec.task is Task.REGRESSION else StratifiedKFold)(folds, shuffle=True, random_state=seed)
    train = np.flatnonzero(~is_test)
    for k, (_, held_out) in enumerate(splitter.split(train, table[spec.target].iloc[train])):
        fold[train[held_out]] = k
    return pd.DataFrame({"part": np.where(is_test, "test", "train"), "fold": fold}, index=table.index)


def fit_and_evaluate(
    spec: DatasetSpec,
    table: pd.DataFrame,
    splits: pd.DataFrame,
    family: str,
    pipeline: object,
    **changes: object,
) -> Evaluation:
    train = splits[splits["part"] == "train"]
    X = table.loc[train.index, list(spec.feature_columns)]
    y = true_values(spec, table.loc[train.index])
    folds = [(np.flatnonzero(train["fold"] != k), np.flatnonzero(train["fold"] == k)) for k in range(5)]
    method = "predict" if spec.task is Task.REGRESSION else "predict_proba"
    oof = cross_val_predict(pipeline, X, y, cv=folds, method=method)
    arguments = {
        "family": family,
        "params": {"depth": 3, "rate": 0.1},
        "pipeline": pipeline.fit(X, y),
        "oof_prediction": oof,
        "fit_seconds": 0.25,
        "search_seconds": 5.0,
        "trials": 12,
        "model_bytes": 123_456,
        "model_sha256": "a" * 64,
        "data_hash": "d" * 64,
        "splits_hash": "5" * 64,
    }
    return evaluate(spec, table=table, splits=splits, **{**arguments, **changes})


def fake_trials(evaluations: dict[str, Evaluation], seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    states = ["COMPLETE", "COMPLETE", "PRUNED", "COMPLETE", "FAIL"]
    rows = [
        {
            "number": number,
            "family": family,
            "score": None if number % 5 == 4 else e.cv_score * (1 + generator.gamma(1.0, 0.2)),
            "seconds": 1.0 + number * 1.2 + generator.random(),
            "state": states[number % 5],
            "params": {"depth": number},
        }
        for family, e in evaluations.items()
        for number in range(20)
    ]
    return pd.DataFrame(rows)


def _world(spec: DatasetSpec, table: pd.DataFrame, families: dict[str, object]) -> World:
    splits = split(table, spec, folds=5)
    evaluations = {f: fit_and_evaluate(spec, table, splits, f, p) for f, p in families.items()}
    return World(
        spec=spec,
        table=table,
        splits=splits,
        evaluations=evaluations,
        board=compare(evaluations),
        baseline=baseline(spec, table, splits),
        trials=fake_trials(evaluations),
        pipelines=families,
    )


def canonical_world(name: str, families: dict[str, object]) -> World:
    """A built-in dataset as its own contract has it, cleaned."""
    spec, raw = canonical(name)
    return _world(spec, clean(spec, raw).table, families)


def boston_world() -> World:
    return canonical_world("boston_housing", {"linear": make_pipeline(StandardScaler(), LinearRegression())})


def iris_world() -> World:
    table = pd.read_csv(embedded_folder() / "iris.data.gz", names=[*IRIS_COLUMNS, "species"])
    table["species"] = table["species"].str.removeprefix("Iris-")
    table.index = pd.Index([f"{i:016x}" for i in range(len(table))], name="row_id")
    columns: dict[str, dict[str, object]] = {
        c: {"dtype": "float", "unit": "cm", "description": c.replace("_", " ")} for c in IRIS_COLUMNS
    }
    columns["species"] = {
        "dtype": "category",
        "description": "species of iris",
        "allowed": ["setosa", "versicolor", "virginica"],
    }
    spec = spec_of(
        "iris",
        "species",
        columns,
        title="Iris flowers",
        description="Measurements of 150 iris flowers of three species.",
        task="classification",
        licence="CC BY 4.0",
        citation="Fisher, R. A. (1936). The use of multiple measurements in taxonomic problems.",
        quirks=["Rows 35 and 38 differ from Fisher's paper."],
    )
    families = {
        "linear": make_pipeline(StandardScaler(), LogisticRegression(C=3.0)),
        "random_forest": RandomForestClassifier(20, min_samples_leaf=3, random_state=0),
        "constant": DummyClassifier(strategy="prior"),
    }
    return _world(spec, table, families)


def california_world() -> World:
    path = embedded_folder() / "cal_housing.data.gz"
    table = pd.read_csv(path, names=list(CALIFORNIA_COLUMNS)).sample(2000, random_state=0)
    table["coast"] = np.where(table["longitude"] < -121, "north & bay", "south")
    table = table[[*CALIFORNIA_COLUMNS[:-1], "coast", CALIFORNIA_COLUMNS[-1]]]
    table.index = pd.Index([f"{i:016x}" for i in range(len(table))], name="row_id")
    columns: dict[str, dict[str, object]] = {c: {"dtype": "float"} for c in CALIFORNIA_COLUMNS}
    columns["median_income"]["unit"] = "10 000 USD"
    columns["coast"] = {"dtype": "category", "sensitive": "stands for where people live"}
    columns["median_house_value"] |= {"unit": "USD", "description": "median value of the homes of a district"}
    spec = spec_of(
        "california_housing",
        "median_house_value",
        columns,
        title="California housing",
        description="Districts of the 1990 census in California.",
        task="regression",
        licence="public domain",
        quirks=["Values are capped at 500 001 USD."],
    )
    families = {
        "linear": make_pipeline(StandardScaler(), LinearRegression()),
        "hist_gradient_boosting": HistGradientBoostingRegressor(max_iter=60, random_state=0),
    }
    return _world(spec, table, families)
