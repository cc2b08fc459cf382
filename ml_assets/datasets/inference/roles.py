"""What columns are beside being features: names of rows, groups, constants, times, and doubles of the target.

What one column holds belongs in `inference_columns`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from ml_assets.datasets.inference.columns import ColumnGuess
from ml_assets.datasets.inference.labels import counted
from ml_assets.datasets.inference.names import words_of
from ml_assets.errors import ContractViolation

FEWEST_NUMBERED: Final = 10
FEWEST_NAMED: Final = 20
FEWEST_GROUPS: Final = 20
SAMPLE: Final = 5000
DOUBLE: Final = 0.999
LABELS_A_CLASS: Final = 3

NAME_WORDS: Final = frozenset({"guid", "id", "identifier", "idx", "index", "key", "pk", "rowid", "uid", "uuid"})
"""Last words of the names of columns that name something."""
LOOSE_NAME_WORDS: Final = frozenset({"code", "hash", "no", "nr", "number", "num", "ref", "reference"})
"""Last words that do so where no two rows have the same."""
SUBJECTS: Final = frozenset(
    {"account", "animal", "client", "customer", "device", "driver", "employee", "family", "household", "machine"}
    | {"member", "participant", "passenger", "patient", "person", "player", "respondent", "session", "student"}
    | {"subject", "user", "vehicle", "visitor"}
)
"""Whom several rows may be of, so that a model knows them again."""
PROTECTED: Final = frozenset(
    {"caste", "disability", "ethnic", "ethnicity", "gender", "nationality", "race", "religion", "sex"}
)


@dataclass(frozen=True)
class Wanted:
    """Columns that a person names a role for, by their names in the contract."""

    target: str
    key: tuple[str, ...] = ()
    group: str | None = None
    time: str | None = None


@dataclass(frozen=True)
class Roles:
    """What columns are used for.

    Attributes:
        guesses: all columns, those that are no features with the reason.
        key: columns that name a row, if it is clear.
        comments: sentences for keys of the contract.
        notes: column, and what a person should look at.
    """

    guesses: Mapping[str, ColumnGuess]
    key: tuple[str, ...]
    comments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[tuple[str, str], ...] = ()


def guess_roles(guesses: Mapping[str, ColumnGuess], wanted: Wanted) -> Roles:
    """Which columns are no features, which name rows, and what to look at; the target is left as it is.

    Raises:
        ContractViolation: a column cannot have the role that it is wanted for.
    """
    _refuse_misfits(guesses, wanted)
    found: dict[str, ColumnGuess] = {}
    seen: list[tuple[str, str]] = []
    for name, guess in guesses.items():
        others = name != wanted.target and guess.column.ignored is None
        found[name], note = _use(name, guess, wanted) if others else (guess, "")
        seen += [(name, note)] if note else []
    key, comment = _key(found, wanted)
    comments = {"key": comment, "group": _group_comment(found, wanted), "time": _time_comment(found, wanted)}
    features = [n for n, g in found.items() if n != wanted.target and g.column.ignored is None]
    notes = [*_doubles(found, features, wanted.target), *seen, *_protected(features)]
    if wanted.time is None and (dates := [n for n in features if found[n].column.dtype == "date"]):
        notes.append((dates[0], f"is a date: if later rows are to be predicted from earlier ones, --time '{dates[0]}'"))
    return Roles(found, key, {k: (c,) for k, c in comments.items() if c}, tuple(notes))


def _refuse_misfits(guesses: Mapping[str, ColumnGuess], wanted: Wanted) -> None:
    if wanted.time is not None and (dtype := guesses[wanted.time].column.dtype) != "date":
        raise ContractViolation(
            f"--time needs a column of dates, and '{wanted.time}' holds {dtype} values: name another, or write its "
            "dates as 2024-01-31"
        )
    if wanted.target in (wanted.group, wanted.time, *wanted.key):
        raise ContractViolation(f"'{wanted.target}' is the target and cannot be key, group or time too: name another")
    for name in wanted.key:
        missing = guesses[name].values.is_null()
        if missing.any():
            raise ContractViolation(
                f"--key needs a value in every row, and '{name}' has none in {counted(int(missing.sum()), 'row')} (the "
                f"first: {int(missing.arg_true()[0]) + 1}): fill them in, or name other columns"
            )


def _use(name: str, guess: ColumnGuess, wanted: Wanted) -> tuple[ColumnGuess, str]:
    """The column, no feature where something speaks against it, and what a person should look at."""
    if name == wanted.time and name != wanted.group:
        return guess, ""
    reason, note = _why_no_feature(name, guess, wanted)
    undo = "To make it a feature all the same, take `ignored` out."
    return (guess.ignoring(reason, undo) if reason else guess), note


def _why_no_feature(name: str, guess: ColumnGuess, wanted: Wanted) -> tuple[str, str]:
    """Why a column is no feature, empty if it is one; and what a person should look at."""
    rows, distinct, dtype = len(guess.values), guess.distinct, guess.column.dtype
    if name == wanted.group:
        return "names the group that a row belongs to, and new rows are of new groups", ""
    if wanted.key == (name,):
        return "identifier: the key", ""
    if distinct == 1 and (not guess.values.null_count() or dtype in ("float", "integer", "date")):
        return "the same value in every row" + (" that has one" if guess.values.null_count() else ""), ""
    if distinct == rows:
        return _names_rows(name, guess), ""
    if distinct > FEWEST_GROUPS and dtype in ("integer", "category") and _is_subject(name):
        told = f"{counted(distinct, 'value')} over {rows} rows"
        note = f"names whom a row is of ({told}): --group '{name}' keeps rows of one on one side of every split"
        return f"identifier: {told}, and new rows are of others", note
    return "", ""


def _names_rows(name: str, guess: ColumnGuess) -> str:
    """Why a column with another value in each row names the rows; empty if it does not."""
    rows, dtype = len(guess.values), guess.column.dtype
    if rows < FEWEST_NUMBERED or dtype not in ("integer", "category"):
        return ""
    if dtype == "integer" and _is_counter(guess.values):
        return "identifier: it numbers the rows"
    named = _is_name(name, loose=True) or (dtype == "category" and rows >= FEWEST_NAMED)
    return "identifier: another one in every row" if named else ""


def _key(guesses: Mapping[str, ColumnGuess], wanted: Wanted) -> tuple[tuple[str, ...], str]:
    """The key, and a sentence: a wanted one, or the one column that is named and looks like one."""
    meaning = "A later row of the same key takes the earlier one's place, and labels may come later"
    if wanted.key:
        rows = len(next(iter(guesses.values())).values)
        repeated = rows - pl.DataFrame([guesses[name].values.alias(name) for name in wanted.key]).n_unique()
        told = f"; so {counted(repeated, 'row')} of the file give way to later ones" if repeated else ""
        return wanted.key, f"As asked for. {meaning}{told}."
    unique = [
        name
        for name, guess in guesses.items()
        if name != wanted.target
        and guess.column.dtype in ("integer", "category")
        and guess.distinct == len(guess.values)
        and len(guess.values) >= FEWEST_NUMBERED
        and _is_name(name, loose=False)
    ]
    if len(unique) != 1:
        return (
            (),
            "No column is clearly the name of a row. If some are: key: [ … ], and later rows update earlier ones.",
        )
    if guesses[unique[0]].column.dtype == "integer" and _is_counter(guesses[unique[0]].values):
        name = unique[0]
        return (), f"'{name}' numbers the rows of the file; if the next file goes on from there: key: [ {name} ]."
    return (unique[0],), f"Another '{unique[0]}' in every row. {meaning}; if not, take this out."


def _group_comment(guesses: Mapping[str, ColumnGuess], wanted: Wanted) -> str:
    if wanted.group is None:
        return ""
    groups = guesses[wanted.group].distinct
    return f"As asked for: {counted(groups, 'group')}, each on one side of every split."


def _time_comment(guesses: Mapping[str, ColumnGuess], wanted: Wanted) -> str:
    if wanted.time is None:
        return ""
    missing = guesses[wanted.time].values.null_count()
    gaps = f" {counted(missing, 'row')} have no date." if missing else ""
    return f"As asked for: training rows come before test rows.{gaps}"


def _doubles(guesses: Mapping[str, ColumnGuess], features: Sequence[str], target: str) -> list[tuple[str, str]]:
    """Columns from which the target can be told almost exactly."""
    rows = len(guesses[target].values)
    step = max(1, rows // SAMPLE)
    wanted = guesses[target].values.gather_every(step)
    notes = []
    for name in features:
        values = guesses[name].values.gather_every(step)
        if _goes_with(values, wanted):
            notes.append(
                (name, "goes with the target almost exactly: if it is known only with the target, ignored: <why>")
            )
    return notes


def _goes_with(values: pl.Series, target: pl.Series) -> bool:
    both = values.is_not_null() & target.is_not_null()
    if int(both.sum()) < FEWEST_NUMBERED:
        return False
    values, target = values.filter(both), target.filter(both)
    if target.dtype.is_numeric():
        return values.dtype.is_numeric() and _correlation(values, target) >= DOUBLE
    labels = values.n_unique()
    if labels < target.n_unique() or labels > LABELS_A_CLASS * target.n_unique():
        return False
    pairs = pl.DataFrame([values.alias("value"), target.alias("target")]).n_unique()
    return pairs == labels


def _correlation(values: pl.Series, target: pl.Series) -> float:
    """Absolute value of Pearson's correlation; 0 where one of them does not vary."""
    pair = np.stack([values.cast(pl.Float64).to_numpy(), target.cast(pl.Float64).to_numpy()])
    with np.errstate(all="ignore"):
        centred = pair - pair.mean(axis=1, keepdims=True)
        scaled = centred / np.linalg.norm(centred, axis=1, keepdims=True)
        found = float(abs(scaled[0] @ scaled[1]))
    return found if np.isfinite(found) else 0.0


def _protected(features: Sequence[str]) -> list[tuple[str, str]]:
    told = "may be what nobody should be judged by: sensitive: <why> keeps it for slices and out of the features"
    return [(name, told) for name in features if PROTECTED & set(words_of(name))]


def _is_counter(values: pl.Series) -> bool:
    return int(values.max()) - int(values.min()) + 1 == len(values)  # type: ignore[arg-type]


def _is_name(name: str, *, loose: bool) -> bool:
    words = words_of(name)
    return bool(words) and (words[-1] in NAME_WORDS or words[0] == "id" or (loose and words[-1] in LOOSE_NAME_WORDS))


def _is_subject(name: str) -> bool:
    """Whether the name is that of a person or thing itself, or of its number."""
    words = words_of(name)
    if not SUBJECTS & set(words):
        return False
    return len(words) == 1 or words[-1] in NAME_WORDS | LOOSE_NAME_WORDS or words[0] == "id"
