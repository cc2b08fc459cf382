import numpy as np
import pandas as pd
import pytest

from ml_assets.datasets.spec import DatasetSpec
from ml_assets.evaluation.slice_search import FEWEST_ROWS, find_slices

SPEC = DatasetSpec.model_validate(
    {
        "name": "homes",
        "title": "Homes",
        "task": "regression",
        "target": "price",
        "sources": [{"name": "homes.csv", "path": "homes.csv"}],
        "columns": {
            "area": {"dtype": "float", "missing_share": 0.5},
            "age": {"dtype": "float"},
            "kind": {"dtype": "category"},
            "region": {"dtype": "category", "sensitive": "where people live"},
            "price": {"dtype": "float"},
        },
    }
)


def homes(n: int, seed: int) -> tuple[pd.DataFrame, np.random.Generator]:
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame(
        {
            "area": rng.uniform(20, 200, n),
            "age": rng.uniform(0, 100, n),
            "kind": rng.choice(["flat", "house", "barn"], n),
            "region": rng.choice(["north", "south"], n),
            "price": 0.0,
        }
    )
    rows.loc[rng.random(n) < 0.1, "area"] = np.nan
    return rows, rng


def test_a_bad_slice_of_two_conditions_is_found_with_its_size_and_interval() -> None:
    rows, rng = homes(3000, 0)
    bad = ((rows["kind"] == "barn") & (rows["age"] > 75)).to_numpy()
    losses = rng.standard_t(5, 3000) ** 2 * np.where(bad, 6.0, 1.0)
    worst = find_slices(SPEC, rows, losses, seed=0)[0]
    assert worst.beyond_noise
    assert {words.partition(" ")[0] for words in worst.conditions} == {"age", "kind"}
    assert "kind is barn" in worst.conditions
    assert worst.rows == pytest.approx(bad.sum(), rel=0.15)
    assert worst.low < worst.score < worst.high
    assert worst.score > 1.8 * worst.others


def test_a_gap_is_a_condition_and_a_sensitive_column_is_looked_at_too() -> None:
    rows, rng = homes(2000, 1)
    losses = rng.normal(size=2000) ** 2 * np.where(rows["area"].isna(), 8.0, 1.0)
    assert find_slices(SPEC, rows, losses)[0].conditions == ("area is missing",)
    losses = rng.normal(size=2000) ** 2 * np.where(rows["region"] == "north", 3.0, 1.0)
    assert "region is north" in find_slices(SPEC, rows, losses)[0].conditions


def test_where_errors_are_the_same_everywhere_a_slice_is_called_bad_in_a_twentieth_of_draws_at_most() -> None:
    false = 0
    for seed in range(200):
        rows, rng = homes(600, seed)
        losses = rng.standard_t(4, 600) ** 2
        false += any(slice_.beyond_noise for slice_ in find_slices(SPEC, rows, losses, seed=seed))
    assert false / 200 <= 0.08  # 5 %, and two standard errors of 200 draws


def test_slices_with_too_few_rows_equal_losses_or_nan_are_passed_over() -> None:
    rows, rng = homes(2 * FEWEST_ROWS, 2)
    assert find_slices(SPEC, rows, rng.normal(size=len(rows)) ** 2) == ()
    rows, rng = homes(500, 3)
    assert find_slices(SPEC, rows, np.ones(500)) == ()
    rows.loc[:2, "kind"] = "castle"
    losses = np.where(rows["kind"] == "castle", 100.0, rng.normal(size=500) ** 2)
    losses[10:20] = np.nan
    assert not any("castle" in words for s in find_slices(SPEC, rows, losses) for words in s.conditions)


def test_a_cluster_is_never_in_both_halves() -> None:
    rows, rng = homes(1200, 4)
    clusters = np.repeat(np.arange(300), 4)
    shared = np.repeat(rng.normal(size=300), 4)
    found = find_slices(SPEC, rows, shared**2, clusters=clusters, seed=0)
    tested = {slice_.tested % 1 for slice_ in found}
    assert tested <= {0}
    from ml_assets.evaluation.slice_search import _half

    assert (_half(1200, clusters, 0).reshape(300, 4).std(axis=1) == 0).all()
