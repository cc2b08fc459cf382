"""Versions of a raw table: each content is kept once under its hash, until `retention` lets it go.

Rows that are new in a version go into a pack of their own; the others are taken from the packs of the version before.
So a version that differs in a few rows costs little more than those. The record of a version is written last: a killed
process leaves the earlier state. How rows are laid out and stored belongs in `version_layout` and `version_packs`, how
two versions differ in `version_difference`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from ml_assets.artifacts import storage_errors
from ml_assets.datasets.identity import BATCH
from ml_assets.datasets.versions.alignment import NOWHERE, align, align_grown
from ml_assets.datasets.versions.content import content_id, content_ids
from ml_assets.datasets.versions.difference import ChangeCounts, difference
from ml_assets.datasets.versions.folder import VersionFolder, is_hash, read_json, write_json
from ml_assets.datasets.versions.layout import Layout, Pack, follow
from ml_assets.datasets.versions.packs import read_layout, write_layout
from ml_assets.datasets.versions.records import Version
from ml_assets.errors import IntegrityError, UnknownNameError, UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ml_assets.datasets.spec import DatasetSpec

__all__ = ["LATEST", "PREVIOUS", "TableVersions", "Version", "content_id"]

LATEST: Final = "latest"
PREVIOUS: Final = "previous"
NAMES_SHOWN: Final = 10
SHORTEST_ID: Final = 4
"""Characters of an id from which on it is one; fewer can only be a number."""


@dataclass(frozen=True)
class Content:
    """What a table holds.

    Attributes:
        id: its `content_id`.
        grown_from: id of the version whose rows it begins with, if that was the current one and is there.
    """

    id: str
    grown_from: str | None = None


@dataclass(frozen=True)
class TableVersions:
    """The versions of one dataset's raw table, kept below `folder`, which is named after the dataset."""

    folder: Path

    @property
    def files(self) -> VersionFolder:
        """What lies where."""
        return VersionFolder(self.folder)

    def commit(
        self,
        table: pl.DataFrame,
        *,
        spec: DatasetSpec,
        created_at: float,
        source_fingerprint: str,
        content: Content | None = None,
    ) -> Version:
        """The version that holds exactly `table`, made if there is none yet; it is the current one from now on.

        Processes that commit to one dataset take turns. A version whose files were damaged is stored anew.

        Args:
            table: a raw table.
            spec: the contract in force.
            created_at: seconds since 1970.
            source_fingerprint: state of the sources that the table was read from.
            content: what `content_of` says of the table, where it was asked already.

        Raises:
            StorageError: the folder cannot be written; the earlier version stays current.
            IntegrityError: the record of another version was damaged.
        """
        with self.files.turn():
            content = content or self.content_of(table)
            version = self.files.stored(content.id)
            if version is None:
                version = self._add(table, content, spec, created_at, source_fingerprint)
            elif not self._is_sound(version):
                version = self._mend(version, table)
            self._make_current(version)
        return version

    def content_of(self, table: pl.DataFrame) -> Content:
        """What a table is called, and whether it is the current version with rows after it.

        Raises:
            IntegrityError: the record of the current version is missing or was damaged.
        """
        current = self.current()
        if current is None or current.rows > table.height:
            return Content(content_id(table))
        beginning, whole = content_ids(table, current.rows, table.height)
        return Content(whole, current.id if beginning == current.id else None)

    def current(self) -> Version | None:
        """The version that was committed last, or None where there is none yet.

        Raises:
            IntegrityError: its record is missing or was damaged.
        """
        named = read_json(self.files.current).get("version")
        return max(self.log(), key=_number, default=None) if named is None else self._known(named)

    def previous(self) -> Version | None:
        """The version that was current before; where that is no longer kept, the newest of a smaller number, or None.

        Raises:
            IntegrityError: a record was damaged.
        """
        if (named := self.files.stored(read_json(self.files.current).get("previous"))) is not None:
            return named
        current = self.current()
        return max((v for v in self.log() if current and v.number < current.number), key=_number, default=None)

    def log(self) -> tuple[Version, ...]:
        """All versions that are kept, by number.

        Raises:
            IntegrityError: a record was damaged.
        """
        return self.files.all_stored()

    def find(self, name: str) -> Version:
        """The version that a person calls `name`: its number, "latest", "previous", or the beginning of its id.

        Raises:
            UnknownNameError: there is none of that name.
            UserError: several have it, or nothing was kept yet.
        """
        log, current, dataset = self.log(), self.current(), self.folder.name
        if current is None:
            raise UserError(f"{dataset} has no versions yet: `ml-assets run {dataset}` keeps the first")
        if name == LATEST:
            return current
        if name == PREVIOUS:
            if (before := self.previous()) is None:
                raise UserError(f"{dataset} has no version before {current.label}")
            return before
        matching = [v for v in log if name == str(v.number)]
        if not matching and len(name) >= SHORTEST_ID:
            matching = [v for v in log if v.id.startswith(name)]
        if len(matching) > 1:
            shown = ", ".join(version.short for version in matching[:NAMES_SHOWN])
            raise UserError(f"{len(matching)} versions of {dataset} begin with '{name}': {shown}; give more of the id")
        if not matching:
            known = [name for v in log[-NAMES_SHOWN:] for name in (str(v.number), v.short)]
            raise UnknownNameError(f"version of {dataset}", name, [LATEST, PREVIOUS, *known])
        return matching[0]

    def read(self, version: Version) -> pl.DataFrame:
        """The table of a version, verified: the bytes on disk, and the content against the version's id.

        Raises:
            IntegrityError: a file is missing or was changed; names it and says what to do.
        """
        table = self.files.packs.read(self._layout(version))
        if content_id(table) != version.id:
            raise IntegrityError(
                f"{self.files.record(version.id)} names rows that are not those of {version.label}: put the files "
                f"below {self.folder} back from a copy, or materialize raw_table again"
            )
        return table

    def sample(self, version: Version, most: int, *, seed: int) -> pl.DataFrame:
        """At most so many rows of a version, in order, drawn without replacement; the bytes on disk are verified.

        Raises:
            IntegrityError: a file is missing or was changed; names it and says what to do.
        """
        stored = self.files.packs.open(self._layout(version))
        if stored.height <= most:
            return stored.frame()
        drawn = np.random.default_rng(seed).choice(stored.height, most, replace=False, shuffle=False)
        return stored.rows(np.sort(drawn))

    def derive(self, clean_hash: str, version_id: str) -> None:
        """Remembers that the clean table with the hash `clean_hash` was made from a version."""
        write_json(self.files.derived(clean_hash), {"version": version_id})

    def origin_of(self, clean_hash: str) -> Version | None:
        """The version that a clean table was last made from; None where that is not known or no longer kept."""
        if not is_hash(clean_hash):
            return None
        return self.files.stored(read_json(self.files.derived(clean_hash)).get("version"))

    def pin(self, version: Version | None) -> None:
        """Holds the dataset at a version: the next run takes it in place of what the sources hold. None lets go."""
        file = self.files.pinned
        if version is not None:
            write_json(file, {"version": version.id})
            return
        with storage_errors(file):
            file.unlink(missing_ok=True)

    def pinned(self) -> Version | None:
        """The version that the dataset is held at, or None.

        Raises:
            IntegrityError: its record is missing or was damaged.
        """
        named = read_json(self.files.pinned).get("version")
        return None if named is None else self._known(named)

    def _known(self, identity: str) -> Version:
        version = self.files.stored(identity)
        if version is None:
            raise IntegrityError(
                f"{self.files.record(identity)} is missing: put it back from a copy, or remove "
                f"{self.files.current} and {self.files.pinned}, and the newest version counts"
            )
        return version

    def _layout(self, version: Version) -> Layout:
        return read_layout(self.files.layout(version.id), version.layout_sha256, version.packs)

    def _is_sound(self, version: Version) -> bool:
        try:
            self.files.packs.verify(self._layout(version))
        except IntegrityError:
            return False
        return True

    def _add(
        self, table: pl.DataFrame, content: Content, spec: DatasetSpec, created_at: float, source_fingerprint: str
    ) -> Version:
        parent = self.current()
        layout, changes = self._store(table, content, parent, spec.key)
        last = max([int(read_json(self.files.current).get("last_number", 0)), *map(_number, self.log())])
        version = Version(
            id=content.id,
            number=last + 1,
            created_at=created_at,
            rows=table.height,
            columns=tuple(table.columns),
            parent=parent.id if parent else None,
            added=changes.added,
            removed=changes.removed,
            changed=changes.changed,
            bytes_added=0,
            batches=_batches(table),
            contract=spec.model_dump(mode="json"),
            source_fingerprint=source_fingerprint,
            packs=layout.packs,
            layout_sha256=write_layout(self.files.layout(content.id), layout),
        )
        return self._record(version, known=parent.packs if parent else ())

    def _mend(self, version: Version, table: pl.DataFrame) -> Version:
        layout = Layout.of_table(self.files.packs.write(table))
        sha256 = write_layout(self.files.layout(version.id), layout)
        return self._record(replace(version, packs=layout.packs, layout_sha256=sha256), known=())

    def _record(self, version: Version, *, known: tuple[Pack, ...]) -> Version:
        layout = self.files.layout(version.id).stat().st_size
        packs = sum(pack.bytes for pack in version.packs if pack not in known)
        whole = replace(version, bytes_added=packs + layout + len(version.to_bytes()))
        whole.save(self.files.record(version.id))
        return whole

    def _make_current(self, version: Version) -> None:
        pointer = read_json(self.files.current)
        before = pointer.get("version")
        if before != version.id:
            last = max(int(pointer.get("last_number", 0)), version.number)
            write_json(self.files.current, {"version": version.id, "previous": before, "last_number": last})

    def _store(
        self, table: pl.DataFrame, content: Content, parent: Version | None, key: tuple[str, ...]
    ) -> tuple[Layout, ChangeCounts]:
        """Stores the rows that are not in `parent`; where the columns changed, or it cannot be read, that is all."""
        try:
            old = self.files.packs.open(self._layout(parent)) if parent is not None else None
        except IntegrityError:
            old = None
        if old is None or parent is None:
            return Layout.of_table(self.files.packs.write(table)), ChangeCounts(table.height, 0, 0)
        if old.schema != table.schema:
            return Layout.of_table(self.files.packs.write(table)), difference(old.frame(), table, key=key).counts
        places = align_grown(old, table) if parent.id == content.grown_from else align(old, table)

        def store(fresh: NDArray[np.bool_]) -> Pack:
            return self.files.packs.write(table if fresh.all() else table.filter(fresh))

        layout = follow(self._layout(parent), places, store)
        gone, come = _left_over(places, old.height)
        return layout, difference(old.rows(np.flatnonzero(gone)), table.filter(come), key=key).counts


def _left_over(places: NDArray[np.int64], rows: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows of the old and of the new table are not paired with an equal one, (rows,) and (n,)."""
    gone, come = np.ones(rows, dtype=np.bool_), places == NOWHERE
    gone[places[~come]] = False
    if np.count_nonzero(~gone) < np.count_nonzero(~come):
        come |= ~pl.Series(places).is_first_distinct().to_numpy()
    return gone, come


def _batches(table: pl.DataFrame) -> dict[str, int]:
    """Rows by batch, in order of the batches' names."""
    return dict(table[BATCH].value_counts().sort(BATCH).iter_rows())


def _number(version: Version) -> int:
    return version.number
