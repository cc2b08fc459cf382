"""What is predicted of a table, a number or a class, and how its rows are split for that.

The type of the target's column is told in `inference_kinds`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ml_assets.datasets.inference.columns import ColumnGuess, as_labels, number_text
from ml_assets.datasets.inference.labels import Tally, counted, labels_text
from ml_assets.datasets.inference.names import words_of
from ml_assets.datasets.reading.wording import shortened
from ml_assets.datasets.spec import Task
from ml_assets.errors import ContractViolation

if TYPE_CHECKING:
    import polars as pl

MOST_CLASSES: Final = 10
"""Different whole numbers up to which they may be classes."""
ROWS_A_CLASS: Final = 5
MOST_DOUBTFUL: Final = 50
"""Different numbers up to which the comment says how to have the other task."""
FEW_ROWS: Final = 1000
"""Below, folds are drawn `REPEATS` times: on four tables of 150 to 600 rows winners were better in 16 of 20 draws."""
REPEATS: Final = 3
SMALL_TABLE: Final = 50
TINY_TABLE: Final = 12
SMALL_CLASS_SHARE: Final = 0.05
CLASSES_SHOWN: Final = 5
AMOUNTS: Final = frozenset(
    {"age", "amount", "count", "days", "grade", "hours", "level", "number", "points", "quality", "quantity", "rank"}
    | {"rating", "ratings", "rings", "score", "scores", "stars", "total", "years"}
)
"""Words in the names of whole numbers that are amounts or scores, however few there are."""


@dataclass(frozen=True)
class TargetGuess:
    """What is predicted, and why.

    Attributes:
        task: a number or a class.
        guess: at the target's column, as the task needs it.
        comments: sentences on the task.
        notes: what a person should look at.
    """

    task: Task
    guess: ColumnGuess
    comments: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SplitGuess:
    """How rows are split, and why.

    Attributes:
        test_share: share of the rows that are held back.
        folds: of cross-validation.
        comments: sentences on the folds.
        repeats: how many times the folds are drawn.
        notes: what a person should look at.
    """

    test_share: float
    folds: int
    comments: tuple[str, ...]
    notes: tuple[str, ...] = ()
    repeats: int = 1


def guess_task(name: str, cells: pl.Series, guess: ColumnGuess, *, asked: Task | None, origin: str) -> TargetGuess:
    """The task, and the target's column as it needs it.

    Args:
        name: of the target.
        cells: its cells, as the file has them.
        guess: at its column.
        asked: the task that a person wants, if they said so.
        origin: the file, for messages.

    Raises:
        ContractViolation: the target is empty, always the same, or nothing that can be predicted; with the remedy.
    """
    known = counted(guess.distinct, "different value")
    if guess.distinct < 2:
        held = "no value at all" if not guess.distinct else "the same value in every row that has one"
        raise ContractViolation(f"{origin}: target '{name}' has {held}, so nothing can be learnt: name another column")
    task, reason = _task(name, guess)
    if asked is not None and asked is not task:
        reason = f"{known}; --task {asked.value} was asked for"
    chosen = asked or task
    other = Task.REGRESSION if chosen is Task.CLASSIFICATION else Task.CLASSIFICATION
    numeric = guess.column.dtype in ("float", "integer")
    if chosen is Task.REGRESSION and not numeric:
        raise ContractViolation(
            f"{origin}: target '{name}' holds {_held(guess)}, and a regression needs numbers: leave --task out, name "
            f"another column, or correct the cells"
        )
    rows = len(guess.values) - guess.values.null_count()
    if chosen is Task.CLASSIFICATION and 2 * guess.distinct > rows:
        raise ContractViolation(
            f"{origin}: target '{name}' has {known} in {counted(rows, 'row')}, far too many to be classes"
            + (": leave --task out" if asked else ": name another column, or make it numbers or a few labels")
        )
    doubtful = numeric and guess.distinct <= MOST_DOUBTFUL
    change = f"If not: ml-assets add … --task {other.value} --replace." if doubtful else ""
    comments = tuple(filter(None, (f"{reason[0].upper()}{reason[1:]}: {_predicted(chosen)}.", change)))
    if chosen is Task.CLASSIFICATION:
        return _classes(as_labels(cells, guess, origin=origin), comments)
    notes = (f"taken as a number to predict: {reason}",) if guess.distinct <= MOST_CLASSES and not asked else ()
    return TargetGuess(chosen, guess, comments, (*notes, *_missing(guess)))


def guess_split(task: Task, target: pl.Series, *, asked: float | None = None, by_time: bool = False) -> SplitGuess:
    """A test share and a number of folds that leave each fold and each class with rows, for small tables too.

    Args:
        task: a number or a class.
        target: values of the rows that the table will have.
        asked: test share that a person wants.
        by_time: whether folds are blocks of time, of which there is only one way to draw them.
    """
    rows = len(target) - target.null_count()
    test_share = asked or (0.2 if rows >= SMALL_TABLE else 0.25)
    folds = 5 if rows >= SMALL_TABLE else 3 if rows >= TINY_TABLE else 2
    if folds < 5:
        why: tuple[str, ...] = (f"{counted(rows, 'row')} are few, so there are {folds} folds and a larger test part.",)
    else:
        why = ("5 folds, and a fifth of the rows to test with: what suits most tables.",)
    if asked is not None:
        why = (f"{counted(folds, 'fold')}, and {asked:.0%} of the rows to test with, as you asked.",)
    repeats = REPEATS if rows < FEW_ROWS and not by_time else 1
    if task is Task.REGRESSION:
        return SplitGuess(test_share, folds, why, repeats=repeats)
    tally = Tally.of(target).by_frequency()
    least = _rows_of_class(2, test_share)
    enough = [count for count in tally.counts if count >= least]
    fewer = next((f for f in range(folds, 2, -1) if enough and _rows_of_class(f, test_share) <= min(enough)), 2)
    notes: tuple[str, ...] = ()
    if enough and fewer < folds:
        label = shortened(tally.texts.filter(tally.counts == min(enough))[0])
        why = (f"{fewer} folds, as the class {label} has {min(enough)} rows: with more rows, 5.",)
        folds = fewer
    if small := tally.texts.filter(tally.counts < least).to_list():
        shown = ", ".join(map(shortened, small[:CLASSES_SHOWN])) + (" …" if len(small) > CLASSES_SHOWN else "")
        notes = (
            f"{'classes' if len(small) > 1 else 'class'} {shown} with fewer than {least} rows cannot be learnt and "
            "tested, and the check `target` will refuse the table: add such rows, or take them out or merge them with "
            "another class in the file",
        )
    return SplitGuess(test_share, folds, why, notes, repeats)


def _task(name: str, guess: ColumnGuess) -> tuple[Task, str]:
    """The task that suits a column, and why."""
    if guess.column.dtype not in ("float", "integer"):
        return Task.CLASSIFICATION, _held(guess)
    values = guess.values.drop_nulls()
    if not (values == values.round()).all():
        return Task.REGRESSION, f"{guess.distinct} different numbers"
    return _task_of_whole_numbers(name, values, guess.distinct)


def _task_of_whole_numbers(name: str, values: pl.Series, distinct: int) -> tuple[Task, str]:
    low, high = number_text(values.min()), number_text(values.max())
    seen = f"{distinct} different whole numbers, {low} … {high}"
    if distinct == 2:
        return Task.CLASSIFICATION, f"only the numbers {low} and {high}"
    if distinct > MOST_CLASSES or len(values) < ROWS_A_CLASS * distinct:
        return Task.REGRESSION, seen
    if AMOUNTS & set(words_of(name)):
        return Task.REGRESSION, f"{seen}, in a column whose name speaks of an amount or a score"
    first, last = int(values.min()), int(values.max())  # type: ignore[arg-type]
    if first in (0, 1) and last - first + 1 == distinct:
        return Task.CLASSIFICATION, f"{seen} without a gap, like numbered classes"
    return Task.REGRESSION, f"{seen}, which do not count from 0 or 1 like numbered classes"


def _predicted(task: Task) -> str:
    return "a class is predicted" if task is Task.CLASSIFICATION else "a number is predicted"


def _held(guess: ColumnGuess) -> str:
    if guess.column.dtype == "boolean":
        return "yes and no"
    if guess.column.dtype == "date":
        return "dates"
    kind = "different text" if guess.column.dtype == "text" else "label"
    return counted(guess.distinct, kind)


def _classes(guess: ColumnGuess, comments: tuple[str, ...]) -> TargetGuess:
    tally = Tally.of(guess.values).by_frequency()
    told = f"{counted(len(tally.texts), 'class')}: {labels_text(tally)}."
    smallest = int(tally.counts.min() or 0)  # type: ignore[arg-type]
    share = smallest / tally.rows
    notes = _missing(guess)
    if share < SMALL_CLASS_SHARE:
        label = shortened(tally.texts.filter(tally.counts == smallest)[0])
        notes = (
            f"imbalance: class {label} has {counted(smallest, 'row')}, {share:.2%} of them: look at its recall, not at "
            "accuracy",
            *notes,
        )
    loosen = "Another class is refused: add it to `allowed` when it comes."
    return TargetGuess(Task.CLASSIFICATION, replace(guess, comments=(told, loosen)), comments, notes)


def _missing(guess: ColumnGuess) -> tuple[str, ...]:
    missing = guess.values.null_count()
    return (f"{counted(missing, 'row')} without a target take no part in training",) if missing else ()


def _rows_of_class(folds: int, test_share: float) -> int:
    """Rows a class must have: one a fold for training, and one for the test, as the check `target` asks for."""
    return max(math.ceil(folds / (1 - test_share)), folds + 1)
