import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_assets.features.dates import DateParts, dates_of

MOMENTS = st.one_of(st.none(), st.datetimes(min_value=dt.datetime(1, 1, 1), max_value=dt.datetime(9999, 12, 31)))


def _column(values: list[dt.datetime | None]) -> pd.Series:
    return pd.Series(np.array(values, dtype="datetime64[us]"))


@settings(deadline=None)
@given(values=st.lists(MOMENTS, min_size=1, max_size=20))
def test_every_part_says_where_in_time_a_date_is_and_gaps_stay_gaps(values: list[dt.datetime | None]) -> None:
    parts = DateParts().fit(_column(values))
    made = pd.DataFrame(parts.transform(_column(values)), columns=list(parts.names_))
    for value, (_, row) in zip(values, made.iterrows(), strict=True):
        if value is None:
            assert row.isna().all()
            continue
        days = (value - dt.datetime(1970, 1, 1)) / dt.timedelta(days=1)
        expected = {
            " (days)": days,
            " (year)": value.year,
            " (month)": value.month,
            " (day of month)": value.day,
            " (weekday)": value.weekday(),
            " (hour)": value.hour + value.minute / 60 + value.second / 3600,
        }
        for name in made.columns.intersection(list(expected)):
            assert row[name] == pytest.approx(expected[name])
        if {" (year sine)", " (year cosine)"} <= set(made.columns):
            assert np.hypot(row[" (year sine)"], row[" (year cosine)"]) == pytest.approx(1)


def test_days_alone_have_no_hour_and_one_year_has_no_year() -> None:
    days = _column([dt.datetime(1969, month, 3) for month in range(1, 13)])
    names = DateParts().fit(days).names_
    assert " (days)" in names
    assert " (month)" in names
    assert not {" (hour)", " (year)", " (day of month)"} & set(names)


@pytest.mark.parametrize("values", [[None, None], [dt.datetime(1900, 2, 28)] * 3])
def test_a_column_without_dates_or_with_one_date_keeps_its_days_alone(values: list[dt.datetime | None]) -> None:
    parts = DateParts().fit(_column(values))
    assert parts.names_ == (" (days)",)
    later = parts.transform(_column([dt.datetime(2024, 2, 29, 18, 30), None]))
    np.testing.assert_allclose(later[:, 0], [19782 + 18.5 / 24, np.nan])


def test_dates_of_any_precision_or_zone_are_the_same_moments() -> None:
    plain = _column([dt.datetime(2024, 1, 31, 11), None])
    for other in (
        plain.astype("datetime64[ns]"),
        plain.dt.tz_localize("UTC").dt.tz_convert("Europe/Zurich"),
        pd.Series([dt.datetime(2024, 1, 31, 11), None], dtype=object),
    ):
        np.testing.assert_array_equal(dates_of(other), plain.to_numpy())
