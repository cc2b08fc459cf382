"""JSON rows of a request: whether they keep the contract, and their table. Files belong in validation.

A number outside the contract's range is accepted: a range says what was seen when the contract was written, a
caller may well meet more of the world, and monitoring counts it. A refusal would hide the very shift it has
to find.
"""

from __future__ import annotations

import datetime as dt
import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError, create_model

from ml_assets.datasets.reading.cells import MAX_CELL_BYTES, MAX_TEXT_BYTES
from ml_assets.errors import ContractViolation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from ml_assets.datasets.spec import Column, DatasetSpec

MAXIMUM_ROWS = 10_000
MAXIMUM_BODY_BYTES = 16 * 1024 * 1024
SHOWN_PROBLEMS = 20
LARGEST_NUMBER = float(np.finfo(np.float32).max)
"""Trees compute in float32: a larger number would be an infinity to them."""

_STRICT = ConfigDict(strict=True, extra="forbid", frozen=True)


@dataclass(frozen=True)
class RowProblem:
    """What is wrong with one field; `row` counts from 0, both are None if the whole request is wrong."""

    row: int | None
    field: str | None
    message: str

    def __str__(self) -> str:
        place = [f"row {self.row}"] if self.row is not None else []
        place += [f"field '{self.field}'"] if self.field is not None else []
        return f"{', '.join(place)}: {self.message}" if place else self.message


class RowsError(ContractViolation):
    """Rows of a request that break the contract; `problems` names the first of them."""

    def __init__(self, dataset: str, problems: Sequence[RowProblem]) -> None:
        self.problems = tuple(problems[:SHOWN_PROBLEMS])
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        super().__init__(f"{dataset}: {problems[0]}{more}")


class RowValidator:
    """Checks the rows of requests against one contract.

    A row names every feature. Only a feature that may be missing by contract may be null or left out. Numbers
    are finite JSON numbers (an integer may be written 3.0), booleans true, false, 1 or 0, dates strings by ISO
    8601, categories strings, among `allowed` where that is given, and texts any strings. As in files, blanks around
    a label are no part of it, and a string of nothing but blanks, or one of `missing_texts`, is missing.
    """

    def __init__(self, spec: DatasetSpec) -> None:
        self._spec = spec
        fields: dict[str, Any] = {}
        for i, name in enumerate(spec.feature_columns):
            column = spec.columns[name]
            optional = column.missing_share > 0
            kind = value_type(column, optional=optional)
            fields[f"f{i}"] = (kind, Field(None, alias=name) if optional else Field(alias=name))
        row: type[BaseModel] = create_model("Row", __config__=_STRICT, **fields)
        rows = Annotated[list[row], Field(min_length=1, max_length=MAXIMUM_ROWS)]
        self._request: type[BaseModel] = create_model("Request", __config__=_STRICT, rows=(rows, ...))

    def parse(self, body: bytes) -> list[dict[str, Any]]:
        """Rows of the JSON text `{"rows": [{…}]}`, each with every feature in contract order.

        Values are float, int, bool, str, None, and for dates `datetime` in UTC without an offset.

        Raises:
            RowsError: the text is no such JSON, or a row breaks the contract.
        """
        try:
            request = self._request.model_validate_json(body)
        except ValidationError as error:
            raise RowsError(self._spec.name, self._problems(error)) from error
        return [row.model_dump(by_alias=True) for row in request.rows]  # type: ignore[attr-defined]

    def _problems(self, error: ValidationError) -> list[RowProblem]:
        details = error.errors(include_url=False, include_input=False)
        return [self._problem(e["type"], e["loc"], e["msg"]) for e in details]

    def _problem(self, kind: str, place: tuple[int | str, ...], message: str) -> RowProblem:
        row = place[1] if len(place) > 1 and place[0] == "rows" else None
        if not isinstance(row, int):
            return RowProblem(None, None, _request_message(kind, place, message))
        if len(place) == 2:
            return RowProblem(row, None, "a row has to be an object of field names and values")
        field = str(place[2])
        if kind == "extra_forbidden":
            close = difflib.get_close_matches(field, self._spec.feature_columns, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(self._spec.feature_columns)}"
            return RowProblem(row, field, f"not a feature of {self._spec.name}: {hint}")
        return RowProblem(row, field, "is missing" if kind == "missing" else _plain(message))


