import numpy as np
import pandas as pd
import pytest
from worlds import islands, plain, quotient

from ml_assets.datasets.cleaning import clean
from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.tables import load_raw_table
from ml_assets.features.discovery import FEWEST_ROWS, Discovered, discover
from ml_assets.features.feature_set import FeatureSet, find_steps
from ml_assets.features.neighbours import NeighbourStatistics
from ml_assets.learning.splitting import split
from ml_assets.validation.fitted_inside import check_fitted_inside

FOLDS = np.arange(1200) % 5


def kept(found: tuple[Discovered, ...]) -> list[str]:
    return [step.title for step in found if step.kept]


def test_a_plane_in_which_neighbours_tell_is_found_among_all_pairs() -> None:
    table, target = islands()
    found = discover(table, target, FOLDS)
    assert "neighbours in east and north" in kept(found) or "neighbours in north and east" in kept(found)
    near = next(step for step in found if step.title.startswith("neighbours"))
    assert near.gain > 0.1
    assert near.gain > 2 * near.error
    assert near.reason == "gains beyond noise on held-out rows"


def test_so_it_is_for_classes() -> None:
    table, target = islands()
    labels = np.where(target > np.median(target), "high", "low").astype(object)
    titles = kept(discover(table, labels, FOLDS, classes=("high", "low")))
    assert any(title.endswith("east and north") for title in titles)


def test_a_ratio_of_columns_of_one_unit_is_found_and_of_others_is_not_looked_at() -> None:
    table, target = quotient()
    units = {"part": "EUR", "whole": "EUR", "other": "m"}
    ratios = next(step for step in discover(table, target, FOLDS, units=units) if step.title == "ratios")
    assert ratios.kept
    assert set(ratios.transformer.pairs[0]) == {"part", "whole"}
    apart = {"part": "EUR", "whole": "m", "other": "kg"}
    assert "ratios" not in [step.title for step in discover(table, target, FOLDS, units=apart)]


@pytest.mark.parametrize("seed", range(5))
def test_where_nothing_is_to_be_found_nothing_is_kept(seed: int) -> None:
    table, target = plain(seed)
    assert kept(discover(table, target, FOLDS, seed=seed)) == []


def test_noise_as_a_target_keeps_nothing() -> None:
    table, _ = islands()
    rng = np.random.default_rng(1)
    assert sum(len(kept(discover(table, rng.permutation(len(table)) * 1.0, FOLDS, seed=s))) for s in range(5)) == 0


def test_the_same_rows_and_seed_find_the_same_whatever_the_threads() -> None:
    table, target = islands()
    one, two = discover(table, target, FOLDS, threads=1), discover(table, target, FOLDS, threads=2)
    assert [(s.title, s.gain, s.error, s.kept) for s in one] == [(s.title, s.gain, s.error, s.kept) for s in two]


def test_too_few_rows_too_many_columns_or_classes_or_no_time_find_nothing() -> None:
    table, target = islands()
    few = FEWEST_ROWS - 1
    assert discover(table[:few], target[:few], FOLDS[:few]) == ()
    assert discover(table, target, FOLDS, seconds=0.0) == ()
    wide = pd.concat([table] * 101, axis=1).set_axis([f"c{i}" for i in range(505)], axis=1)
    assert discover(wide, target, FOLDS) == ()
    labels = np.array([str(i % 40) for i in range(len(table))], dtype=object)
    assert discover(table, labels, FOLDS, classes=tuple(sorted(set(labels)))) == ()


def test_constant_and_empty_columns_do_no_harm() -> None:
    table, target = islands()
    found = discover(table.assign(one=1.0, none=np.nan), target, FOLDS)
    assert any(title.startswith("neighbours in") for title in kept(found))


@pytest.fixture(scope="module")
def california() -> tuple[object, pd.DataFrame, pd.DataFrame]:
    spec = load_contract("california_housing")
    raw = load_raw_table(spec, mode="embedded", cache=None)  # type: ignore[arg-type]
    table = clean(spec, raw).table.sample(6000, random_state=0)
    return spec, table, split(spec, table, seed=0)


@pytest.mark.slow
def test_geography_lights_up_by_itself_and_the_plan_stays_inside_its_folds(california: tuple) -> None:
    spec, table, splits = california
    found = find_steps(spec, table, splits, threads=2)
    near = [step.transformer for step in found if step.kept and isinstance(step.transformer, NeighbourStatistics)]
    assert [set(step.plane) for step in near] == [{"longitude", "latitude"}]
    made = FeatureSet.of(spec, table, splits, found=found)
    assert [step.kept for step in made.considered] == [step.kept for step in found]
    training = splits.index[splits["part"] == "train"]
    rows = table.loc[training]
    assert made.plan.width(rows, rows[spec.target].to_numpy()) == made.table.shape[1] == len(made.plan.lineage_)
    mean = next(name for name in made.plan.lineage_ if name.startswith("target, mean of 5"))
    assert set(made.plan.lineage_[mean]) == {"longitude", "latitude"}

    def features(some: pd.DataFrame, parts: pd.DataFrame) -> pd.DataFrame:
        return FeatureSet.of(spec, some, parts, found=found).table

    assert check_fitted_inside(spec, features, table, splits, seed=0).passed


def test_nothing_lights_up_on_wine() -> None:
    spec = load_contract("wine_quality")
    table = clean(spec, load_raw_table(spec, mode="embedded", cache=None)).table  # type: ignore[arg-type]
    assert kept(find_steps(spec, table, split(spec, table, seed=0), threads=2)) == []
