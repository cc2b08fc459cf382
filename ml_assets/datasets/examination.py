"""A dataset, or a file for one, looked at by its contract: nothing is taken, kept, moved or trained.

Taking files belongs in `intake`, making the raw table in `ingestion`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ml_assets.datasets.incoming.batches import batches, newest_arrival
from ml_assets.datasets.incoming.screening import read_handed_in, screen
from ml_assets.datasets.raw import conform_raw
from ml_assets.datasets.reading.columns import accepted_names, composed
from ml_assets.datasets.reading.files import read_file
from ml_assets.datasets.reading.formats import found_table
from ml_assets.datasets.reading.opening import incoming_source
from ml_assets.datasets.state import table_versions
from ml_assets.datasets.tables import assemble, read_sources
from ml_assets.datasets.versions.store import content_id
from ml_assets.errors import SourceError, UserError
from ml_assets.validation.contract_checks import Earlier, check_table
from ml_assets.validation.history import LARGEST_SAMPLE

if TYPE_CHECKING:
    import polars as pl

    from ml_assets.datasets.incoming.screening import Screened
    from ml_assets.datasets.sources import Mode
    from ml_assets.datasets.spec import DatasetSpec, SourceFile
    from ml_assets.datasets.versions.store import TableVersions, Version
    from ml_assets.home import Home
    from ml_assets.validation.outcomes import CheckOutcome

ENOUGH: Final = 0.5
"""Share of a contract's columns that a file must have to be taken for one of its."""


@dataclass(frozen=True)
class ExaminedFile:
    """A file as its dataset would take it.

    Attributes:
        spec: the contract it was held against.
        source: how it is read.
        screened: its rows, told apart.
    """

    spec: DatasetSpec
    source: SourceFile
    screened: Screened

    @property
    def refused(self) -> int:
        """Rows that break the contract."""
        return len(self.screened.bad.cells)


def examine_dataset(spec: DatasetSpec, home: Home, *, mode: Mode, now: float) -> list[CheckOutcome]:
    """What the contract's checks say of sources and accepted batches as they are, against the last other version.

    Of a dataset that is pinned to a version, of that version.

    Args:
        spec: the contract.
        home: the home.
        mode: where canonical files are taken from.
        now: seconds since 1970.

    Raises:
        SourceError: a source cannot be had or read.
        ContractViolation: a source has other columns than the contract.
    """
    versions = table_versions(home, spec.name)
    pinned = versions.pinned()
    table = _table(spec, home, mode) if pinned is None else conform_raw(spec, versions.read(pinned), origin=pinned.id)
    last = _previous(versions, table)
    return check_table(
        spec,
        table,
        previous=Earlier(last.rows, versions.sample(last, LARGEST_SAMPLE, seed=0)) if last is not None else None,
        now=dt.datetime.fromtimestamp(now, dt.UTC).replace(tzinfo=None),
        newest_arrival=newest_arrival(spec, home),
    )


def examine_file(spec: DatasetSpec, path: Path, home: Home, *, mode: Mode) -> ExaminedFile:
    """The rows of a file, told apart as they would be if it were handed in.

    Raises:
        SourceError: the file cannot be read, is no table, or has no row.
        ContractViolation: its columns are not those of the contract.
    """
    content = read_file(path)
    source = incoming_source(spec, path, content)
    read = read_handed_in(spec, source, content)
    return ExaminedFile(spec, source, screen(spec, source, read, table=lambda: _table(spec, home, mode)))


def dataset_of(path: Path, contracts: Mapping[str, DatasetSpec]) -> DatasetSpec:
    """The dataset whose columns a file has: most of them, and more than those of any other.

    Raises:
        SourceError: the file cannot be read as a table.
        UserError: no dataset, or more than one, has such columns.
    """
    content = read_file(path)
    shares = {name: _share_of_columns(spec, path, content) for name, spec in contracts.items()}
    best = max(shares.values(), default=0.0)
    fitting = [name for name, share in shares.items() if share == best]
    if best < ENOUGH:
        raise UserError(
            f"{path.name} has the columns of no dataset: name one with --dataset, or make it one of its own with "
            f"`ml-assets add {path.name} --target …`"
        )
    if len(fitting) > 1:
        raise UserError(f"{path.name} may be of {' or '.join(fitting)}: say which with --dataset")
    return contracts[fitting[0]]


def _table(spec: DatasetSpec, home: Home, mode: Mode) -> pl.DataFrame:
    sources = read_sources(spec, mode=mode, cache=home.data / "downloads", home=home.root)
    return assemble(spec, sources, batches(spec, home))


def _previous(versions: TableVersions, table: pl.DataFrame) -> Version | None:
    """The current version, or the one before it if the table is that one."""
    current = versions.current()
    if current is not None and content_id(table) == current.id:
        return versions.previous()
    return current


class _HeaderSeen(Exception):
    """Ends the reading of a file once its header is known."""

    def __init__(self, header: Collection[str]) -> None:
        super().__init__()
        self.header = header


def _share_of_columns(spec: DatasetSpec, path: Path, content: bytes) -> float:
    """Share of a contract's columns among those of a file, less a little for each that is not the contract's."""
    source = incoming_source(spec, path, content)
    accepted = {composed(written): name for written, name in accepted_names(spec).items()}
    header = [composed(name) for name in _header(source, content)]
    found = {accepted[name] for name in header if name in accepted}
    return len(found) / len(spec.columns) - 1e-6 * sum(name not in accepted for name in header)


def _header(source: SourceFile, content: bytes) -> Collection[str]:
    def seen(header: Collection[str]) -> tuple[str, ...]:
        raise _HeaderSeen(header)

    try:
        found_table(source, content, names=None, header=seen, origin=source.name)
    except _HeaderSeen as found:
        return found.header
    raise SourceError(f"{source.name} has no header: write one")
