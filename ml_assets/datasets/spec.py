"""The contract of a dataset: what its YAML may say, as frozen pydantic models. Reading it belongs in `contracts`.

Reading the tables they describe belongs in `sources` and `tables`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ml_assets.datasets.judging import Comparison, IntervalRules, Promotion
from ml_assets.errors import UnknownNameError

RESERVED = frozenset({"row_id", "batch", "prediction", "request_id", "position", "model_version", "received_at"})
"""Names of columns that the pipeline adds to tables; no contract may use them."""

Share = Annotated[float, Field(ge=0, le=1)]
Cost = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Severity = Literal["block", "warn", "off"]
Duplicates = Literal["keep", "drop", "independent"]


class Task(StrEnum):
    """What is predicted: a number or a class."""

    REGRESSION = "regression"
    CLASSIFICATION = "classification"


class ContractMistake(ValueError):
    """What is wrong in a contract, and the keys that lead there."""

    def __init__(self, message: str, *path: str | int) -> None:
        super().__init__(message)
        self.path = path


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(_Model):
    """One column as the contract promises it; a missing value is allowed only up to `missing_share`."""

    dtype: Literal["float", "integer", "boolean", "category", "date", "text"]
    description: str = ""
    unit: str = ""
    source_name: str | None = Field(None, description="the column's name in the source file, where it differs")
    range: tuple[float, float] | None = Field(None, description="smallest and largest allowed number, inclusive")
    period: tuple[dt.datetime, dt.datetime] | None = Field(
        None, description="earliest and latest allowed date, inclusive"
    )
    date_format: str | None = Field(None, description="how dates are written, for strptime; ISO 8601 by default")
    allowed: tuple[str, ...] | None = Field(None, description="the only values a category may take")
    missing_share: Share = 0.0
    missing_texts: tuple[str, ...] = Field((), description="texts that stand for a missing value, beside empty cells")
    capped_at: float | None = Field(None, description="the number that stands for itself and everything beyond")
    sensitive: str | None = Field(None, description="why this column is no feature; it is kept, and used for slices")
    ignored: str | None = Field(None, description="why this column is no feature, where it is not sensitive")

    @property
    def is_number(self) -> bool:
        """Whether values are numbers: floats, integers, and booleans as 0 and 1."""
        return self.dtype in ("float", "integer", "boolean")

    @property
    def is_label(self) -> bool:
        """Whether values are labels from a list, known or not."""
        return self.dtype == "category"


class SourceFile(_Model):
    """One file or query that rows come from; a canonical one has the SHA-256 of its decompressed bytes."""

    name: str = Field(min_length=1, description="what its rows are called in the column `batch`")
    embedded: str | None = Field(None, description="gzip file in data/embedded")
    path: str | None = Field(None, description="file, absolute or below the home")
    database: str | None = Field(
        None, description="database address such as sqlite:///shop.db, or $VARIABLE to take it from the environment"
    )
    query: str | None = Field(None, description="SELECT that gives the rows, where `database` is given")
    format: Literal["csv", "parquet", "jsonl", "excel"] = "csv"
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    addresses: tuple[str, ...] = Field((), description="canonical address first, then mirrors")
    member: str | None = Field(None, description="member of the tar archive found at the addresses")
    delimiter: str = Field(",", description="one character, or 'whitespace'")
    decimal: Literal[".", ","] = Field(".", description="decimal mark of numbers")
    encoding: str = "utf-8"
    header: bool = False
    sheet: str | None = Field(None, description="sheet of a workbook; the first by default")
    constants: Mapping[str, str] = Field(default_factory=dict, description="columns this file adds, one value each")

    @model_validator(mode="after")
    def _one_origin(self) -> SourceFile:
        if sum(origin is not None for origin in (self.embedded, self.path, self.database)) != 1:
            raise ContractMistake("a source needs one of `embedded`, `path` and `database`")
        if self.embedded is not None and self.sha256 is None:
            raise ContractMistake("an embedded file needs its `sha256`")
        if (self.database is None) != (self.query is None):
            raise ContractMistake("`database` and `query` go together")
        return self


class FeatureRules(_Model):
    """What the feature plan adds to the columns themselves."""

    ratios: tuple[tuple[str, str], ...] = Field((), description="numerator and denominator columns")


class RowCount(_Model):
    """How many rows a table may have."""

    minimum: Annotated[int, Field(ge=1)] = 1
    maximum: int | None = None


class Tolerances(_Model):
    """How far a table may be from the last accepted version, and from being of one mind."""

    row_count_change: Annotated[float, Field(gt=0)] = Field(
        0.5, description="largest change of the number of rows since the last version, as a share of it"
    )
    label_noise: Share = Field(0.05, description="largest share of rows whose features have another target elsewhere")
    drift: Annotated[float, Field(gt=0)] = Field(
        0.2, description="population stability index against the last version from which a column counts as moved"
    )
    proxy: Annotated[float, Field(gt=0, le=1)] = Field(
        0.98, description="score of one column alone (R², or accuracy beyond guessing) from which it is a target proxy"
    )


class Freshness(_Model):
    """How old the newest row may be."""

    maximum_age_days: Annotated[float, Field(gt=0)]
    column: str | None = Field(None, description="date column that tells; without it, when rows last arrived")


class Incoming(_Model):
    """What becomes of files in data/incoming/<dataset>."""

    policy: Literal["row", "file"] = Field("row", description="whether a bad row, or the whole file, is refused")
    largest_bad_share: Share = Field(0.2, description="share of bad rows from which the whole file is refused")


class Correction(_Model):
    """One value of a source that is known to be wrong; the clean table has the right one."""

    source: str
    row: Annotated[int, Field(ge=1)] = Field(description="number of the data row in the source, from 1")
    column: str
    was: float | str
    becomes: float | str
    reason: str = Field(min_length=1)


class Leakage(_Model):
    """What looks like leakage and is none."""

    accepted: Mapping[str, Annotated[str, Field(min_length=10)]] = Field(
        default_factory=dict, description="column, and why it is known when the prediction is made"
    )


class Limits(_Model):
    """What a model may cost where it is used; one over a limit cannot win."""

    megabytes: float | None = Field(None, gt=0, description="size of the stored model, in millions of bytes")
    ms_per_1000_rows: float | None = Field(None, gt=0, description="time to predict a thousand rows, in milliseconds")


class Decision(_Model):
    """What a wrong class costs, and how much each class weighs in training."""

    costs: Mapping[str, Mapping[str, Cost]] = Field(
        default_factory=dict,
        description="true label, said label, and what it costs to say it; a wrong label that is not named costs 1, "
        "the right one nothing",
    )
    class_weight: Literal["none", "balanced"] = Field(
        "none", description="whether rows of rare classes weigh more in training, in inverse proportion to their share"
    )

    @field_validator("costs", mode="before")
    @classmethod
    def _labels_are_texts(cls, costs: Any) -> Any:
        """Numbers as labels may stand without quotes; what YAML reads as true and false may not."""
        if not isinstance(costs, Mapping):
            return costs
        return {
            _label(k): {_label(s): c for s, c in v.items()} if isinstance(v, Mapping) else v for k, v in costs.items()
        }

    @model_validator(mode="after")
    def _right_costs_nothing(self) -> Decision:
        for label, said in self.costs.items():
            if said.get(label, 0) != 0:
                raise ContractMistake(
                    f"the right answer '{label}' has to cost 0; take the entry away", "costs", label, label
                )
        return self


def _label(key: Any) -> Any:
    if isinstance(key, bool):
        raise ContractMistake(
            f"label {str(key).lower()} is no text: YAML reads yes, no, on and off as true and false: put it in quotes"
        )
    return str(key) if isinstance(key, int) else key


CheckName = Literal[
    "schema",
    "ranges",
    "allowed_values",
    "uniqueness",
    "duplicates",
    "missing_share",
    "row_count",
    "target",
    "row_count_change",
    "label_noise",
    "target_drift",
    "feature_drift",
    "freshness",
    "leakage",
]


class DatasetSpec(_Model):
    """The whole contract of one dataset."""

    name: str = Field(pattern="^[a-z][a-z0-9_]{0,62}$")
    title: str
    description: str = ""
    task: Task
    target: str
    owner: str = "team:ml-assets"
    licence: str = ""
    citation: str = ""
    quirks: tuple[str, ...] = Field((), description="what a reader of the model card must know about the data")
    sources: tuple[SourceFile, ...] = Field(min_length=1)
    columns: Mapping[str, Column] = Field(min_length=2)
    row_count: RowCount = RowCount()
    key: tuple[str, ...] = Field((), description="columns that name a row; a later row of the same key takes its place")
    unique: tuple[tuple[str, ...], ...] = Field((), description="sets of columns that name a row at most once")
    group: str | None = Field(None, description="column whose equal values stay on one side of every split")
    time: str | None = Field(None, description="date column by which training rows come before test rows")
    duplicates: Duplicates = Field(
        "keep",
        description="what becomes of rows that repeat an earlier one: kept, on its side of every split; dropped; or "
        "independent, split like any other rows, where what the model will answer repeats rows as well",
    )
    near_duplicates: Share = Field(
        0.0,
        description="by what share of its column's spread every number of two rows may differ for them to stay on one "
        "side of every split, as copies do; 0 for copies alone",
    )
    duplicate_share: Share = Field(
        1.0, description="largest share of exact duplicates a table may have before it is refused"
    )
    corrections: tuple[Correction, ...] = ()
    checks: Mapping[CheckName, Severity] = Field(
        default_factory=dict, description="what a failed check does, where not the default"
    )
    tolerances: Tolerances = Tolerances()
    freshness: Freshness | None = None
    incoming: Incoming = Incoming()
    leakage: Leakage = Leakage()
    features: FeatureRules = FeatureRules()
    decision: Decision = Decision()
    limits: Limits = Limits()
    intervals: IntervalRules = IntervalRules()
    comparison: Comparison = Comparison()
    promotion: Promotion = Promotion()
    ordinal: bool = Field(
        False, description="whether the target is a rating: whole numbers, or classes that `allowed` has in their order"
    )
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    folds: Annotated[int, Field(ge=2)] = 5
    repeats: Annotated[int, Field(ge=1, le=10)] = Field(
        1, description="how many times the training rows are shared out to folds; more make scores of few rows surer"
    )

    @model_validator(mode="after")
    def _names_exist(self) -> DatasetSpec:
        for path, column in self._named_columns():
            if column not in self.columns:
                raise ContractMistake(str(UnknownNameError("column", column, self.columns)), *path)
        if taken := sorted(RESERVED & self.columns.keys()):
            raise ContractMistake(
                f"column name '{taken[0]}' is used by the pipeline itself; choose another and give it as `source_name`",
                "columns",
                taken[0],
            )
        if blank := [name for name in self.columns if not name.strip() or name != name.strip()]:
            raise ContractMistake(f"column name {blank[0]!r} is empty or has blanks around it", "columns", blank[0])
        if odd := [n for n in self.columns if n == "*" or (n.startswith("^") and n.endswith("$"))]:
            raise ContractMistake(
                f"column name '{odd[0]}' is a pattern; choose another and give it as `source_name`", "columns", odd[0]
            )
        target = self.columns[self.target]
        fitting = ("float", "integer") if self.task is Task.REGRESSION else ("category",)
        if target.dtype not in fitting:
            raise ContractMistake(
                f"target '{self.target}' is of dtype {target.dtype}, which does not suit {self.task.value}: "
                f"it has to be {' or '.join(fitting)}",
                "target",
            )
        if not self.feature_columns:
            raise ContractMistake("no column is left to be a feature", "columns")
        for field, named in (("time", self.time), ("freshness", self.freshness.column if self.freshness else None)):
            if named is not None and self.columns[named].dtype != "date":
                raise ContractMistake(f"column '{named}' is no date, and `{field}` needs one", field)
        return self

    @model_validator(mode="after")
    def _splits_fit(self) -> DatasetSpec:
        if (groups := self.intervals.groups) is not None and groups not in self.feature_columns:
            raise ContractMistake(
                f"intervals by '{groups}' need it with every row to predict, and it is no feature",
                "intervals",
                "groups",
            )
        if self.test_share + self._kept_share >= 1:
            raise ContractMistake("`test_share` and `calibration_share` leave no rows to train on", "intervals")
        if self.repeats > 1 and self.time is not None:
            raise ContractMistake("folds are blocks of time where `time` is given, and cannot be repeated", "repeats")
        if self.near_duplicates and (self.duplicates == "independent" or self.group or self.time):
            other = "duplicates: independent" if self.duplicates == "independent" else "group" if self.group else "time"
            raise ContractMistake(
                f"`near_duplicates` has no say where `{other}` decides what stays together: leave one of them out",
                "near_duplicates",
            )
        return self

    @model_validator(mode="after")
    def _limits_fit(self) -> DatasetSpec:
        limits = self.promotion.limits
        if self.task is Task.REGRESSION:
            for name in ("largest_ece", "largest_selection_gap"):
                if getattr(limits, name) is not None:
                    raise ContractMistake("a limit of classes, and a regression has none", "promotion", "limits", name)
        if not any(column.sensitive is not None for column in self.columns.values()):
            for name in ("largest_fairness_gap", "largest_selection_gap"):
                if getattr(limits, name) is not None:
                    raise ContractMistake(
                        "a gap is between groups of a sensitive column, and no column is `sensitive`",
                        "promotion",
                        "limits",
                        name,
                    )
        if texts := [name for name in self.promotion.slices if self.columns[name].dtype == "text"]:
            raise ContractMistake(f"column '{texts[0]}' is text, which has no slices", "promotion", "slices")
        return self

    @model_validator(mode="after")
    def _decision_fits(self) -> DatasetSpec:
        target = self.columns[self.target]
        if self.task is Task.REGRESSION:
            if self.decision != Decision():
                raise ContractMistake("a decision is between classes, and a regression has none", "decision")
            if self.ordinal and target.dtype != "integer":
                raise ContractMistake(
                    f"an ordinal target is of dtype integer or category, and '{self.target}' is {target.dtype}",
                    "ordinal",
                )
        elif self.ordinal and not target.allowed:
            raise ContractMistake(
                f"the order of ordinal classes is that of `allowed`, which column '{self.target}' lacks", "ordinal"
            )
        for path, label in self.decision_labels():
            if target.allowed and label not in target.allowed:
                raise ContractMistake(str(UnknownNameError("label", label, target.allowed)), *path)
        return self

    def decision_labels(self) -> list[tuple[tuple[str, ...], str]]:
        """Every place of the decision's costs that names a label, and the label."""
        costs, place = self.decision.costs, ("decision", "costs")
        true = [((*place, label), label) for label in costs]
        return true + [((*place, label, said), said) for label, row in costs.items() for said in row]

    def _named_columns(self) -> list[tuple[tuple[str | int, ...], str]]:
        """Every place that names a column, and the name."""
        named: list[tuple[tuple[str | int, ...], str | None]] = [
            (("target",), self.target),
            (("group",), self.group),
            (("time",), self.time),
            (("freshness", "column"), self.freshness.column if self.freshness else None),
            (("intervals", "groups"), self.intervals.groups),
            *((("features", "ratios", at), c) for at, pair in enumerate(self.features.ratios) for c in pair),
            *((("unique", at), c) for at, names in enumerate(self.unique) for c in names),
            *((("key", at), c) for at, c in enumerate(self.key)),
            *((("corrections", at, "column"), c.column) for at, c in enumerate(self.corrections)),
            *((("leakage", "accepted", c), c) for c in self.leakage.accepted),
            *((("promotion", "slices", at), c) for at, c in enumerate(self.promotion.slices)),
        ]
        return [(path, name) for path, name in named if name is not None]

    @property
    def _kept_share(self) -> float:
        return self.intervals.calibration_share if self.intervals.calibration == "split" else 0.0

    @property
    def feature_columns(self) -> tuple[str, ...]:
        """Columns a model takes, in contract order: all but the target, the sensitive and the ignored ones."""
        return tuple(
            n for n, c in self.columns.items() if n != self.target and c.sensitive is None and c.ignored is None
        )

    @property
    def numeric_features(self) -> tuple[str, ...]:
        """Feature columns that hold numbers, booleans among them."""
        return tuple(n for n in self.feature_columns if self.columns[n].is_number)

    @property
    def categorical_features(self) -> tuple[str, ...]:
        """Feature columns that hold labels."""
        return tuple(n for n in self.feature_columns if self.columns[n].is_label)

    @property
    def date_features(self) -> tuple[str, ...]:
        """Feature columns that hold dates."""
        return tuple(n for n in self.feature_columns if self.columns[n].dtype == "date")

    @property
    def text_features(self) -> tuple[str, ...]:
        """Feature columns that hold free text."""
        return tuple(n for n in self.feature_columns if self.columns[n].dtype == "text")

    @property
    def labels(self) -> tuple[str, ...]:
        """Class labels in contract order; empty for a regression."""
        return self.columns[self.target].allowed or () if self.task is Task.CLASSIFICATION else ()
