"""Later rows of a key in the place of earlier ones. Where rows come from belongs in `tables`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import polars as pl

from ml_assets.datasets.identity import BATCH
from ml_assets.datasets.raw import polars_type

if TYPE_CHECKING:
    from ml_assets.datasets.spec import DatasetSpec

_POSITION: Final = "position"


def update_by_key(spec: DatasetSpec, parts: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """One table of all `parts` (batch name → rows), in their order, with one row for each value of the contract's key.

    Of rows with one key the last counts, at the place of the first. An empty target does not take a known one away, and
    a part without some column, such as one of late labels, leaves what other rows say there. Rows that only such parts
    have are left out until one comes that is whole. A row whose key is missing in part stands for itself.

    Args:
        spec: a contract with a key, which every part has.
        parts: rows in the types of the raw table.

    Returns:
        The contract's columns and `batch`, which is that of the last row with the key.
    """
    names = {name: f"c{at}" for at, name in enumerate(spec.columns)}
    partial = [code for name, code in names.items() if any(name not in part.columns for part in parts.values())]
    rows = pl.concat([_coded(spec, part, batch, names) for batch, part in parts.items()]).with_row_index(_POSITION)
    key = [names[name] for name in spec.key]
    repeated = rows.select(pl.struct(key).is_duplicated() & pl.all_horizontal(pl.col(key).is_not_null())).to_series()
    if not repeated.any() and not partial:
        return _named(rows, names)
    merged = (
        rows.filter(repeated)
        .group_by(key)
        .agg(
            pl.col(_POSITION).first(),
            *(_last(code, partial, target=names[spec.target]) for code in names.values() if code not in key),
            *(pl.col(_given(code)).any() for code in partial),
            pl.col(BATCH).last(),
        )
    )
    kept = [_POSITION, *names.values(), *(_given(code) for code in partial), BATCH]
    whole = pl.concat([rows.filter(~repeated).select(kept), merged.select(kept)]).sort(_POSITION)
    if partial:
        whole = whole.filter(pl.all_horizontal(pl.col([_given(code) for code in partial])))
    return _named(whole, names)


def _coded(spec: DatasetSpec, part: pl.DataFrame, batch: str, names: Mapping[str, str]) -> pl.DataFrame:
    """A part under plain column names, with those it lacks empty, and whether it has each."""
    columns: list[pl.Series] = []
    for name, code in names.items():
        there = name in part.columns
        kind = polars_type(spec.columns[name])
        columns.append(part[name].cast(kind).alias(code) if there else _repeated(code, None, kind, part.height))
        columns.append(_repeated(_given(code), there, pl.Boolean(), part.height))
    return pl.DataFrame([*columns, _repeated(BATCH, batch, pl.String(), part.height)])


def _named(rows: pl.DataFrame, names: Mapping[str, str]) -> pl.DataFrame:
    return rows.select(*names.values(), BATCH).rename({code: name for name, code in names.items()})


def _repeated(name: str, value: object, kind: pl.DataType, rows: int) -> pl.Series:
    return pl.Series(name, [value], dtype=kind).new_from_index(0, rows)


def _last(code: str, partial: Sequence[str], *, target: str) -> pl.Expr:
    values = pl.col(code).filter(pl.col(_given(code))) if code in partial else pl.col(code)
    return (values.drop_nulls() if code == target else values).last()


def _given(code: str) -> str:
    return f"has {code}"
