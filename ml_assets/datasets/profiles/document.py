"""What the profile of a table's version says, and how it is kept. Computing one belongs in `profiling`.

Loads no data frame library, so that a notebook or a page that only shows a profile starts quickly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from ml_assets.datasets.spec import DatasetSpec
from ml_assets.errors import IntegrityError
from ml_assets.evaluation.documents import read_document, write_document

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENT: Final = "table_profile.json"
QUANTILES: Final = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)

Role = Literal["target", "feature", "sensitive", "ignored"]


@dataclass(frozen=True)
class Histogram:
    """Rows by value, at most `histograms.MOST_BINS` bins.

    Attributes:
        edges: ascending, one more than there are bins; a bin holds its lower edge, the last its upper one too.
        counts: rows in each bin.
        below: rows under the first edge; long tails are left out of the bins.
        above: rows over the last edge.
        earlier: the last version's rows in the same bins; empty where there is no such column or version.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    below: int = 0
    above: int = 0
    earlier: tuple[int, ...] = ()


@dataclass(frozen=True)
class ColumnProfile:
    """One column of one version.

    Numbers are the values themselves, seconds since 1970 of a date, and the lengths in characters of a text. They
    are None where the column has none, or where they overflow.

    Attributes:
        role: what the contract uses the column for.
        missing: rows without a value.
        infinite: rows with an infinite one; it has no part in the numbers.
        distinct: different values.
        std: population standard deviation.
        quantiles: value by each of `QUANTILES`, as text.
        labels: rows of the most frequent labels or texts, most frequent first; empty for numbers and dates.
        other: rows with a rarer label.
        labels_earlier: rows of the same labels in the last version.
        cap: the number that stands for itself and everything beyond.
        capped: rows with that number.
    """

    name: str
    dtype: str
    role: Role
    rows: int
    missing: int
    distinct: int
    infinite: int = 0
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    std: float | None = None
    quantiles: Mapping[str, float] = field(default_factory=dict)
    histogram: Histogram | None = None
    labels: Mapping[str, int] = field(default_factory=dict)
    other: int = 0
    labels_earlier: Mapping[str, int] = field(default_factory=dict)
    cap: float | None = None
    capped: int = 0

    @property
    def missing_share(self) -> float:
        """Share of rows without a value."""
        return self.missing / self.rows if self.rows else 0.0

    @property
    def capped_share(self) -> float:
        """Share of rows at the cap."""
        return self.capped / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class Correlations:
    """Spearman's rank correlation of numbers, booleans and dates, pairwise over rows that have both.

    Attributes:
        columns: the target first, where it is one of them.
        matrix: symmetric; None where a column does not vary.
        rows: rows it was computed from.
        left_out: further columns that would have made it too large.
    """

    columns: tuple[str, ...]
    matrix: tuple[tuple[float | None, ...], ...]
    rows: int
    left_out: int = 0


@dataclass(frozen=True)
class ColumnDrift:
    """How far one column is from the last version, by the rules of the checks in `validation.history`.

    Attributes:
        psi: population stability index over the last version's tenths or labels, a missing value being one of them.
        distance: Kolmogorov and Smirnov's for numbers, Cramér's V for labels; 0 to 1.
        measure: which of the two.
        p_value: of the test that goes with the distance, corrected for the columns looked at together.
        mean_before: of numbers; None for labels, as is `mean_now`.
        moved: whether the index reaches the contract's tolerance and the test says that this is no chance.
    """

    column: str
    psi: float
    distance: float
    measure: str
    p_value: float
    missing_before: float
    missing_now: float
    mean_before: float | None
    mean_now: float | None
    moved: bool


@dataclass(frozen=True)
class Changes:
    """What became of the last version's rows and columns.

    Attributes:
        rows_changed: rows of a key that both versions have, with other values; without a key a row is its content,
            and a changed one counts as removed and added.
        columns_added: columns the last version did not have; rows are compared over the columns of both.
        columns_retyped: columns that had another type and are not compared.
    """

    rows_before: int
    rows_added: int
    rows_removed: int
    rows_changed: int = 0
    columns_added: tuple[str, ...] = ()
    columns_removed: tuple[str, ...] = ()
    columns_retyped: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether the version holds the same rows and columns as the last."""
        counts = self.rows_added + self.rows_removed + self.rows_changed
        return counts == 0 and not (self.columns_added or self.columns_removed or self.columns_retyped)


@dataclass(frozen=True)
class TableProfile:
    """How one version of a raw table looks.

    Attributes:
        contract: the contract as JSON, for its words, units and quirks.
        duplicates: rows that repeat an earlier one exactly.
        batches: rows by the source or file they came from, the largest first.
        changes: against the last version; None for a first one.
        drift: of the columns both versions have, largest index first.
        seed: of the rows that correlations were computed from.
    """

    dataset: str
    contract: Mapping[str, Any]
    rows: int
    duplicates: int
    batches: Mapping[str, int]
    columns: tuple[ColumnProfile, ...]
    correlations: Correlations
    changes: Changes | None = None
    drift: tuple[ColumnDrift, ...] = ()
    seed: int = 0

    @property
    def spec(self) -> DatasetSpec:
        """The contract."""
        return DatasetSpec.model_validate(self.contract)

    def column(self, name: str) -> ColumnProfile:
        """The profile of one column."""
        return next(column for column in self.columns if column.name == name)

    def save(self, folder: Path) -> None:
        """Writes `table_profile.json`."""
        write_document(folder / DOCUMENT, asdict(self))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads back what `save` wrote.

        Raises:
            IntegrityError: the file is missing or no profile.
        """
        document = read_document(folder / DOCUMENT)
        try:
            return cls(**{**document, **_parts(document)})
        except (TypeError, KeyError) as error:
            raise IntegrityError(
                f"{folder / DOCUMENT} is no profile of a table: materialize data_profile again"
            ) from error


def _parts(document: Mapping[str, Any]) -> dict[str, Any]:
    matrix = tuple(tuple(row) for row in document["correlations"]["matrix"])
    changes = document["changes"]
    return {
        "columns": tuple(_column(column) for column in document["columns"]),
        "correlations": Correlations(**{**_tuples(document["correlations"]), "matrix": matrix}),
        "changes": Changes(**_tuples(changes)) if changes else None,
        "drift": tuple(ColumnDrift(**drift) for drift in document["drift"]),
    }


def _column(document: Mapping[str, Any]) -> ColumnProfile:
    histogram = document["histogram"]
    return ColumnProfile(**{**document, "histogram": Histogram(**_tuples(histogram)) if histogram else None})


def _tuples(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in document.items()}
