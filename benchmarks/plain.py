"""The same fits with no graph around them: load, split, search, fit, for each dataset, with the same process pool."""

from __future__ import annotations

import sys
from pathlib import Path

from ml_assets.datasets.cleaning import clean
from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.tables import load_raw_table, table_hash
from ml_assets.families import ENSEMBLE, family_names
from ml_assets.features.feature_set import BUDGET_SHARE, FeatureSet, find_steps
from ml_assets.learning.ensembling import ensemble_result
from ml_assets.learning.final_fit import fit_models
from ml_assets.learning.race import Budget
from ml_assets.learning.search import search
from ml_assets.learning.splitting import split
from ml_assets.learning.worker import TrainingRows
from ml_assets.processes import cores


def main(budget: float, folder: Path, names: list[str]) -> None:
    """Fits every family to every dataset."""
    for name in names:
        spec = load_contract(name)
        raw = load_raw_table(spec, mode="embedded", cache=folder)
        table = clean(spec, raw).table
        splits = split(spec, table, seed=0)
        steps = find_steps(spec, table, splits, seconds=BUDGET_SHARE * budget, threads=cores())
        plan = FeatureSet.of(spec, table, splits, found=steps).plan
        rows = TrainingRows.of(spec, table, splits, plan, seed=0)
        found = search(rows, family_names(), budget=Budget(budget), workers=cores(), folder=folder / name / "search")
        found[ENSEMBLE] = ensemble_result(rows, found, seconds=0.0)
        models = fit_models(
            rows, found, data_hash=table_hash(table), splits_hash=table_hash(splits), workers=min(cores(), len(found))
        )
        for family, model in models.items():
            place = folder / name / family
            place.mkdir(parents=True)
            model.save(place)


if __name__ == "__main__":
    main(float(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
