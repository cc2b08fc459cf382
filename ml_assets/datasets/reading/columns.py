"""Headers of files against a contract: which column is which, and what to do about one that is missing or strange.

What cells mean belongs in `cells`.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from typing import TYPE_CHECKING, Final

from ml_assets.datasets.reading.dialect import NUMBER
from ml_assets.datasets.reading.formulas import is_formula
from ml_assets.datasets.reading.wording import plain, shortened
from ml_assets.errors import ContractViolation, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ml_assets.datasets.spec import DatasetSpec

MOST_FAULTS: Final = 10
LONGEST_NAME: Final = 200


def accepted_names(spec: DatasetSpec) -> dict[str, str]:
    """Contract column by each name a header may give it: its own, or that of the source file."""
    names = {c.source_name: n for n, c in spec.columns.items() if c.source_name}
    return {**names, **{n: n for n in spec.columns}}


def composed(name: str) -> str:
    """A name without blanks around it, its accents joined to their letters: two that look alike are alike."""
    return unicodedata.normalize("NFC", name.strip())


def checked_header(header: Sequence[str], *, origin: str) -> tuple[str, ...]:
    """Names of a file's columns without blanks around them, all there, all different and none to be run.

    Raises:
        SourceError: names the column by its place.
    """
    names = tuple(name.strip() for name in header)
    seen: set[str] = set()
    for at, name in enumerate(names, start=1):
        if not name:
            raise SourceError(f"{origin}: column {at} has no name: write one into the header, or leave the column out")
        if len(name) > LONGEST_NAME:
            raise SourceError(f"{origin}: the name of column {at}, {shortened(name)}, is too long: shorten it")
        if name in seen:
            raise SourceError(f"{origin}: column {shortened(name)} is there twice: keep one of them")
        if is_formula(name) or "\0" in name:
            raise SourceError(f"{origin}: column {at} is named {shortened(name)}, which is a formula: rename it")
        seen.add(name)
    return names


def match_header(spec: DatasetSpec, header: Sequence[str], *, required: Iterable[str], origin: str) -> tuple[str, ...]:
    """The contract's name of each column of `header`, in file order.

    A name counts as the contract's whichever way its accents are encoded, and without blanks around it.

    Raises:
        SourceError: the first line is data and no header, or a column has no name.
        ContractViolation: columns are missing, extra or doubled; offers the nearest name of each.
    """
    accepted = {composed(written): name for written, name in accepted_names(spec).items()}
    cells = [composed(cell) for cell in header]
    needed = set(required)
    missing_needed = [name for name in spec.columns if name in needed]
    if not set(cells) & set(accepted) and any(NUMBER.fullmatch(cell) for cell in cells):
        raise SourceError(
            f"{origin}: the first line looks like data: put a header above it: {','.join(missing_needed)[:500]}"
        )
    if "" in cells:
        place = cells.index("") + 1
        raise SourceError(f"{origin}: column {place} has no name: write one into the header, or leave the column out")
    found = [accepted[cell] for cell in cells if cell in accepted]
    extra = [cell for cell in cells if cell not in accepted]
    missing = [name for name in missing_needed if name not in set(found)]
    faults = [f"column {_named(name)} is there twice" for name in _repeated(found)]
    for name in missing[:MOST_FAULTS]:
        near = _nearest(spec, name, extra)
        if near is not None:
            extra.remove(near)
        faults.append(f"column {_named(name)} is missing" + (f" (rename {shortened(near)}?)" if near else ""))
    faults += [f"column {_named(name)} is missing" for name in missing[MOST_FAULTS:]]
    faults += [_extra_fault(spec, cell) for cell in list(dict.fromkeys(extra))[:MOST_FAULTS]]
    if faults:
        more = f"; and {len(faults) - MOST_FAULTS} more such faults" if len(faults) > MOST_FAULTS else ""
        told = "; ".join(faults[:MOST_FAULTS]) + more
        raise ContractViolation(f"{spec.name}: {origin}: {told}; {_header_remedy(missing, extra)}")
    return tuple(found)


def _named(name: str) -> str:
    return f"'{plain(name)}'"


def _repeated(names: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    return list(dict.fromkeys(name for name in names if name in seen or seen.add(name)))  # type: ignore[func-returns-value]


def _nearest(spec: DatasetSpec, name: str, extra: Sequence[str]) -> str | None:
    targets = [name, spec.columns[name].source_name or name]
    by_key = {_key(cell): cell for cell in extra[: 10 * MOST_FAULTS]}
    for target in targets:
        close = difflib.get_close_matches(_key(target), [key for key in by_key if key], n=1, cutoff=0.7)
        if close:
            return by_key[close[0]]
    return None


def _key(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()[:LONGEST_NAME]


def _extra_fault(spec: DatasetSpec, cell: str) -> str:
    by_key = {_key(n): n for n in accepted_names(spec)}
    close = difflib.get_close_matches(_key(cell), [key for key in by_key if key], n=1, cutoff=0.7)
    nearest = f" (nearest: {_named(by_key[close[0]])})" if close else ""
    return f"column {shortened(cell)} is not in the contract{nearest}"


def _header_remedy(missing: Sequence[str], extra: Sequence[str]) -> str:
    if missing and extra:
        return "correct the header line"
    if missing:
        return "add or rename the columns"
    return "remove the columns" if extra else "keep one of each"
