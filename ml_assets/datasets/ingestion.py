"""One dataset's raw table, made: incoming files taken, sources read, the contract checked, the version kept.

Each of these has a module of its own; what Dagster is told of it belongs in `assets`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ml_assets.datasets.incoming.batches import batches, newest_arrival
from ml_assets.datasets.incoming.intake import IntakeReport, take_incoming
from ml_assets.datasets.raw import conform_raw
from ml_assets.datasets.reading.files import below_home
from ml_assets.datasets.state import raw_state, table_versions
from ml_assets.datasets.tables import assemble, read_sources
from ml_assets.datasets.versions.store import TableVersions, Version
from ml_assets.errors import ContractViolation, SourceError
from ml_assets.validation.contract_checks import Earlier, check_table
from ml_assets.validation.history import LARGEST_SAMPLE
from ml_assets.validation.outcomes import raise_on_failure
from ml_assets.validation.quarantine import quarantine

if TYPE_CHECKING:
    import polars as pl

    from ml_assets.datasets.download import Progress
    from ml_assets.datasets.sources import Mode
    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.home import Home
    from ml_assets.validation.outcomes import CheckOutcome


@dataclass(frozen=True)
class Ingested:
    """A raw table that was checked.

    Attributes:
        outcomes: what the contract's checks found.
        intake: what became of incoming files.
        version: the version the table is; None where the contract refused it.
        refused: name of the quarantine entry of a refused table.
        source_fingerprint: state of everything the table was made from.
    """

    outcomes: tuple[CheckOutcome, ...]
    intake: IntakeReport
    version: Version | None
    refused: str | None
    source_fingerprint: str

    def refuse_if_violated(self, spec: DatasetSpec) -> Version:
        """The version that was kept.

        Raises:
            ContractViolation: a blocking check failed; with what to do about it.
        """
        raise_on_failure(spec, self.outcomes, quarantined=self.refused)
        if self.version is None:
            raise ContractViolation(f"{spec.name}: the table was refused")
        return self.version


def ingest(
    spec: DatasetSpec,
    home: Home,
    *,
    mode: Mode,
    now: Callable[[], float],
    progress: Progress | None = None,
) -> Ingested:
    """Takes what came in, reads, checks, and keeps the table as a version; a refused one goes to quarantine.

    A dataset that is pinned to a version takes neither sources nor incoming files: its version is checked under the
    contract as it is now.

    Args:
        spec: the contract.
        home: the home.
        mode: where canonical files are taken from.
        now: the clock, seconds since 1970.
        progress: called during downloads.

    Raises:
        SourceError: a source cannot be had or read, or changed meanwhile.
        ContractViolation: a source has other columns than the contract.
        StorageError: the home cannot be written.
    """
    versions = table_versions(home, spec.name)
    check = _Checks(spec, home, versions, now)
    pinned = versions.pinned()
    if pinned is not None:
        intake, state = IntakeReport(()), raw_state(spec, home, mode)
        table = conform_raw(spec, versions.read(pinned), origin=pinned.label)
    else:
        before = _source_stats(spec, home)
        sources = read_sources(spec, mode=mode, cache=home.data / "downloads", home=home.root, progress=progress)

        def put_together(accepted: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
            return assemble(spec, sources, accepted)

        intake = take_incoming(spec, home=home, base=put_together, check=check.of_candidate, now=now)
        state = raw_state(spec, home, mode, waiting=False)
        table = put_together(batches(spec, home))
        if changed := before.items() ^ _source_stats(spec, home).items():
            raise SourceError(f"{spec.name}: {min(changed)[0]} changed while it was read: run again")
    content = versions.content_of(table)
    outcomes = tuple(check.of(table, content.id))
    if any(outcome.blocking and not outcome.passed for outcome in outcomes):
        return Ingested(outcomes, intake, None, quarantine(spec, table, outcomes, home.quarantine, now=now).name, state)
    version = versions.commit(table, spec=spec, created_at=now(), source_fingerprint=state, content=content)
    return Ingested(outcomes, intake, version, None, state)


class _Checks:
    """The contract's checks against the version before, of which a sample is read once."""

    def __init__(self, spec: DatasetSpec, home: Home, versions: TableVersions, now: Callable[[], float]) -> None:
        self._spec, self._home, self._versions, self._now = spec, home, versions, now
        self._earlier: dict[str, Earlier] = {}

    def of_candidate(self, table: pl.DataFrame) -> list[CheckOutcome]:
        """What the checks say of a table with a new batch, against the current version."""
        return self._checked(table, self._versions.current())

    def of(self, table: pl.DataFrame, identity: str) -> list[CheckOutcome]:
        """What the checks say of the table, against the current version, or the one before if that is the same."""
        current = self._versions.current()
        same = current is not None and identity == current.id
        return self._checked(table, self._versions.previous() if same else current)

    def _checked(self, table: pl.DataFrame, previous: Version | None) -> list[CheckOutcome]:
        return check_table(
            self._spec,
            table,
            previous=self._sampled(previous) if previous is not None else None,
            now=datetime.fromtimestamp(self._now(), UTC).replace(tzinfo=None),
            newest_arrival=newest_arrival(self._spec, self._home),
        )

    def _sampled(self, version: Version) -> Earlier:
        if version.id not in self._earlier:
            sample = self._versions.sample(version, LARGEST_SAMPLE, seed=0)
            self._earlier = {version.id: Earlier(version.rows, sample)}
        return self._earlier[version.id]


def _source_stats(spec: DatasetSpec, home: Home) -> dict[str, tuple[int, int]]:
    """Size and time of change of each file that is a source."""
    paths = {source.name: below_home(source.path, home.root) for source in spec.sources if source.path is not None}
    found = {}
    for name, path in paths.items():
        status = path.stat() if path.exists() else None
        found[name] = (status.st_size, status.st_mtime_ns) if status else (-1, -1)
    return found
