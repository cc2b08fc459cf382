"""Nested cross-validation: features, search and choice made anew without each fold, and judged by it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ml_assets.errors import TrainingError
from ml_assets.evaluation.evaluate import predict, true_values
from ml_assets.evaluation.metrics import fold_scores
from ml_assets.evaluation.nested import NestedFold
from ml_assets.families import ENSEMBLE
from ml_assets.features.feature_set import BUDGET_SHARE, find_steps
from ml_assets.features.plan import plan_for
from ml_assets.learning.ensembling import ensemble_result
from ml_assets.learning.final_fit import fit_models
from ml_assets.learning.fitted_model import FittedModel
from ml_assets.learning.race import Budget
from ml_assets.learning.search import search
from ml_assets.learning.search_result import SearchResult
from ml_assets.learning.splitting import without_fold
from ml_assets.learning.worker import TrainingRows

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from ml_assets.datasets.spec import DatasetSpec


@dataclass(frozen=True)
class Procedure:
    """How a model is made of rows: what a run does, and what is to be judged.

    Attributes:
        families: that race; with more than one their ensemble may win too.
        seconds: of one search with its features; may be infinite where `trials` are given.
        trials: settings of each family.
        workers: processes at once.
        seed: of everything drawn.
    """

    families: Sequence[str]
    seconds: float
    trials: int | None
    workers: int
    seed: int = 0


def nested_folds(
    spec: DatasetSpec,
    table: pd.DataFrame,
    splits: pd.DataFrame,
    procedure: Procedure,
    *,
    folder: Path,
    known: Sequence[NestedFold] = (),
) -> Iterator[NestedFold]:
    """For each fold, how well the procedure does on it when it never saw it; test rows take no part.

    The rows outside a fold are shared out to folds of their own. On them the features are found, the families race and
    are weighed, and the best by its score on those inner folds is fitted; then the outer fold is scored, once (Stone
    1974, "Cross-validatory choice and assessment of statistical predictions"; Varma & Simon 2006, "Bias in error
    estimation when using cross-validation for model selection").

    Args:
        spec: the dataset's contract.
        table: the clean table, indexed by row_id.
        splits: columns `part` and `fold`, indexed by row_id.
        procedure: what is judged.
        folder: for the journals of the searches.
        known: folds that are done.

    Raises:
        TrainingError: a search found no model.
    """
    done = {one.fold: one for one in known}
    for fold in np.unique(splits.loc[splits["part"] == "train", "fold"]):
        yield done.get(int(fold)) or _judged(spec, table, splits, procedure, int(fold), folder / f"fold-{fold}")


def _judged(
    spec: DatasetSpec, table: pd.DataFrame, splits: pd.DataFrame, procedure: Procedure, fold: int, folder: Path
) -> NestedFold:
    started = time.monotonic()
    seed, inner = procedure.seed, without_fold(spec, table, splits, fold, seed=procedure.seed)
    table = table.loc[inner.index]
    seconds = BUDGET_SHARE * procedure.seconds
    found = find_steps(spec, table, inner, seconds=seconds, threads=procedure.workers, seed=seed)
    plan = plan_for(spec, seed=seed, steps=tuple(step.transformer for step in found if step.kept))
    rows = TrainingRows.of(spec, table, inner, plan, seed=seed)
    left = procedure.seconds - (time.monotonic() - started)
    budget = Budget(max(left, procedure.seconds / 2), procedure.trials)
    results = search(rows, procedure.families, budget=budget, workers=procedure.workers, folder=folder)
    results[ENSEMBLE] = ensemble_result(rows, results, seconds=time.monotonic() - started)
    models = {family: made for family, made in results.items() if isinstance(made, SearchResult)}
    winner = min(models, key=lambda family: (models[family].score, family))
    made = fit_models(rows, {winner: models[winner]}, data_hash="", splits_hash="", workers=procedure.workers)[winner]
    if not isinstance(made, FittedModel):
        raise TrainingError(f"{spec.name}: without fold {fold} the {winner} model could not be fitted: {made.reason}")
    held_out = table.loc[inner.index[inner["part"] == "test"]]
    said = predict(spec.task, made.pipeline, held_out[list(spec.feature_columns)])
    truth = true_values(spec, held_out)
    score = fold_scores(spec.task, truth, said, np.zeros(len(truth)), made.record.classes)[0]
    return NestedFold(fold, winner, models[winner].score, float(score), len(truth), time.monotonic() - started)
