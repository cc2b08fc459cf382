"""Names for a new contract: of its columns and of the dataset, made from those that a file has.

What else is guessed belongs in `inference`; whether a name may be used at all is said in `spec`.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePath
from typing import Final

from ml_assets.datasets.reading.columns import composed
from ml_assets.datasets.reading.wording import shortened
from ml_assets.datasets.spec import RESERVED
from ml_assets.errors import SettingError

LONGEST: Final = 63
MOST_SHOWN: Final = 20
DATASET_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}", re.ASCII)

_FROM: Final = re.compile(r"(?is)\bfrom\s+(?:[\w\"]+\.)?\"?([A-Za-z]\w*)")
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def column_names(header: Sequence[str]) -> dict[str, str]:
    """A name for the contract by each name of `header`; the same one wherever that will do.

    Names are on one line and can be printed. One that the pipeline uses itself, or that is taken, gets an ending.
    """
    taken = {*header, *RESERVED}
    names: dict[str, str] = {}
    for place, written in enumerate(header, start=1):
        bare = _plain(written) or f"column_{place}"
        names[written] = bare if bare == written and not _is_misread(bare) else _free(bare, taken)
        taken.add(names[written])
    return names


def find_column(asked: str, names: Mapping[str, str], *, option: str, origin: str) -> str:
    """The contract's name of the column that a person asked for, by its name in the file or the contract.

    Raises:
        SettingError: there is none of that name; offers the nearest.
    """
    known = {name: name for name in names.values()} | {composed(written): name for written, name in names.items()}
    if (name := known.get(composed(asked))) is not None:
        return name
    alike = [written for written in known if written.casefold() == asked.strip().casefold()]
    near = alike or difflib.get_close_matches(asked, known, n=1) or list(known)[:MOST_SHOWN]
    hint = f"did you mean '{near[0]}'?" if len(near) == 1 else f"its columns are {', '.join(near)}"
    raise SettingError(f"{origin} has no column {shortened(asked)}, which {option} names: {hint}")


def dataset_name(asked: str | None, origin: str, query: str | None) -> str:
    """The name of a new dataset: the one asked for, else one made from the file's, or the queried table's.

    Raises:
        SettingError: it is asked for and cannot be a name, or none can be made.
    """
    if asked is not None:
        if not DATASET_NAME.fullmatch(asked):
            fitting = _fitted(asked)
            hint = f", such as {fitting}" if fitting else ""
            raise SettingError(
                f"{shortened(asked)} cannot be the name of a dataset: give lower-case letters, digits and _, a letter "
                f"first, at most {LONGEST}{hint}"
            )
        return asked
    table = _FROM.search(query) if query is not None else None
    stem = PurePath(origin).name.lstrip(".").partition(".")[0] if query is None else table[1] if table else ""
    name = _fitted(stem)
    if not name:
        raise SettingError(
            f"no name for the dataset can be made from {shortened(stem or origin)}: give one with --name"
        )
    return name


def words_of(name: str) -> tuple[str, ...]:
    """Words of a column's name in lower case: `customerID`, `customer_id` and `Customer id` are `customer`, `id`."""
    return tuple(word.lower() for word in _WORDS.findall(name))


def _free(name: str, taken: Collection[str]) -> str:
    """`name`, or with an ending if it is taken."""
    names = [name, f"{name}_column", *(f"{name}_{number}" for number in range(2, len(taken) + 3))]
    return next(each for each in names if each not in taken and not _is_misread(each))


def _is_misread(name: str) -> bool:
    """Whether a name stands for something else: a column of the pipeline, or the columns that a pattern fits."""
    return name in RESERVED or name == "*" or (name.startswith("^") and name.endswith("$"))


def _plain(name: str) -> str:
    """On one line, composed, without what cannot be printed."""
    line = " ".join(name.split())
    return composed("".join(c for c in line if c.isprintable()))


def _fitted(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    if name and not name[0].isalpha():
        name = f"table_{name}"
    return name[:LONGEST].rstrip("_")
