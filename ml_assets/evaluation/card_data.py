"""What a model card says of the data: quirks counted, values put right, errors by slice. The model: `card_content`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ml_assets.datasets.spec import Task
from ml_assets.evaluation.contract_tables import caps_table
from ml_assets.evaluation.metrics import METRICS
from ml_assets.evaluation.slices import ALL_ROWS
from ml_assets.evaluation.tables import Table
from ml_assets.evaluation.wording import number, percent, rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.evaluation.slices import Slice


@dataclass(frozen=True)
class SlicesOf:
    """What the card says about the slices of one sensitive column."""

    column: str
    reason: str
    sentence: str
    table: Table


def duplicates_sentence(spec: DatasetSpec, table: pd.DataFrame) -> str:
    """What became of exact copies of rows; empty where there are none and the contract drops none."""
    if spec.duplicates == "drop":
        return "Exact copies of an earlier row are dropped before training, as the contract says."
    copies = int(table.duplicated().sum())
    if not copies:
        return ""
    repeat = "repeats" if copies == 1 else "repeat"
    fate = (
        "The contract calls them independent, so a test row may have a copy among the training rows: the scores are "
        "those of answering rows that repeat as they do here."
        if spec.duplicates == "independent"
        else "Copies are kept, and rows with equal features stay on one side of every split."
    )
    return f"{rows_of(copies, len(table))} {repeat} an earlier row exactly. {fate}"


def caps(spec: DatasetSpec, table: pd.DataFrame) -> Table:
    """Rows at the cap of each column that has one; no rows where none has."""
    capped = {name: c.capped_at for name, c in spec.columns.items() if c.capped_at is not None}
    return caps_table(spec, {name: int((table[name] == cap).sum()) for name, cap in capped.items()}, len(table))


def slices(spec: DatasetSpec, found: Mapping[str, Sequence[Slice]], *, metric: str) -> list[SlicesOf]:
    """The winner's errors by slice of each sensitive column, with the contract's reason."""
    return [
        SlicesOf(name, str(spec.columns[name].sensitive), _extremes(parts), _slices_table(spec, name, parts, metric))
        for name, parts in found.items()
    ]


def _slices_table(spec: DatasetSpec, name: str, parts: Sequence[Slice], metric: str) -> Table:
    label = METRICS[spec.task][metric].label
    regression = spec.task is Task.REGRESSION
    unit = f", {spec.columns[spec.target].unit}" if regression and spec.columns[spec.target].unit else ""
    rows = tuple(
        (
            part.name,
            f"{part.rows:,}" + (" (few: read with care)" if part.small else ""),
            number(part.score),
            f"{number(part.low)} to {number(part.high)}" if part.low == part.low else "not defined",
            number(part.second, 3) if regression else percent(part.second),
        )
        for part in parts
    )
    own = f" ({spec.columns[name].unit})" if spec.columns[name].unit else ""
    header = (
        f"{name}{own}",
        "Rows",
        f"{label[0].upper()}{label[1:]}{unit}",
        "95 % interval",
        "Mean of answer minus truth" if regression else "Right class named",
    )
    return Table(f"Out-of-fold errors by slice of {name}", header, rows)


def _extremes(parts: Sequence[Slice]) -> str:
    """Which slice the model serves worst, and whether that is beyond the noise."""
    rated = [part for part in parts if part.name != ALL_ROWS and not part.small and part.score == part.score]
    if len(rated) < 2:
        return "There are not two slices with enough rows to compare."
    best, worst = min(rated, key=lambda p: p.score), max(rated, key=lambda p: p.score)
    ratio = f"{worst.score / best.score:.1f} times" if best.score > 0 else "more than"
    apart = (
        "their intervals do not touch"
        if best.high < worst.low
        else "their intervals overlap, so the difference may be chance"
    )
    return f"The error is largest for “{worst.name}”, {ratio} that of “{best.name}”, where it is smallest; {apart}."
