"""The errors of ml_assets; each message names what is wrong, where, and the remedy. No handling of them lives here.

::

    MlAssetsError                exit code 1   something failed
    ├── IntegrityError                         bytes on disk are not the ones that were recorded
    ├── StorageError                           the home cannot be read or written (read-only, full)
    ├── TrainingError                          no usable model came out of a search
    ├── NotebookError                          a notebook that an asset runs failed
    ├── PromotionRefused                       the promotion gate keeps the champion that a command wanted to replace
    ├── ServingError                           the server has no model to answer with, or cannot start
    ├── RunFailedError                         a run ended with failed steps; exit code 2 if all were input errors
    └── UserError                exit code 2   the input has to change, not the program
        ├── UnknownNameError                   a dataset, family or version that does not exist
        ├── SettingError                       a budget, core count or path that makes no sense
        ├── ContractError                      a mistake in a contract's YAML
        ├── SourceError                        a file that cannot be read as the table it should be
        └── ContractViolation                  a table that was read and breaks its contract
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MlAssetsError(Exception):
    """Base of every error of ours; `exit_code` is what a command ends with when the error reaches it."""

    exit_code = 1


class IntegrityError(MlAssetsError):
    """Bytes on disk differ from what was recorded when they were written."""


class StorageError(MlAssetsError):
    """The home cannot be read or written."""


class TrainingError(MlAssetsError):
    """A search ended without a usable model."""


class NotebookError(MlAssetsError):
    """A cell of a notebook failed, or its kernel did."""


class PromotionRefused(MlAssetsError):
    """The promotion gate keeps the champion."""


class ServingError(MlAssetsError):
    """The server cannot answer, or cannot start."""


class RunFailedError(MlAssetsError):
    """A run ended with failed steps."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class UserError(MlAssetsError):
    """The input has to change, not the program."""

    exit_code = 2


class UnknownNameError(UserError):
    """A name that does not exist; the message offers the nearest that does."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(names) or 'none'}"
        super().__init__(f"unknown {kind} '{name}': {hint}")


class SettingError(UserError):
    """A setting with a value that makes no sense."""


class ContractError(UserError):
    """A mistake in a contract's YAML."""


class SourceError(UserError):
    """A file that cannot be read as the table it should be."""


class ContractViolation(UserError):
    """A table that was read and breaks its contract."""


def database_error(message: str) -> StorageError:
    """What to tell a person when a database of the home said `message`."""
    first_line = message.strip().splitlines()[0]
    return StorageError(
        f"a database of the home cannot be used ({first_line}): free some space on its disk, or set ML_ASSETS_HOME to "
        "a folder that can be written; earlier artifacts are untouched"
    )
