"""How a version of a table differs from the last: rows and columns come and gone, distributions moved.

Rows are told apart by `version_difference`; how far a column moved, and from where on that counts, is what the checks
of `validation.history` say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ml_assets.datasets.profiles.document import Changes, ColumnDrift
from ml_assets.datasets.versions.difference import difference
from ml_assets.validation.history import movements

if TYPE_CHECKING:
    import polars as pl

    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.validation.history import Movement


def changes_since(spec: DatasetSpec, table: pl.DataFrame, previous: pl.DataFrame) -> Changes:
    """Rows and columns that `table` has and `previous` has not, and the other way round.

    Args:
        spec: the contract that `table` keeps.
        table: the version, its columns those of the contract.
        previous: the version before, perhaps of another contract.
    """
    found = difference(previous, table, key=spec.key)
    counts = found.counts
    return Changes(
        rows_before=previous.height,
        rows_added=counts.added,
        rows_removed=counts.removed,
        rows_changed=counts.changed,
        columns_added=found.columns_added,
        columns_removed=found.columns_removed,
        columns_retyped=found.columns_retyped,
    )


def column_drift(
    spec: DatasetSpec, table: pl.DataFrame, previous: pl.DataFrame, *, seed: int
) -> tuple[ColumnDrift, ...]:
    """How far each column moved, the farthest first; columns that only one version has are left out.

    Columns are looked at together as the checks do: the target, the features but dates, and all others.
    """
    if not table.height or not previous.height:
        return ()
    checked = [name for name in spec.feature_columns if spec.columns[name].dtype != "date"]
    others = [name for name in spec.columns if name not in {spec.target, *checked}]
    found = [
        _drift(movement, table, previous, tolerance=spec.tolerances.drift)
        for names in ([spec.target], checked, others)
        for movement in movements(spec, previous, table, names, seed=seed)
    ]
    return tuple(sorted(found, key=lambda drift: (-drift.psi, drift.column)))


def _drift(movement: Movement, table: pl.DataFrame, previous: pl.DataFrame, *, tolerance: float) -> ColumnDrift:
    name = movement.column
    unit = 1e6 if table[name].dtype.is_temporal() else 1.0
    before, now = (mean / unit for mean in movement.means) if movement.means else (None, None)
    return ColumnDrift(
        column=name,
        psi=movement.psi,
        distance=movement.effect,
        measure=movement.measure,
        p_value=movement.p_value,
        missing_before=previous[name].null_count() / previous.height,
        missing_now=table[name].null_count() / table.height,
        mean_before=before,
        mean_now=now,
        moved=movement.beyond(tolerance),
    )
