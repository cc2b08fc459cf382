"""Drift of booleans, dates, texts and columns of many labels."""

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ml_assets.datasets.spec import DatasetSpec
from ml_assets.monitoring.drift import DriftReport, FeatureDrift, drift
from ml_assets.monitoring.profile import Profile, as_days, build_profile
from ml_assets.monitoring.window import WindowBounds

CREATED = dt.datetime(2024, 6, 1, tzinfo=dt.UTC).timestamp()
TODAY = np.datetime64("2024-06-01", "us")
DAY = np.timedelta64(1, "D")

SPEC = DatasetSpec.model_validate(
    {
        "name": "toy",
        "title": "Toy",
        "task": "regression",
        "target": "y",
        "sources": [{"name": "toy.csv", "path": "toy.csv"}],
        "columns": {
            "sold": {"dtype": "boolean", "missing_share": 0.5},
            "born": {"dtype": "date", "missing_share": 0.5, "period": ("1900-01-01", "2020-01-01")},
            "asked": {"dtype": "date", "missing_share": 0.5},
            "note": {"dtype": "text", "missing_share": 0.5},
            "customer": {"dtype": "category"},
            "y": {"dtype": "float"},
        },
    }
)


def _table(rows: int, seed: int, *, asked_after: int = -365) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    born = np.datetime64("1960-01-01", "us") + rng.integers(0, 9000, rows) * DAY
    born[rng.random(rows) < 0.1] = np.datetime64("NaT")
    sold = (rng.random(rows) < 0.3).astype(np.float64)
    sold[rng.random(rows) < 0.1] = np.nan
    return pd.DataFrame(
        {
            "sold": sold,
            "born": born,
            "asked": TODAY + (asked_after + rng.integers(0, 365, rows)) * DAY,
            "note": np.array(["word " * n if n else None for n in rng.poisson(6, rows)], dtype=object),
            "customer": np.array([f"customer {i}" for i in rng.integers(0, 500, rows)], dtype=object),
        }
    )


def _profile(table: pd.DataFrame) -> Profile:
    return build_profile(SPEC, table, data_hash="d", created_at=CREATED, seed=0)


PROFILE = _profile(_table(1500, 0))


def _judge(window: pd.DataFrame) -> tuple[DriftReport, dict[str, FeatureDrift]]:
    report = drift(PROFILE, window, bounds=WindowBounds(0.0, 1.0))
    return report, {f.name: f for f in report.features}


def _later(rows: int = 400, seed: int = 1, **changes: Any) -> pd.DataFrame:
    return _table(rows, seed, asked_after=0).assign(**changes)


def test_fresh_rows_of_the_same_kind_are_no_drift_in_nearly_all_cases() -> None:
    verdicts = [_judge(_later(seed=seed))[0].state for seed in range(1, 41)]
    assert verdicts.count("no drift") >= 38


def test_each_column_says_what_it_was_measured_by() -> None:
    found = _judge(_later())[1]
    assert {name: (f.measure, f.test) for name, f in found.items()} == {
        "sold": ("value", "ks"),
        "born": ("days", "ks"),
        "asked": ("presence", "chi_square"),
        "note": ("characters", "ks"),
        "customer": ("value", "chi_square"),
    }


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("sold", lambda window: 1 - window["sold"]),
        ("sold", lambda window: np.nan),
        ("born", lambda window: window["born"] + 3000 * DAY),
        ("born", lambda window: np.datetime64("NaT", "us")),
        ("asked", lambda window: window["asked"].where(np.arange(len(window)) % 2 == 0)),
        ("note", lambda window: window["note"].str.repeat(3)),
        ("note", lambda window: None),
        ("customer", lambda window: "customer 7"),
    ],
)
def test_a_column_that_moved_is_found(name: str, change: Any) -> None:
    window = _later()
    assert {f.name for f in _judge(window.assign(**{name: change(window)}))[0].drifted} == {name}


def test_dates_that_go_along_with_the_calendar_are_no_drift_but_their_way_is_told() -> None:
    found = _judge(_later())[1]["asked"]
    assert not found.drifted
    assert found.mean_shift == pytest.approx(365 / 105, abs=0.3)


def test_a_date_outside_the_contracts_period_is_counted() -> None:
    window = _later()
    window.loc[:39, "born"] = np.datetime64("2021-05-05", "us")
    found = _judge(window)[1]["born"]
    assert found.outside_share == pytest.approx(40 / window["born"].notna().sum())


@pytest.mark.parametrize("labels", [300, 2000])
def test_many_labels_drawn_again_are_no_drift_and_other_shares_of_them_are(labels: int) -> None:
    rng = np.random.default_rng(0)
    shares = 1 / np.arange(1, labels + 1)
    names = np.array([f"customer {i}" for i in range(labels)], dtype=object)

    def drawn(rows: int, weights: np.ndarray) -> pd.DataFrame:
        return _later(rows).assign(customer=rng.choice(names, rows, p=weights / weights.sum()))

    profile = _profile(drawn(1500, shares))
    bounds = WindowBounds(0.0, 1.0)
    states = [drift(profile, drawn(400, shares), bounds=bounds).state for _ in range(20)]
    assert states.count("no drift") >= 19
    assert [f.name for f in drift(profile, drawn(400, shares[::-1]), bounds=bounds).drifted] == ["customer"]


def test_a_profile_of_every_dtype_comes_back_from_disk(tmp_path: Any) -> None:
    PROFILE.save(tmp_path)
    assert Profile.load(tmp_path) == PROFILE
    report = _judge(_later())[0]
    report.save(tmp_path)
    assert DriftReport.load(tmp_path) == report


def test_days_of_whatever_a_window_holds() -> None:
    aware = dt.datetime(2024, 1, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=12)))
    values = pd.Series([dt.datetime(1970, 1, 2, 12), None, "soon", 5, aware, dt.date(1969, 12, 31)], dtype=object)
    np.testing.assert_array_equal(as_days(values), [1.5, np.nan, np.nan, np.nan, 19723.0, -1.0])
    assert np.isnan(as_days(pd.Series([None, None], dtype=object))).all()
    assert np.isnan(as_days(pd.Series([np.nan, 3.0]))).all()
