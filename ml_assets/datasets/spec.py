"""The contract of a dataset: what its YAML may say, as frozen pydantic models. Reading files belongs in `sources`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ml_assets.errors import ContractError, UnknownNameError

RESERVED = frozenset({"row_id", "batch", "prediction", "request_id", "position", "model_version", "received_at"})
"""Names of columns that the pipeline adds to tables; no contract may use them."""


class Task(StrEnum):
    """What is predicted: a number or a class."""

    REGRESSION = "regression"
    CLASSIFICATION = "classification"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(_Model):
    """One column as the contract promises it; a missing value is allowed only up to `missing_share`."""

    dtype: Literal["float", "integer", "category"]
    description: str = ""
    unit: str = ""
    source_name: str | None = Field(None, description="the column's name in the source file, where it differs")
    range: tuple[float, float] | None = Field(None, description="smallest and largest allowed value, inclusive")
    allowed: tuple[str, ...] | None = Field(None, description="the only values a category may take")
    missing_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    sensitive: str | None = Field(None, description="why this column is no feature; it stays in the table")

    @property
    def is_number(self) -> bool:
        """Whether values are numbers rather than labels."""
        return self.dtype != "category"


class SourceFile(_Model):
    """One canonical file: where it is, how it is read, and the SHA-256 its decompressed bytes must have."""

    name: str
    embedded: str = Field(description="gzip file in data/embedded")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    addresses: tuple[str, ...] = Field((), description="canonical address first, then mirrors")
    member: str | None = Field(None, description="member of the tar archive found at the addresses")
    delimiter: str = Field(",", description="one character, or 'whitespace'")
    header: bool = False
    constants: Mapping[str, str] = Field(default_factory=dict, description="columns this file adds, one value each")


class FeatureRules(_Model):
    """What the feature plan adds to the columns themselves."""

    ratios: tuple[tuple[str, str], ...] = Field((), description="numerator and denominator columns")


class RowCount(_Model):
    """How many rows a table may have."""

    minimum: Annotated[int, Field(ge=1)] = 1
    maximum: int | None = None


class DatasetSpec(_Model):
    """The whole contract of one dataset."""

    name: str = Field(pattern="^[a-z][a-z0-9_]*$")
    title: str
    description: str
    task: Task
    target: str
    owner: str = "team:ml-assets"
    licence: str = ""
    citation: str = ""
    quirks: tuple[str, ...] = Field((), description="what a reader of the model card must know about the data")
    sources: tuple[SourceFile, ...] = Field(min_length=1)
    columns: Mapping[str, Column] = Field(min_length=2)
    row_count: RowCount = RowCount()
    unique: tuple[tuple[str, ...], ...] = Field((), description="sets of columns that name a row at most once")
    duplicate_share: Annotated[float, Field(ge=0, le=1)] = Field(
        1.0, description="largest share of exact duplicates a table may have before it is refused"
    )
    features: FeatureRules = FeatureRules()
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    folds: Annotated[int, Field(ge=2)] = 5

    @model_validator(mode="after")
    def _names_exist(self) -> DatasetSpec:
        named = [
            self.target,
            *(c for pair in self.features.ratios for c in pair),
            *(c for key in self.unique for c in key),
        ]
        for column in named:
            if column not in self.columns:
                raise ValueError(str(UnknownNameError("column", column, self.columns)))
        if taken := sorted(RESERVED & self.columns.keys()):
            raise ValueError(f"column name '{taken[0]}' is used by the pipeline itself; choose another")
        target = self.columns[self.target]
        if target.is_number != (self.task is Task.REGRESSION):
            raise ValueError(
                f"target '{self.target}' is of dtype {target.dtype}, which does not suit {self.task.value}"
            )
        return self

    @property
    def feature_columns(self) -> tuple[str, ...]:
        """Columns a model takes, in contract order: all but the target and the sensitive ones."""
        return tuple(n for n, c in self.columns.items() if n != self.target and c.sensitive is None)

    @property
    def numeric_features(self) -> tuple[str, ...]:
        """Feature columns that hold numbers."""
        return tuple(n for n in self.feature_columns if self.columns[n].is_number)

    @property
    def categorical_features(self) -> tuple[str, ...]:
        """Feature columns that hold labels."""
        return tuple(n for n in self.feature_columns if not self.columns[n].is_number)

    @property
    def labels(self) -> tuple[str, ...]:
        """Class labels in contract order; empty for a regression."""
        return self.columns[self.target].allowed or () if self.task is Task.CLASSIFICATION else ()


def parse_contract(text: str, *, origin: str) -> DatasetSpec:
    """The contract that YAML `text` spells; `origin` names the file in errors.

    Raises:
        ContractError: the text is no YAML, or names an unknown key, column or value.
    """
    try:
        return DatasetSpec.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ContractError(f"{origin}: not valid YAML: {error}") from error
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc'])) or 'contract'}: {e['msg']}" for e in error.errors()]
        raise ContractError(f"{origin}: " + "; ".join(lines)) from error


@cache
def load_contracts() -> Mapping[str, DatasetSpec]:
    """Every contract that comes with the package, by dataset name, in alphabetical order."""
    folder = resources.files("ml_assets.datasets")
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    specs = [parse_contract(f.read_text(encoding="utf-8"), origin=f.name) for f in files]
    return {spec.name: spec for spec in specs}


def load_contract(name: str) -> DatasetSpec:
    """The contract of dataset `name`.

    Raises:
        UnknownNameError: there is none of that name; the message offers the nearest.
    """
    contracts = load_contracts()
    if name not in contracts:
        raise UnknownNameError("dataset", name, contracts)
    return contracts[name]
