"""How results look in Dagster's UI: schemas, lineage, plots, tables. Making the results belongs in the core."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import dagster as dg

from ml_assets.datasets.spec import Column, DatasetSpec

if TYPE_CHECKING:
    import pandas as pd

MOST_TABLE_ROWS = 50


def plot(png: bytes) -> dg.MetadataValue[Any]:
    """A PNG that the UI draws."""
    return dg.MetadataValue.md(f"![plot](data:image/png;base64,{base64.b64encode(png).decode()})")


def plots(images: Mapping[str, bytes]) -> dict[str, dg.MetadataValue[Any]]:
    """Several plots under their names."""
    return {name: plot(png) for name, png in images.items()}


def table(frame: pd.DataFrame) -> dg.MetadataValue[Any]:
    """The first rows of a table as Markdown."""
    head = frame.head(MOST_TABLE_ROWS)
    return _markdown(head.columns, head.itertuples(index=False))


def records_table(records: Sequence[Any]) -> dg.MetadataValue[Any]:
    """Instances of one dataclass as Markdown, a row each."""
    names = [field.name for field in fields(records[0])] if records else []
    return _markdown(names, ([getattr(record, name) for name in names] for record in records))


def _markdown(header: Iterable[object], rows: Iterable[Iterable[object]]) -> dg.MetadataValue[Any]:
    names = [_cell(name) for name in header]
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return dg.MetadataValue.md("\n".join(lines))


def _cell(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def contract_schema(spec: DatasetSpec, columns: Iterable[str]) -> dg.TableSchema:
    """Column schema from the contract, with units, ranges and descriptions."""
    return dg.TableSchema([_column(name, spec.columns.get(name)) for name in columns])


def _column(name: str, column: Column | None) -> dg.TableColumn:
    if column is None:
        return dg.TableColumn(name, "string", description="file the row came from")
    rules = []
    if column.range is not None:
        rules.append(f"between {column.range[0]:g} and {column.range[1]:g}")
    if column.allowed is not None:
        rules.append("one of " + ", ".join(column.allowed))
    unit = f" ({column.unit})" if column.unit else ""
    return dg.TableColumn(
        name,
        column.dtype,
        description=f"{column.description}{unit}",
        constraints=dg.TableColumnConstraints(nullable=column.missing_share > 0, other=rules),
    )


def table_metadata(spec: DatasetSpec, frame: pd.DataFrame) -> dict[str, Any]:
    """Row count and column schema of a contract's table."""
    return {"dagster/row_count": len(frame), "dagster/column_schema": contract_schema(spec, frame.columns)}


def number_schema(columns: Iterable[str]) -> dg.TableSchema:
    """Column schema of an all-number table."""
    return dg.TableSchema([dg.TableColumn(name, "float") for name in columns])


def lineage(origin: dg.AssetKey, sources: Mapping[str, Sequence[str]]) -> dg.TableColumnLineage:
    """Which columns of `origin` each column is made of."""
    return dg.TableColumnLineage(
        {column: [dg.TableColumnDep(origin, source) for source in made_of] for column, made_of in sources.items()}
    )
