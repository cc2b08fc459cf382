"""A contract guessed from a table that nobody has described yet, with a comment for each guess.

One column is guessed in `inference_columns`, the task in `inference_task`, keys and the like in `inference_roles`; the
YAML is written by `contract_text`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from ml_assets.datasets.inference.columns import guess_column
from ml_assets.datasets.inference.labels import counted
from ml_assets.datasets.inference.names import column_names, find_column
from ml_assets.datasets.inference.ranges import half_rounded, roomy_share
from ml_assets.datasets.inference.roles import Wanted, guess_roles
from ml_assets.datasets.inference.task import guess_split, guess_task
from ml_assets.datasets.raw import row_hashes
from ml_assets.datasets.reading.columns import match_header
from ml_assets.datasets.spec import Column, DatasetSpec, Duplicates, RowCount, SourceFile, Task
from ml_assets.datasets.tables import assemble
from ml_assets.errors import ContractViolation

if TYPE_CHECKING:
    from ml_assets.datasets.inference.columns import ColumnGuess
    from ml_assets.datasets.inference.roles import Roles
    from ml_assets.datasets.inference.task import SplitGuess, TargetGuess
    from ml_assets.datasets.reading.opening import OpenedTable

Place = tuple[str | int, ...]

MANY_COPIES: Final = 0.01
"""Share of exact copies from which a person should look at them."""

LEGEND: Final = (
    "Each column: what was seen, and why this guess. To change one:",
    "  range: [smallest, largest]     refuse other numbers; without it any finite number is taken",
    "  allowed: [a, b]                refuse other labels; without it any label is taken",
    "  missing_share: 0.1             allow that share of gaps; without it none",
    '  missing_texts: ["-"]           texts that stand for a gap, beside empty cells',
    "  unit: cm, description: …       for people, and for the model card",
    "  ignored: why                   keep the column, but not as a feature",
)


@dataclass(frozen=True)
class Wishes:
    """What a person says of their table, in the names of the file.

    Attributes:
        name: of the dataset.
        target: column to predict.
        task: a number or a class; told from the target by default.
        key: columns that name a row.
        group: column whose equal values stay together.
        time: date by which rows are in order.
        test_share: share of the rows held back for the test; by their number by default.
        duplicates: what becomes of copies of earlier rows; they are kept together by default.
    """

    name: str
    target: str
    task: Task | None = None
    key: tuple[str, ...] = ()
    group: str | None = None
    time: str | None = None
    test_share: float | None = None
    duplicates: Duplicates | None = None


@dataclass(frozen=True)
class Note:
    """Something a person should look at: the column, empty for the whole table, and a sentence."""

    column: str
    text: str

    def __str__(self) -> str:
        """As a line of a list."""
        return f"{self.column}: {self.text}" if self.column else self.text


@dataclass(frozen=True)
class Inference:
    """A contract that the table keeps, and how it came about.

    Attributes:
        spec: the contract.
        comments: sentences by their place in it.
        notes: what a person should look at, most important first.
        table: the raw table, by this contract.
    """

    spec: DatasetSpec
    comments: Mapping[Place, tuple[str, ...]]
    notes: tuple[Note, ...]
    table: pl.DataFrame = field(repr=False)


def infer(opened: OpenedTable, wishes: Wishes, *, home: Path | None = None) -> Inference:
    """A contract for the table, which keeps it.

    Args:
        opened: the table as its file has it.
        wishes: what a person says of it.
        home: root of the home; a file below it is named from there, so that the home can be moved.

    Raises:
        SettingError: a column is named that is not there; offers the nearest.
        ContractViolation: nothing can be predicted, no column is left to predict from, or a wish cannot be granted.
        SourceError: a cell cannot be kept; names row and column.
    """
    origin, names = opened.source.name, column_names(opened.header)
    wanted = _wanted(wishes, names, origin)
    columns = {names[written]: opened.frame[written] for written in opened.header}
    guesses = {n: guess_column(c, decimal=opened.source.decimal, origin=origin) for n, c in columns.items()}
    target = guess_task(wanted.target, columns[wanted.target], guesses[wanted.target], asked=wishes.task, origin=origin)
    guesses[wanted.target] = target.guess
    roles = guess_roles(guesses, wanted)
    _refuse_without_features(roles, wanted.target, origin)
    rows = _rows_kept(roles)
    by_time = wanted.time is not None
    split = guess_split(target.task, target.guess.values.filter(rows), asked=wishes.test_share, by_time=by_time)
    copies = _share_of_copies(roles)
    spec = DatasetSpec(
        name=wishes.name,
        title=wishes.name.replace("_", " ").capitalize(),
        description="",
        task=target.task,
        target=wanted.target,
        sources=(_source(opened.source, home),),
        columns={names[w]: _column(w, names[w], roles.guesses[names[w]]) for w in opened.header},
        row_count=RowCount(minimum=half_rounded(int(rows.sum()))),
        duplicate_share=roomy_share(copies, room=1.0) or 0.01,
        test_share=split.test_share,
        folds=split.folds,
        **_given(
            key=roles.key,
            group=wanted.group,
            time=wanted.time,
            duplicates=wishes.duplicates,
            repeats=split.repeats if split.repeats > 1 else None,
        ),
    )
    match_header(spec, opened.header, required=spec.columns, origin=origin)
    return Inference(
        spec=spec,
        comments=_comments(opened, target, roles, split, copies),
        notes=_notes(opened, target, roles, split, copies),
        table=_raw_table(spec, roles),
    )


def _wanted(wishes: Wishes, names: Mapping[str, str], origin: str) -> Wanted:
    def named(asked: str, option: str) -> str:
        return find_column(asked, names, option=option, origin=origin)

    return Wanted(
        target=named(wishes.target, "--target"),
        key=tuple(dict.fromkeys(named(column, "--key") for column in wishes.key)),
        group=named(wishes.group, "--group") if wishes.group is not None else None,
        time=named(wishes.time, "--time") if wishes.time is not None else None,
    )


def _given(**values: Any) -> dict[str, Any]:
    """Those that are not empty, lest a contract spells out what it does not say."""
    return {name: value for name, value in values.items() if value}


def _source(source: SourceFile, home: Path | None) -> SourceFile:
    if home is None or source.path is None or not Path(source.path).is_relative_to(home):
        return source
    return source.model_copy(update={"path": Path(source.path).relative_to(home).as_posix()})


def _column(written: str, name: str, guess: ColumnGuess) -> Column:
    return guess.column.model_copy(update={"source_name": written}) if written != name else guess.column


def _refuse_without_features(roles: Roles, target: str, origin: str) -> None:
    others = {name: guess.column.ignored for name, guess in roles.guesses.items() if name != target}
    if all(others.values()):
        why = "; ".join(f"'{name}': {reason}" for name, reason in list(others.items())[:5])
        told = f" ({why}{' …' if len(others) > 5 else ''})" if others else ""
        raise ContractViolation(
            f"{origin}: no column is left to predict '{target}' from{told}: add columns, or more rows"
        )


def _rows_kept(roles: Roles) -> pl.Series:
    """Whether a row stays in the table: with a key, the last one of each."""
    keyed = pl.DataFrame([roles.guesses[name].values.alias(name) for name in roles.key])
    every = next(iter(roles.guesses.values())).values
    if not roles.key:
        return pl.repeat(True, len(every), eager=True)
    return keyed.select(pl.struct(pl.all()).is_last_distinct()).to_series()


def _share_of_copies(roles: Roles) -> float:
    table = pl.DataFrame([guess.values.alias(name) for name, guess in roles.guesses.items()])
    hashes = row_hashes(table, table.columns)
    return 1 - pl.Series(hashes).n_unique() / max(1, len(hashes))


def _raw_table(spec: DatasetSpec, roles: Roles) -> pl.DataFrame:
    frame = pl.DataFrame([guess.values.alias(name) for name, guess in roles.guesses.items()])
    return assemble(spec, {spec.sources[0].name: frame})


def _comments(
    opened: OpenedTable, target: TargetGuess, roles: Roles, split: SplitGuess, copies: float
) -> dict[Place, tuple[str, ...]]:
    rows = counted(opened.frame.height, "row")
    headless = () if opened.source.header or opened.source.format != "csv" else (_HEADLESS,)
    own: dict[Place, tuple[str, ...]] = {
        ("description",): ("For people, and for the model card; title, owner, licence and citation are too.",),
        ("task",): target.comments,
        ("sources",): (f"{opened.source.name}: {rows}, {counted(len(opened.header), 'column')}.", *headless),
        ("columns",): LEGEND,
        ("row_count",): (f"{rows} seen; with fewer than half of them something is wrong with the file.",),
        ("duplicate_share",): (
            f"{copies:.2%} of the rows repeat an earlier one exactly; a table with many more is refused. To leave the "
            "copies out, duplicates: drop; to split them like other rows, duplicates: independent.",
        ),
        ("test_share",): split.comments,
        ("repeats",): (f"Rows are few, so the folds are drawn {split.repeats} times: scores are surer.",)
        if split.repeats > 1
        else (),
        **{(key,): comment for key, comment in roles.comments.items()},
    }
    return own | {("columns", name): guess.comments for name, guess in roles.guesses.items()}


_HEADLESS: Final = (
    "The file has no header, so its columns are told by their order: give them names of your own below, in this order."
)


def _notes(
    opened: OpenedTable, target: TargetGuess, roles: Roles, split: SplitGuess, copies: float
) -> tuple[Note, ...]:
    target_name = next(name for name, guess in roles.guesses.items() if guess is target.guess)
    notes = [Note(target_name, text) for text in (*split.notes, *target.notes)]
    notes += [Note(name, text) for name, text in roles.notes]
    notes += [Note(name, text) for name, guess in roles.guesses.items() for text in guess.notes]
    if copies >= MANY_COPIES:
        notes.append(Note("", f"{copies:.1%} of the rows repeat an earlier one exactly: right, or exported twice?"))
    if not opened.source.header and opened.source.format == "csv":
        notes.append(Note("", "the file has no header: give its columns names of your own in the contract"))
    return tuple(dict.fromkeys(notes))
