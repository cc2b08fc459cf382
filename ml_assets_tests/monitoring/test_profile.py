import numpy as np
import pandas as pd
import pytest
from toy_drift import SPEC, reference_table

from ml_assets.errors import ContractViolation, IntegrityError
from ml_assets.monitoring.profile import (
    LARGEST_SAMPLE,
    Profile,
    as_numbers,
    build_profile,
    profile_labels,
    profile_numbers,
)


def built(table, predictions=None, seed=0):
    return build_profile(SPEC, table, predictions, data_hash="d", created_at=5.0, seed=seed)


def test_a_profile_comes_back_from_disk_as_it_was(tmp_path):
    table = reference_table(300)
    table.loc[table.index[:5], "age"] = np.nan
    table["gone"] = np.nan
    profile = built(table, [1.5, 2.5])
    profile.save(tmp_path)
    assert Profile.load(tmp_path) == profile
    assert built(table).prediction is None


def test_a_damaged_profile_is_named(tmp_path):
    (tmp_path / "profile.json").write_text("{")
    with pytest.raises(IntegrityError, match=r"profile\.json"):
        Profile.load(tmp_path)


def test_bins_are_tenths_with_one_below_and_one_above_all_that_was_seen():
    found = profile_numbers(np.arange(1000.0), np.random.default_rng(0))
    assert found.counts == (0, *[100] * 10, 0)
    assert found.edges[1:-1] == tuple(float(x) for x in range(99, 999, 100))
    assert found.edges[0] < 0
    assert found.edges[-1] == 999


def test_the_sample_is_bounded_sorted_and_the_same_for_the_same_seed():
    table = reference_table(5000)
    first, second, other = (built(table, seed=s).features["area"] for s in (1, 1, 2))
    assert len(first.sample) == LARGEST_SAMPLE
    assert list(first.sample) == sorted(first.sample)
    assert first == second
    assert first.sample != other.sample
    assert first.counts == other.counts


@pytest.mark.parametrize("value", [0.0, -3.5, np.finfo(np.float64).max, -np.finfo(np.float64).max])
def test_a_constant_feature_has_one_bin_of_its_own(value):
    found = profile_numbers(np.full(7, value), np.random.default_rng(0))
    assert sum(found.counts) == 7
    assert max(found.counts) == 7
    assert np.isfinite(found.edges).all()


def test_missing_infinite_and_foreign_values_count_as_missing():
    values = as_numbers(pd.Series([1.0, None, np.inf, "x", 2], dtype=object))
    found = profile_numbers(values, np.random.default_rng(0))
    assert (found.sample, found.missing, found.mean) == ((1.0, 2.0), 3, 1.5)


def test_many_labels_are_counted_in_buckets():
    labels = [f"label {i}" for i in range(1000)] + ["often"] * 5 + [None]
    found = profile_labels(labels)
    assert found.in_buckets
    assert (len(found.counts), sum(found.counts.values()), found.missing) == (20, 1005, 1)
    assert not profile_labels(labels[:200]).in_buckets


def test_a_reference_without_a_feature_or_rows_is_refused():
    with pytest.raises(ContractViolation, match="lacks columns area"):
        built(reference_table(10).drop(columns="area"))
    with pytest.raises(ContractViolation, match="no rows"):
        built(reference_table(0))
