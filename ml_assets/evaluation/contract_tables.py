"""Tables of what a contract says about its data, for the model card and the profile of a version alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ml_assets.evaluation.tables import Table
from ml_assets.evaluation.wording import cell, quantity, rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ml_assets.datasets.spec import DatasetSpec


def corrections_table(spec: DatasetSpec) -> Table:
    """Values of the sources that are known to be wrong, what the clean table has instead, and why."""
    rows = tuple(
        (f"{c.source}, row {c.row}", c.column, cell(c.was), cell(c.becomes), c.reason) for c in spec.corrections
    )
    caption = "Corrected on the way to the clean table; the raw table stays as published"
    return Table(caption, ("Where", "Column", "Published", "Corrected", "Why"), rows)


def caps_table(spec: DatasetSpec, at_cap: Mapping[str, int], rows: int) -> Table:
    """Rows at the cap of each column that has one.

    Args:
        spec: the contract.
        at_cap: rows at the cap by column.
        rows: of the table.
    """
    cells = tuple(
        (name, quantity(cell(column.capped_at), column.unit), rows_of(at_cap[name], rows))
        for name, column in spec.columns.items()
        if column.capped_at is not None
    )
    caption = "Values at a cap stand for themselves and everything beyond"
    return Table(caption, ("Column", "Cap", "Rows at the cap"), cells)
