"""A profile's figures against numpy, pandas and scipy on the real tables; what changed since the last version."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ml_assets.artifacts import ArtifactStore
from ml_assets.datasets.profiles.document import DOCUMENT, QUANTILES, TableProfile
from ml_assets.datasets.profiles.histograms import MOST_BINS, histogram
from ml_assets.datasets.profiles.profiling import profile
from ml_assets.datasets.profiles.rank_correlation import CORRELATED_ROWS, MOST_CORRELATED
from ml_assets.datasets.raw import to_pandas
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.errors import IntegrityError
from ml_assets.validation.contract_checks import check_table
from ml_assets_tests.canonical import canonical

DATASETS = ("boston_housing", "california_housing", "iris", "wine_quality")


def spec_of(columns: dict[str, dict[str, object]], target: str = "y", **extra: object) -> DatasetSpec:
    return DatasetSpec.model_validate(
        {
            "name": "anything",
            "title": "Anything",
            "task": "regression",
            "target": target,
            "sources": [{"name": "a.csv", "path": "a.csv"}],
            "columns": columns,
            **extra,
        }
    )


def table(spec: DatasetSpec, **values: list[Any]) -> pl.DataFrame:
    frame = pl.DataFrame(values, strict=False).with_columns(batch=pl.lit("a.csv"))
    return frame.with_columns(pl.col(name).cast(pl.Datetime("us")) for name in spec.date_features)


@pytest.mark.parametrize("name", DATASETS)
def test_figures_of_numbers_are_those_of_numpy_and_pandas(name: str) -> None:
    spec, raw = canonical(name)
    found, frame = profile(spec, raw), to_pandas(spec, raw)
    assert found.rows == len(frame)
    assert found.duplicates == frame.drop(columns="batch").duplicated().sum()
    for column in found.columns:
        values = frame[column.name]
        assert column.missing == values.isna().sum()
        assert column.distinct == values.nunique()
        if not spec.columns[column.name].is_number:
            assert dict(column.labels) == values.value_counts().to_dict()
            continue
        assert (column.minimum, column.maximum) == (values.min(), values.max())
        assert column.mean == pytest.approx(values.mean(), rel=1e-12)
        assert column.std == pytest.approx(values.std(ddof=0), rel=1e-9)
        assert list(column.quantiles.values()) == pytest.approx([values.quantile(q) for q in QUANTILES])


def test_the_quirks_of_the_four_tables_are_counted() -> None:
    california = profile(*canonical("california_housing"))
    assert california.column("median_house_value").capped == 965
    assert california.column("median_house_value").capped_share == pytest.approx(0.04675, abs=5e-6)
    assert california.column("housing_median_age").capped == 1273
    assert california.column("median_income").capped == 49
    assert profile(*canonical("wine_quality")).duplicates == 1177
    assert profile(*canonical("iris")).duplicates == 3
    boston = profile(*canonical("boston_housing"))
    assert boston.column("medv").capped == 16
    assert {c.name: c.role for c in boston.columns if c.role != "feature"} == {"b": "sensitive", "medv": "target"}


@pytest.mark.parametrize("name", ["boston_housing", "wine_quality"])
def test_correlations_are_those_of_pandas_with_the_target_first(name: str) -> None:
    spec, raw = canonical(name)
    found = profile(spec, raw).correlations
    assert found.columns[0] == spec.target
    wanted = to_pandas(spec, raw)[list(found.columns)].corr(method="spearman")
    np.testing.assert_allclose(np.array(found.matrix, dtype=float), wanted.to_numpy(), atol=1e-12)


def test_correlations_with_gaps_are_over_the_rows_that_have_both() -> None:
    generator = np.random.default_rng(0)
    spec = spec_of({n: {"dtype": "float", "missing_share": 1} for n in ("a", "b", "constant", "y")})
    values = {n: generator.normal(size=300).round(1) for n in ("a", "b", "y")}
    values["constant"] = np.where(generator.random(300) < 0.5, 3.0, np.nan)
    for name in ("a", "b"):
        values[name][generator.random(300) < 0.3] = np.nan
    values["a"][5] = np.inf
    raw = table(spec, **{n: list(v) for n, v in values.items()})
    found = profile(spec, raw).correlations
    frame = to_pandas(spec, raw)[list(found.columns)].replace(np.inf, np.nan)
    wanted = frame.corr(method="spearman").to_numpy()
    np.testing.assert_allclose(np.array(found.matrix, dtype=float), wanted, atol=1e-12)


def test_correlations_are_bounded_in_rows_and_columns_and_follow_the_seed() -> None:
    spec, raw = canonical("california_housing")
    first, again, other = (profile(spec, raw, seed=seed).correlations for seed in (1, 1, 2))
    assert first.rows == CORRELATED_ROWS
    assert first == again
    assert first.matrix != other.matrix
    wanted = to_pandas(spec, raw)[list(first.columns)].corr(method="spearman").to_numpy()
    np.testing.assert_allclose(np.array(first.matrix, dtype=float), wanted, atol=0.01)
    wide = spec_of({**{f"c{i}": {"dtype": "float"} for i in range(40)}, "y": {"dtype": "float"}})
    many = profile(wide, table(wide, **{n: [1.0, 2.0, 4.0] for n in wide.columns})).correlations
    assert len(many.columns) == MOST_CORRELATED
    assert many.left_out == 41 - MOST_CORRELATED


@given(st.lists(st.floats(-1e6, 1e6) | st.integers(-30, 30).map(float), min_size=1, max_size=60))
def test_a_histogram_counts_every_row_once(values: list[float]) -> None:
    found = histogram(np.sort(np.array(values)))
    assert sum(found.counts) + found.below + found.above == len(values)
    assert len(found.edges) == len(found.counts) + 1
    assert len(found.counts) <= MOST_BINS
    assert list(found.edges) == sorted(found.edges)


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=60), st.integers(0, 3))
def test_bins_hold_equally_many_of_the_values_that_so_many_decimals_can_write(values: list[int], decimals: int) -> None:
    needed = min(d for d in range(4) if all(v * 10**d % 10**decimals == 0 for v in values))
    edges = np.array(histogram(np.sort(np.array(values) / 10**decimals)).edges) * 10**needed
    widths = np.diff(edges)
    assert widths == pytest.approx(np.full(len(widths), max(1, round(widths[0]))))
    assert edges - np.floor(edges) == pytest.approx(np.full(len(edges), 0.5))


def test_few_rows_have_few_bins() -> None:
    found = {n: profile(*canonical(n)).columns[0].histogram for n in ("iris", "california_housing")}
    assert found["iris"] is not None
    assert found["california_housing"] is not None
    assert len(found["iris"].counts) <= 11
    assert 30 < len(found["california_housing"].counts) <= MOST_BINS


def test_histogram_counts_are_those_of_numpy_and_both_versions_share_the_bins() -> None:
    spec, raw = canonical("california_housing")
    ages = profile(spec, raw, raw.head(5000)).column("housing_median_age").histogram
    assert ages is not None
    assert ages.counts == tuple(np.histogram(raw["housing_median_age"], ages.edges)[0])
    assert ages.earlier == tuple(np.histogram(raw["housing_median_age"][:5000], ages.edges)[0])


def test_a_long_tail_leaves_the_bins_to_the_central_values() -> None:
    spec, raw = canonical("california_housing")
    rooms = profile(spec, raw).column("total_rooms").histogram
    assert rooms is not None
    assert rooms.edges[-1] < 20_000
    assert 50 < rooms.above < 110


def test_columns_of_every_type_with_gaps_are_told() -> None:
    spec = spec_of(
        {
            "new": {"dtype": "boolean", "missing_share": 1},
            "kind": {"dtype": "category", "missing_share": 1},
            "day": {"dtype": "date", "missing_share": 1},
            "note": {"dtype": "text", "missing_share": 1},
            "empty": {"dtype": "float", "missing_share": 1, "ignored": "a test"},
            "y": {"dtype": "float"},
        }
    )
    day = dt.datetime(2026, 1, 1)
    raw = table(
        spec,
        new=[True, True, False, None],
        kind=["b", "a", "b", None],
        day=[day, day + dt.timedelta(days=2), None, day],
        note=["short", "a longer one", "short", None],
        empty=[None] * 4,
        y=[1.0, np.inf, 3.0, 4.0],
    ).with_columns(pl.col("empty").cast(pl.Float64))
    found = profile(spec, raw)
    assert [c.missing for c in found.columns] == [1, 1, 1, 1, 4, 0]
    assert found.column("new").labels == {"true": 2, "false": 1}
    assert found.column("new").mean == pytest.approx(2 / 3)
    assert list(found.column("kind").labels.items()) == [("b", 2), ("a", 1)]
    assert found.column("day").maximum == dt.datetime(2026, 1, 3, tzinfo=dt.UTC).timestamp()
    assert (found.column("note").minimum, found.column("note").maximum) == (5, 12)
    assert found.column("note").distinct == 2
    assert found.column("empty").role == "ignored"
    assert (found.column("empty").distinct, found.column("empty").mean) == (0, None)
    assert (found.column("y").infinite, found.column("y").maximum) == (1, 4.0)


def test_rare_labels_count_as_others_and_long_ones_are_cut() -> None:
    spec = spec_of({"kind": {"dtype": "category"}, "y": {"dtype": "float"}})
    kinds = ["x" * 200, "x" * 199 + "y"] + [f"k{i}" for i in range(60) for _ in range(i // 20 + 1)]
    found = profile(spec, table(spec, kind=kinds, y=[float(i) for i in range(len(kinds))])).column("kind")
    assert sum(found.labels.values()) + found.other == len(kinds)
    assert len(found.labels) == 20
    assert set(found.labels.values()) == {3}


def test_extreme_numbers_break_nothing() -> None:
    spec = spec_of({"a": {"dtype": "float"}, "y": {"dtype": "float"}})
    raw = table(spec, a=[1.7e308, -1.7e308, 1.7e308], y=[1.0, 1.0, 1.0])
    found = profile(spec, raw, raw.head(2))
    assert found.column("a").std is None
    assert found.column("a").maximum == 1.7e308
    assert found.column("y").histogram is not None


def test_an_empty_table_has_a_profile() -> None:
    spec, raw = canonical("iris")
    found = profile(spec, raw.clear(), raw)
    assert found.rows == 0
    assert found.drift == ()
    assert found.changes is not None
    assert found.changes.rows_removed == 150


def test_a_first_version_has_no_changes_and_the_same_version_none_either() -> None:
    spec, raw = canonical("wine_quality")
    assert profile(spec, raw).changes is None
    same = profile(spec, raw, raw)
    assert same.changes is not None
    assert same.changes.nothing
    assert all(d.psi == 0 and d.distance == 0 and not d.moved for d in same.drift)
    assert len(same.drift) == len(spec.columns)


def test_rows_come_and_gone_are_counted_by_content() -> None:
    spec, raw = canonical("wine_quality")
    now = raw[100:].with_columns(alcohol=pl.when(pl.int_range(pl.len()) < 40).then(15.5).otherwise("alcohol"))
    shuffled = now.sample(fraction=1.0, shuffle=True, seed=0).with_columns(batch=pl.lit("other.csv"))
    made = profile(spec, shuffled, raw).changes
    assert made is not None
    assert (made.rows_before, made.rows_added, made.rows_removed) == (6497, 40, 140)
    assert not made.nothing


def test_with_a_key_changed_rows_are_told_from_new_ones() -> None:
    spec = spec_of({"id": {"dtype": "integer"}, "y": {"dtype": "float"}}, key=["id"])
    before, now = table(spec, id=[1, 2, 3], y=[1.0, 2.0, 3.0]), table(spec, id=[2, 3, 4], y=[2.0, 9.0, 4.0])
    made = profile(spec, now, before).changes
    assert made is not None
    assert (made.rows_added, made.rows_removed, made.rows_changed) == (1, 1, 1)


def test_columns_come_gone_and_of_another_type_are_named_and_not_compared() -> None:
    spec, raw = canonical("wine_quality")
    previous = raw.drop("ph").with_columns(old=pl.lit(1.0), quality=pl.col("quality").cast(pl.String))
    found = profile(spec, raw, previous)
    made = found.changes
    assert made is not None
    assert (made.columns_added, made.columns_removed, made.columns_retyped) == (("ph",), ("old",), ("quality",))
    assert (made.rows_added, made.rows_removed) == (0, 0)
    assert {"ph", "old", "quality"}.isdisjoint(d.column for d in found.drift)


def test_drift_of_numbers_is_over_the_last_versions_tenths_and_its_distance_is_scipys() -> None:
    spec, raw = canonical("california_housing")
    before, now = raw[:9000], raw[9000:]
    drift = {d.column: d for d in profile(spec, now, before).drift}["median_income"]
    old, new = before["median_income"].to_numpy(), now["median_income"].to_numpy()
    edges = [-np.inf, *np.quantile(old, np.arange(1, 10) / 10, method="inverted_cdf"), np.inf]
    p, q = (np.array([((v > low) & (v <= high)).sum() for low, high in pairwise(edges)]) + 0.5 for v in (old, new))
    p, q = p / p.sum(), q / q.sum()
    assert drift.psi == pytest.approx(((q - p) * np.log(q / p)).sum())
    assert drift.measure == "KS distance"
    assert drift.distance == pytest.approx(stats.ks_2samp(old, new).statistic, abs=1e-4)
    assert (drift.mean_before, drift.mean_now) == pytest.approx((old.mean(), new.mean()))


def test_drift_of_many_rows_is_computed_from_a_seeded_sample() -> None:
    generator = np.random.default_rng(0)
    spec = spec_of({"a": {"dtype": "float"}, "y": {"dtype": "float"}})
    old, new = generator.normal(size=90_000), generator.normal(0.1, 1, size=70_000)
    versions = [table(spec, a=list(v), y=list(v)) for v in (new, old)]
    first, again, other = (profile(spec, *versions, seed=seed).drift for seed in (0, 0, 1))
    assert first == again != other
    assert first[0].distance == pytest.approx(stats.ks_2samp(old, new).statistic, abs=0.02)


def test_the_profile_says_of_drift_what_the_checks_say() -> None:
    spec, raw = canonical("california_housing")
    drift = profile(spec, raw, raw[:10_000]).drift
    checks = {outcome.name: outcome for outcome in check_table(spec, raw, previous=raw[:10_000])}
    assert not checks["feature_drift"].passed
    assert {d.column for d in drift if d.moved} == {"longitude", "latitude"}
    for name in ("feature_drift", "target_drift"):
        figures = checks[name].figures
        moved = {d.column for d in drift if d.moved} & set(spec.feature_columns if "feature" in name else [spec.target])
        assert figures["moved"] == len(moved)
        assert all(figures.get(f"psi of {d.column}", d.psi) == d.psi for d in drift)


def test_drift_of_labels_is_cramers_v_and_moves_beyond_the_contracts_tolerance() -> None:
    spec, raw = canonical("wine_quality")
    before = raw.filter(pl.col("colour") == "red")[:800]
    before = pl.concat([before, raw.filter(pl.col("colour") == "white")[:800]])
    drift = {d.column: d for d in profile(spec, raw, before).drift}["colour"]
    counts = np.array([[800, 800], [1599, 4898]])
    chi2 = stats.chi2_contingency(counts, correction=False).statistic
    assert drift.measure == "Cramér's V"
    assert drift.distance == pytest.approx(np.sqrt(chi2 / counts.sum()))
    assert drift.moved == (drift.psi >= spec.tolerances.drift)
    assert drift.moved
    strict = DatasetSpec.model_validate({**spec.model_dump(), "tolerances": {"drift": 5.0}})
    assert not any(d.moved for d in profile(strict, raw, before).drift)


def test_means_of_dates_are_seconds_like_their_other_figures() -> None:
    spec = spec_of({"day": {"dtype": "date"}, "y": {"dtype": "float"}})
    days = [dt.datetime(2026, 1, day) for day in (1, 2, 3)]
    raw = table(spec, day=days, y=[1.0, 2.0, 3.0])
    found = profile(spec, raw, raw)
    (drift,) = (d for d in found.drift if d.column == "day")
    assert drift.mean_now == found.column("day").mean == dt.datetime(2026, 1, 2, tzinfo=dt.UTC).timestamp()


def test_growing_gaps_show_in_the_drift() -> None:
    spec = spec_of({"a": {"dtype": "float", "missing_share": 1}, "y": {"dtype": "float"}})
    before = table(spec, a=[1.0, 2.0, 3.0, 4.0], y=[1.0, 2.0, 3.0, 4.0])
    now = before.with_columns(a=before["a"].clone().scatter([0], [None]))
    drift = {d.column: d for d in profile(spec, now, before).drift}["a"]
    assert (drift.missing_before, drift.missing_now) == (0.0, 0.25)


@pytest.mark.parametrize("name", DATASETS)
def test_a_profile_comes_back_as_it_was_stored(name: str, tmp_path: Path) -> None:
    spec, raw = canonical(name)
    made = profile(spec, raw, raw[10:])
    store = ArtifactStore(tmp_path)
    store.save(("reports", name, "data_profile"), made)
    assert store.load(("reports", name, "data_profile")) == made
    assert made.spec == spec


def test_a_file_that_is_no_profile_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / DOCUMENT).write_text('{"rows": 3}')
    with pytest.raises(IntegrityError, match="materialize data_profile again"):
        TableProfile.load(tmp_path)
