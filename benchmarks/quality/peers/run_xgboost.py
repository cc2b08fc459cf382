"""XGBoost with its defaults, or tuned by Optuna's TPE: five folds, early stopping, until four fifths of the time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
import pandas as pd
import xgboost as xgb
from exchange import Job, numbered, texts
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import LabelEncoder

FOLDS = 5
MOST_TREES = 2000
SEARCH_SHARE = 0.8


class UntilDeadline(xgb.callback.TrainingCallback):  # type: ignore[misc]
    """Ends boosting when the time is over."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
        """Whether to stop."""
        return time.monotonic() > self.deadline


@dataclass(frozen=True)
class Rows:
    """Features and target as XGBoost takes them."""

    job: Job
    features: pd.DataFrame
    target: np.ndarray

    def model(self, params: dict[str, Any], deadline: float) -> Any:
        """An unfitted estimator that stops at the deadline."""
        kind = xgb.XGBClassifier if self.job.is_classification else xgb.XGBRegressor
        return kind(
            **params,
            random_state=self.job.seed,
            n_jobs=self.job.cores,
            enable_categorical=True,
            callbacks=[UntilDeadline(deadline)],
        )


def suggest(trial: optuna.Trial) -> dict[str, Any]:
    """The usual ranges."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.3, log=True),
        "max_depth": trial.suggest_int("max_depth", 2, 10),
        "min_child_weight": trial.suggest_float("min_child_weight", 0.1, 20, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.4, 1.0),
        "reg_lambda": trial.suggest_float("reg_lambda", 1e-3, 30, log=True),
        "reg_alpha": trial.suggest_float("reg_alpha", 1e-4, 10, log=True),
    }


def cross_validated(rows: Rows, params: dict[str, Any], deadline: float) -> tuple[float, int]:
    """Mean error over the folds, and the mean number of trees at which it was least."""
    kind = StratifiedKFold if rows.job.is_classification else KFold
    errors, trees = [], []
    for learned, held in kind(FOLDS, shuffle=True, random_state=rows.job.seed).split(rows.features, rows.target):
        if time.monotonic() > deadline:
            raise optuna.TrialPruned
        model = rows.model({**params, "n_estimators": MOST_TREES, "early_stopping_rounds": 50}, deadline)
        validation = [(rows.features.iloc[held], rows.target[held])]
        model.fit(rows.features.iloc[learned], rows.target[learned], eval_set=validation, verbose=False)
        if time.monotonic() > deadline:
            raise optuna.TrialPruned  # it was stopped before its best, perhaps before its first tree
        errors.append(_error(rows, model, held))
        trees.append(model.best_iteration + 1)
    return float(np.mean(errors)), round(float(np.mean(trees)))


def _error(rows: Rows, model: Any, held: np.ndarray) -> float:
    asked = rows.features.iloc[held]
    if rows.job.is_classification:
        return float(log_loss(rows.target[held], model.predict_proba(asked), labels=np.unique(rows.target)))
    return float(root_mean_squared_error(rows.target[held], model.predict(asked)))


def tuned(rows: Rows) -> Any:
    """The estimator of the best trial, fitted to all rows."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    left = rows.job.seconds_left()
    start = time.monotonic()
    end, search_end = start + left, start + SEARCH_SHARE * left

    def objective(trial: optuna.Trial) -> float:
        error, trees = cross_validated(rows, suggest(trial), search_end)
        trial.set_user_attr("trees", trees)
        return error

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=rows.job.seed))
    study.optimize(objective, timeout=SEARCH_SHARE * left)
    done = [trial for trial in study.trials if trial.state == optuna.trial.TrialState.COMPLETE]
    best = {**study.best_params, "n_estimators": study.best_trial.user_attrs["trees"]} if done else {}
    return rows.model(best, end).fit(rows.features, rows.target, verbose=False)


def main() -> None:
    """Fits and answers."""
    job = Job.given()
    features, asked = numbered(job.features), numbered(job.test)
    for name in texts(features):
        kind = pd.CategoricalDtype(sorted(features[name].dropna().astype(str).unique()))
        features[name], asked[name] = features[name].astype(kind), asked[name].astype(kind)
    encoder = LabelEncoder().fit(job.labels)
    rows = Rows(job, features, encoder.transform(job.labels) if job.is_classification else job.labels.to_numpy())
    model = tuned(rows) if job.word == "tuned" else rows.model({}, float("inf")).fit(features, rows.target)
    job.fitted()
    if job.is_classification:
        job.answer(model.predict_proba(asked), encoder.classes_)
    else:
        job.answer(model.predict(asked))


if __name__ == "__main__":
    main()
