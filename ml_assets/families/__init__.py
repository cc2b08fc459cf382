"""The registry of model families: every module here that offers `FAMILY` is one, and so is every entry point.

A package brings a family of its own by an entry point of the group `ml_assets.families`, named like the family, that
points to an object of a subclass of `Family`; `conformance` says whether it keeps what is relied on.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import pkgutil
from collections.abc import Iterable
from functools import cache
from typing import Final

from ml_assets.errors import SettingError, UnknownNameError
from ml_assets.families.base import Family

ENTRY_POINTS: Final = "ml_assets.families"
ENSEMBLE: Final = "ensemble"
"""The partition beside the families in which they answer together; always the last."""

OF_EXTRA: Final = frozenset({"catboost", "lightgbm"})
"""Families named like the package they need, which comes with the extra `boosters` and is not there for everyone."""

_NOT_FAMILIES: Final = frozenset(
    {"averaged", "base", "catboost_models", "cautious", "conformance", "labels", "pairs", "preparation", "targets"}
)


@cache
def family_names() -> tuple[str, ...]:
    """Names of all families that can be fitted here, in alphabetical order; imports none of them."""
    missing = {name for name in OF_EXTRA if importlib.util.find_spec(name) is None}
    here = {m.name for m in pkgutil.iter_modules(__path__)} - _NOT_FAMILIES - missing
    return tuple(sorted(here | set(_brought())))


def model_names() -> tuple[str, ...]:
    """All families, and last the ensemble of them: whatever gives a model."""
    return (*family_names(), ENSEMBLE)


def load_family(name: str) -> Family:
    """The family called `name`.

    Raises:
        UnknownNameError: there is none; the message offers the nearest.
        SettingError: another package brings it, and it cannot be loaded; or it needs one that is not installed.
    """
    if name in OF_EXTRA and name not in family_names():
        raise SettingError(f"family '{name}' needs a package that is not here: pip install 'ml-assets[boosters]'")
    if name not in family_names():
        raise UnknownNameError("family", name, family_names())
    brought = _brought().get(name)
    if brought is None:
        family: Family = importlib.import_module(f"{__name__}.{name}").FAMILY
        return family
    try:
        loaded = brought.load()
    except Exception as error:
        raise SettingError(
            f"family '{name}' of {brought.value} cannot be loaded ({type(error).__name__}: {error}): mend or remove "
            "the package that brings it"
        ) from error
    if not isinstance(loaded, Family):
        raise SettingError(f"family '{name}': {brought.value} is a {type(loaded).__name__}, not an object of a Family")
    return loaded


def distribution_of(family: str, members: Iterable[str] = ()) -> str:
    """What has to be installed to load a model of `family`, or an ensemble of `members`."""
    return "ml-assets[boosters]" if OF_EXTRA & {family, *members} else "ml-assets"


def choose_models(names: Iterable[str] | None) -> tuple[str, ...]:
    """`names` of families, or the ensemble, checked and in the registry's order; all for None."""
    if names is None:
        return model_names()
    wanted = set(names)
    for name in wanted - {ENSEMBLE}:
        load_family(name)
    return tuple(name for name in model_names() if name in wanted)


@cache
def _brought() -> dict[str, importlib.metadata.EntryPoint]:
    """Families of other packages by name; one of ours cannot be replaced."""
    ours = {m.name for m in pkgutil.iter_modules(__path__)} | {ENSEMBLE}
    return {e.name: e for e in importlib.metadata.entry_points(group=ENTRY_POINTS) if e.name not in ours}
