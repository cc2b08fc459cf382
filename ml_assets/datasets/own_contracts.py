"""Contract files of a home: written, put aside, taken away. What they say belongs in `contract_text`."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path
from typing import Final

from ml_assets.artifacts import storage_errors, write_atomically
from ml_assets.datasets.contracts import SCHEMA_FILE, SUFFIX, contract_schema
from ml_assets.datasets.incoming.folders import utc_text
from ml_assets.datasets.inference.names import DATASET_NAME
from ml_assets.errors import SettingError, UnknownNameError
from ml_assets.home import Home

REMOVED: Final = ".removed"
ACCEPTED: Final = "batches"
HANDED_IN: Final = frozenset({"incoming", "quarantine"})
"""Folders with the only copies of files that somebody handed in."""


def refuse_taken(home: Home, name: str, *, replace: bool) -> None:
    """Nothing, where a contract of that name may be written.

    Raises:
        SettingError: there is one already, and it is not to be replaced.
    """
    if replace:
        return
    if _file(home, name).exists():
        raise SettingError(
            f"there is a dataset {name} already, in {_file(home, name)}: add --replace, or --name another"
        )
    if name in packaged_names():
        raise SettingError(
            f"{name} is a dataset that comes with ml_assets: add --replace to have yours in its place, or another name "
            "with --name"
        )


def store_contract(home: Home, name: str, text: str, *, now: float) -> Path:
    """Writes a contract and, beside it, the schema that editors check it by; one that was there is put aside.

    Returns:
        The contract's file.

    Raises:
        StorageError: the home cannot be written; what was there is still there.
    """
    file = _file(home, name)
    with storage_errors(file):
        if file.exists():
            aside = _aside(home, name, now)
            aside.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, aside)
        write_atomically(home.contracts / SCHEMA_FILE, contract_schema().encode())
        write_atomically(file, text.encode())
    return file


def is_known(home: Home, name: str) -> bool:
    """Whether there is a dataset of that name, of the home or of the package."""
    return name in packaged_names() or _file(home, name).is_file()


def own_contract(home: Home, name: str) -> Path:
    """The file of a contract of the home; one with mistakes will do.

    Raises:
        SettingError: the dataset comes with the package, and the home has none in its place.
        UnknownNameError: there is no such dataset; offers the nearest.
    """
    file = _file(home, name) if DATASET_NAME.fullmatch(name) else None
    if file is None or not file.is_file():
        if name in packaged_names():
            raise SettingError(
                f"{name} comes with ml_assets and cannot be removed: leave it out by naming others, as in "
                "`ml-assets run my_table`"
            )
        raise UnknownNameError("dataset of your own", name, (path.stem for path in home.contracts.glob(f"*{SUFFIX}")))
    return file


def remove_contract(home: Home, name: str, *, now: float) -> Path:
    """Puts a contract of the home aside, so that its dataset leaves the graph.

    Returns:
        Where the contract is now.

    Raises:
        SettingError: as `own_contract`.
        UnknownNameError: as `own_contract`.
        StorageError: the home cannot be written.
    """
    file, aside = own_contract(home, name), _aside(home, name, now)
    with storage_errors(aside):
        aside.parent.mkdir(parents=True, exist_ok=True)
        file.rename(aside)
    return aside


def set_batches_aside(home: Home, name: str, *, now: float) -> Path | None:
    """Puts the accepted batches of a dataset beside its contract; they are the only copies of files handed in.

    Returns:
        Where they are now; None where there are none.

    Raises:
        StorageError: the home cannot be written.
    """
    folder = home.data / ACCEPTED / name
    if not DATASET_NAME.fullmatch(name) or not folder.is_dir():
        return None
    aside = _aside(home, name, now, ending="-batches")
    with storage_errors(aside):
        aside.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder, aside)
    return aside


def made_folders(home: Home, name: str) -> tuple[Path, ...]:
    """Folders of a home with what was made of a dataset: versions, tables, models, reports."""
    if not DATASET_NAME.fullmatch(name) or not home.data.is_dir():
        return ()
    places = (room / name for room in sorted(home.data.iterdir()) if room.is_dir() and room.name not in HANDED_IN)
    return tuple(place for place in places if place.is_dir() and not place.is_symlink())


def handed_in_folders(home: Home, name: str) -> tuple[Path, ...]:
    """Folders of a home that hold files which somebody handed in for a dataset."""
    places = (home.data / room / name for room in sorted(HANDED_IN))
    return tuple(place for place in places if place.is_dir() and any(place.iterdir()))


def packaged_names() -> frozenset[str]:
    """Names of the datasets that come with the package."""
    files = resources.files("ml_assets.datasets").iterdir()
    return frozenset(Path(file.name).stem for file in files if file.name.endswith(SUFFIX))


def _file(home: Home, name: str) -> Path:
    return home.contracts / f"{name}{SUFFIX}"


def _aside(home: Home, name: str, now: float, *, ending: str = SUFFIX) -> Path:
    """A place that is not taken, for what is put aside now."""
    stamp = utc_text(now).replace(":", "").replace("-", "")
    names = (f"{name}-{stamp}{number}{ending}" for number in ("", *(f"-{at}" for at in range(2, 1000))))
    return next(place for each in names if not (place := home.contracts / REMOVED / each).exists())
