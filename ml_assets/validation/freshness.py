"""How old a table's newest row is. Other checks are next door."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from ml_assets.validation.outcomes import CheckOutcome
    from ml_assets.validation.subject import Subject

SLACK: Final = dt.timedelta(days=1)
"""How far ahead of the clock a date may be: a local time taken for one in UTC."""


def check_freshness(subject: Subject) -> CheckOutcome:
    """The newest row is as new as the contract asks for: by a date column, else by when rows last arrived.

    Dates ahead of the clock make no table fresh; they are counted.
    """
    wanted, now = subject.spec.freshness, subject.history.now
    if wanted is None:
        return subject.outcome("freshness", [], "the contract does not say how old the newest row may be", {})
    if now is None:
        return subject.outcome("freshness", [], "there is no clock to compare with", {})
    figures: dict[str, float | int | str] = {"largest_age_days": wanted.maximum_age_days}
    newest = subject.history.newest_arrival
    told = "rows last arrived"
    if wanted.column is not None:
        told = f"the newest '{wanted.column}' is of"
        newest, figures["rows_ahead_of_the_clock"] = _newest(subject, wanted.column, now)
    if newest is None:
        fault = (
            f"column '{wanted.column}' has no date before now, so nothing says how old the table is"
            if wanted.column
            else "no rows have arrived yet, so nothing says how old the table is: name a date column as "
            "`freshness.column` in the contract"
        )
        return subject.outcome("freshness", [fault], "", figures)
    age = (now - newest) / dt.timedelta(days=1)
    figures |= {"newest": newest.isoformat(sep=" "), "age_days": age}
    sentence = f"{told} {newest:%Y-%m-%d %H:%M}, {max(age, 0.0):.1f} days ago"
    if age <= wanted.maximum_age_days:
        return subject.outcome("freshness", [], sentence, figures)
    fault = f"{sentence}, and {wanted.maximum_age_days:g} may pass"
    return subject.outcome("freshness", [fault], "", figures)


def _newest(subject: Subject, column: str, now: dt.datetime) -> tuple[dt.datetime | None, int]:
    """The latest date that is not ahead of the clock, and how many are."""
    if column not in subject.sound:
        return None, 0
    ahead = pl.col(column) > now + SLACK
    found = subject.table.select(
        newest=pl.when(ahead.fill_null(False).not_()).then(pl.col(column)).max(), ahead=ahead.sum()
    )
    return found["newest"].item(), int(found["ahead"].item())
