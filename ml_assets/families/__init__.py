"""The registry of model families: every module here that offers `FAMILY` is one, named after its file."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache

from ml_assets.errors import UnknownNameError
from ml_assets.families.base import Family

_NOT_FAMILIES = frozenset({"base", "labels", "preparation"})


@cache
def family_names() -> tuple[str, ...]:
    """Names of all families in alphabetical order; imports none of them."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name not in _NOT_FAMILIES))


def load_family(name: str) -> Family:
    """The family called `name`.

    Raises:
        UnknownNameError: there is none; the message offers the nearest.
    """
    if name not in family_names():
        raise UnknownNameError("family", name, family_names())
    family: Family = importlib.import_module(f"{__name__}.{name}").FAMILY
    return family


def choose_families(names: Iterable[str] | None) -> tuple[str, ...]:
    """`names` checked and in the registry's order; all families for None."""
    if names is None:
        return family_names()
    wanted = {name: load_family(name) for name in names}
    return tuple(name for name in family_names() if name in wanted)
