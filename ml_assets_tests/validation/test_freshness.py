"""How old the newest row may be: by a date column, or by when rows last arrived."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from ml_assets.datasets.spec import Column, DatasetSpec, Freshness
from ml_assets.validation.contract_checks import check_table
from ml_assets.validation.outcomes import CheckOutcome
from ml_assets_tests.canonical import canonical

NOW = dt.datetime(2026, 3, 1, 12)


def fresh(newest: list[dt.datetime | None], freshness: Freshness | None, **given: object) -> CheckOutcome:
    spec, raw = canonical("iris")
    columns = {**spec.columns, "seen": Column(dtype="date", missing_share=1.0)}
    spec = DatasetSpec.model_validate({**spec.model_dump(), "columns": columns, "freshness": freshness})
    dates = [*newest, *[None] * (raw.height - len(newest))]
    raw = raw.with_columns(seen=pl.Series(dates, dtype=pl.Datetime("us")))
    return next(found for found in check_table(spec, raw, **given) if found.name == "freshness")


BY_COLUMN = Freshness(maximum_age_days=30, column="seen")
BY_ARRIVAL = Freshness(maximum_age_days=30)


def test_a_contract_that_asks_for_none_and_a_caller_without_a_clock_are_told_so() -> None:
    assert fresh([], None, now=NOW).summary == "the contract does not say how old the newest row may be"
    assert fresh([], BY_COLUMN).summary == "there is no clock to compare with"


@pytest.mark.parametrize(("days", "passed"), [(29.9, True), (30.0, True), (30.1, False)])
def test_the_newest_date_tells_how_old_a_table_is(days: float, passed: bool) -> None:
    newest = NOW - dt.timedelta(days=days)
    found = fresh([newest - dt.timedelta(days=300), newest], BY_COLUMN, now=NOW, newest_arrival=NOW)
    assert found.passed is passed
    assert not found.blocking
    assert found.figures["age_days"] == pytest.approx(days)
    assert f"the newest 'seen' is of {newest:%Y-%m-%d %H:%M}, {days:.1f} days ago" in found.summary


@pytest.mark.parametrize(("days", "passed"), [(29, True), (31, False)])
def test_without_a_column_it_is_when_rows_last_arrived(days: int, passed: bool) -> None:
    found = fresh([], BY_ARRIVAL, now=NOW, newest_arrival=NOW - dt.timedelta(days=days))
    assert found.passed is passed
    assert found.summary.startswith("rows last arrived 2026-01-")


def test_dates_ahead_of_the_clock_make_no_table_fresh() -> None:
    found = fresh([dt.datetime(2099, 1, 1), NOW - dt.timedelta(days=90)], BY_COLUMN, now=NOW)
    assert not found.passed
    assert found.figures["rows_ahead_of_the_clock"] == 1
    assert fresh([NOW + dt.timedelta(hours=5)], BY_COLUMN, now=NOW).passed


def test_where_nothing_tells_how_old_a_table_is_it_is_not_fresh() -> None:
    assert "column 'seen' has no date before now" in fresh([], BY_COLUMN, now=NOW).summary
    found = fresh([], BY_ARRIVAL, now=NOW)
    assert not found.passed
    assert "name a date column as `freshness.column`" in found.summary


def test_a_clock_with_a_zone_is_understood() -> None:
    zone = dt.timezone(dt.timedelta(hours=-8))
    found = fresh([NOW], BY_COLUMN, now=dt.datetime(2026, 3, 31, 3, 59, tzinfo=zone))
    assert found.figures["age_days"] == pytest.approx(30, abs=0.01)
    assert found.passed