class LabelValidator:
    """Checks that a late label is a value the target may take."""

    def __init__(self, spec: DatasetSpec) -> None:
        self._spec = spec
        self._adapter: TypeAdapter[Any] = TypeAdapter(value_type(spec.columns[spec.target]), config={"strict": True})

    def check(self, label: object) -> float | str:
        """The label itself.

        Raises:
            RowsError: the target cannot take this value.
        """
        try:
            value: float | str = self._adapter.validate_python(label)
        except ValidationError as error:
            message = _plain(error.errors(include_url=False)[0]["msg"])
            raise RowsError(self._spec.name, [RowProblem(None, "label", message)]) from error
        return value


def value_type(column: Column, *, optional: bool = False) -> Any:
    """Pydantic type of a value of `column`, or of one that may be missing."""
    kind, read = _type_and_reader(column)
    return Annotated[kind | None if optional else kind, BeforeValidator(read)]


def _type_and_reader(column: Column) -> tuple[Any, Callable[[object], object]]:
    """What a present value has to be, once the function has made it of what JSON carries."""
    match column.dtype:
        case "category":
            return Literal[column.allowed] if column.allowed else str, _label_reader(column, MAX_CELL_BYTES)
        case "text":
            return str, _label_reader(column, MAX_TEXT_BYTES)
        case "date":
            return dt.datetime, _written_moment
        case "boolean":
            return bool, _truth
        case "integer":
            limits = np.iinfo(np.int64)
            return Annotated[int, Field(ge=int(limits.min), le=int(limits.max))], _integral
    return Annotated[float, Field(allow_inf_nan=False, ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)], lambda value: value


def rows_to_frame(spec: DatasetSpec, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Table (rows, features in contract order) as training sees it, in the dtypes of `datasets.raw.to_pandas`.

    Floats, booleans (0 and 1), and integers that may be missing are float64 with NaN for null; other integers are
    int64; labels and texts are object with None for null, dates datetime64[us] with NaT.
    """
    return pd.DataFrame(
        {name: typed_column(spec.columns[name], [row.get(name) for row in rows]) for name in spec.feature_columns}
    )


def typed_column(column: Column, values: Sequence[Any]) -> NDArray[Any]:
    """`values` (n,) of requests, or of the log, as training sees them; one that `column` cannot have is missing."""
    if column.is_number:
        numbers = [value if isinstance(value, int | float) else None for value in values]
        whole = column.dtype == "integer" and column.missing_share == 0 and None not in numbers
        return np.array(numbers, dtype=np.int64 if whole else np.float64)
    if column.dtype == "date":
        return np.array([_logged_moment(value) for value in values], dtype="datetime64[us]")
    return np.array([value if isinstance(value, str) else None for value in values], dtype=object)


def _logged_moment(value: object) -> dt.datetime | None:
    try:
        return _moment(value) if isinstance(value, str | dt.datetime) else None
    except ValueError:
        return None


def _label_reader(column: Column, most_bytes: int) -> Callable[[object], object]:
    def read(value: object) -> object:
        if not isinstance(value, str):
            return value
        bare = value.strip()
        if not bare or bare in column.missing_texts:
            return None
        if len(value.encode()) > most_bytes:
            raise ValueError(f"has to be a string of at most {most_bytes} bytes")
        if "\0" in value:
            raise ValueError("has to be a string without zero bytes")
        return bare if column.dtype == "category" else value

    return read


def _moment(value: str | dt.datetime) -> dt.datetime:
    """A date by ISO 8601 as `datetime` in UTC without an offset."""
    try:
        found = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(value.strip())
        return found if found.tzinfo is None else found.astimezone(dt.UTC).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise ValueError("has to be a date by ISO 8601, such as 2024-01-31 or 2024-01-31T12:00:00+01:00") from error


def _written_moment(value: object) -> object:
    if not isinstance(value, str):
        return value
    return _moment(value) if value.strip() else None


def _truth(value: object) -> object:
    return bool(value) if isinstance(value, int | float) and value in (0, 1) else value


def _integral(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _request_message(kind: str, place: tuple[int | str, ...], message: str) -> str:
    if kind == "json_invalid":
        return f"the body is not valid JSON ({message.removeprefix('Invalid JSON: ')})"
    if kind in ("too_short", "too_long"):
        return f"a request has 1 to {MAXIMUM_ROWS} rows"
    if kind == "extra_forbidden":
        return f"the body has a key '{place[-1]}' beside 'rows'"
    return 'the body has to be an object {"rows": [{…}, …]}'


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ").replace("Input should be", "has to be")
