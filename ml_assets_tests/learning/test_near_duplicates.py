import numpy as np
import pandas as pd
import pytest
from search_worlds import clean_table

from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.identity import with_row_ids
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.errors import ContractViolation
from ml_assets.learning.near_duplicates import near_groups
from ml_assets.learning.splitting import split

RNG = np.random.default_rng(0)


def _boston(**changes: object) -> DatasetSpec:
    return DatasetSpec.model_validate({**load_contract("boston_housing").model_dump(), **changes})


def _with_shadows(spec: DatasetSpec, table: pd.DataFrame, share: float) -> pd.DataFrame:
    """The table, and each row again with every measured number moved by at most `share` of its spread."""
    shadows = table.copy()
    for name in spec.feature_columns:
        if spec.columns[name].dtype == "float":
            low, high = table[name].quantile([0.05, 0.95])
            shadows[name] += RNG.uniform(-1, 1, len(table)) * share * (high - low)
    both = pd.concat([table, shadows], ignore_index=True)
    return with_row_ids(both)


def test_rows_that_are_nearly_the_same_stay_on_one_side_and_in_one_fold() -> None:
    spec, table = _boston(near_duplicates=0.01), clean_table("boston_housing")
    doubled = _with_shadows(spec, table.reset_index(drop=True), 0.004)
    folds = split(spec, doubled, seed=0)["fold"].to_numpy().reshape(2, len(table))
    assert (folds[0] == folds[1]).all()
    loose = split(_boston(), doubled, seed=0)["fold"].to_numpy().reshape(2, len(table))
    assert (loose[0] != loose[1]).mean() > 0.5, "without the key they are rows like any others"


def test_groups_are_those_of_every_pair_compared_by_hand() -> None:
    spec = load_contract("boston_housing")
    table = clean_table("boston_housing").iloc[:150].reset_index(drop=True)
    doubled = _with_shadows(spec, table, 0.03).sample(frac=1, random_state=0).reset_index(drop=True)
    numbers = doubled[list(spec.feature_columns)].to_numpy(dtype=np.float64)
    spread = np.ptp(np.quantile(numbers, [0.05, 0.95], axis=0), axis=0)
    spread = np.where(spread > 0, spread, np.maximum(np.ptp(numbers, axis=0), 1e-300))
    near = np.abs((numbers[:, None] - numbers[None]) / spread).max(axis=2) <= 0.05
    group = np.arange(len(near))
    for _ in range(len(near)):
        lowest = np.where(near, group[None], len(near)).min(axis=1)
        if (lowest == group).all():
            break
        group = lowest
    found = pd.factorize(near_groups(spec, doubled, 0.05))[0]
    assert (found == pd.factorize(group)[0]).all()
    assert len(set(found)) < len(doubled)


def test_other_labels_or_gaps_are_never_near() -> None:
    columns = {
        "x": {"dtype": "float", "missing_share": 0.5},
        "kind": {"dtype": "category", "missing_share": 0.5},
        "y": {"dtype": "float"},
    }
    spec = _boston(columns=columns, target="y", corrections=(), quirks=())
    table = pd.DataFrame({"x": [0.0, 0.001, np.nan, np.nan, 0.0, 9.0], "kind": [*"aa", *"aa", "b", "a"], "y": 1.0})
    assert near_groups(spec, table, 0.01).tolist() == [0, 0, 1, 1, 2, 3]


def test_a_tolerance_that_ties_everything_together_is_refused_with_a_remedy() -> None:
    with pytest.raises(ContractViolation, match="nearly all rows hang together: make it smaller"):
        split(_boston(near_duplicates=1.0), clean_table("boston_housing"), seed=0)


@pytest.mark.parametrize("changes", [{"duplicates": "independent"}, {"group": "zn"}])
def test_near_duplicates_beside_another_rule_are_a_mistake(changes: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="`near_duplicates` has no say"):
        _boston(near_duplicates=0.01, **changes)
