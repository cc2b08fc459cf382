"""Hyperparameter search: the best setting of each family by cross-validation, and the ensemble of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ml_assets.errors import TrainingError
from ml_assets.learning.family_search import FamilySearch
from ml_assets.learning.fold_features import forget
from ml_assets.learning.journal import SearchJournal
from ml_assets.learning.left_out import LeftOut
from ml_assets.learning.pool import worker_pool
from ml_assets.learning.race import Budget, Progress, Race
from ml_assets.learning.search_result import SearchResult
from ml_assets.learning.worker import TrainingRows


def search(
    rows: TrainingRows,
    families: Sequence[str],
    *,
    budget: Budget,
    workers: int,
    folder: Path,
    report: Callable[[Progress], None] = lambda _: None,
) -> dict[str, SearchResult | LeftOut]:
    """Best setting of each family by cross-validation on `rows`, all families under one budget.

    The families race as `race` tells. A search that was killed goes on from its journal in `folder` with what is left
    of its budget; one that ended starts anew.

    Args:
        rows: training rows and their folds.
        families: names of families; at least one.
        budget: for all of them together.
        workers: processes of one thread each.
        folder: where the journal of exactly this search (data, folds, code, seed) is kept.
        report: called after each fold with how things stand.

    Returns:
        A result for each family, in the order given; for those without a model the reason.

    Raises:
        TrainingError: no family has a model.
        StorageError: the journal cannot be written.
    """
    started = time.monotonic()
    journal = SearchJournal.open(folder)
    searches = [FamilySearch(name, rows, journal) for name in families]
    before = max((trial.seconds for family in searches for trial in family.ended), default=0.0)
    race = Race(rows, searches, budget, workers, started=started - before)
    try:
        with worker_pool(rows, workers=workers, folder=folder) as pool:
            race.run(pool, report)
    finally:
        forget(folder)
    results = {family.family: race.result_of(family) for family in searches}
    if not any(isinstance(result, SearchResult) for result in results.values()):
        reasons = "; ".join(f"{name}: {found.reason}" for name, found in results.items() if isinstance(found, LeftOut))
        raise TrainingError(
            f"{rows.spec.name}: no family gave a model ({reasons}); give it more time with --budget, leave families "
            "out with --families, or mend them"
        )
    journal.finish()
    return results
