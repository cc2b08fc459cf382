"""What a look for leakage finds: a kind, a column, the evidence, and the rows to show. Looking is next door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ml_assets.validation.outcomes import FailingRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

EXAMPLES: Final = 5


@dataclass(frozen=True)
class Finding:
    """One thing that looks like leakage.

    Attributes:
        column: the column that can be accepted in the contract; empty if it is no column's fault.
        evidence: a sentence with figures.
        rows: some of the rows that show it.
    """

    column: str
    evidence: str
    rows: tuple[FailingRow, ...] = ()


def examples(table: pd.DataFrame, positions: Iterable[int], columns: Iterable[str]) -> tuple[FailingRow, ...]:
    """The first few of the rows at `positions` of a clean table, with their values in `columns`."""
    names, rows = list(columns), [int(at) for _, at in zip(range(EXAMPLES), positions, strict=False)]
    told = [", ".join(_text(table[name].iloc[at]) for name in names) for at in rows]
    ids, columns_text = [str(table.index[at]) for at in rows], ", ".join(names)
    return tuple(FailingRow(id, "", at + 1, columns_text, text) for id, at, text in zip(ids, rows, told, strict=True))


def _text(value: Any) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)[:40]
