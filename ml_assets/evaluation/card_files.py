"""Where the cards of a dataset lie, one for each version of its model; what is on them belongs in `card`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ml_assets.artifacts import write_atomically
from ml_assets.errors import UserError
from ml_assets.evaluation.card import STEM
from ml_assets.evaluation.documents import read_document

if TYPE_CHECKING:
    from pathlib import Path

    from ml_assets.evaluation.card import Card

_FILE = re.compile(r"version-(\d+)\.json")


@dataclass(frozen=True)
class CardFiles:
    """The cards of one dataset below `reports/<dataset>`: the latest, and one of each version that has one."""

    dataset: str
    reports: Path

    @property
    def latest(self) -> Path:
        """The page of the card that was made last."""
        return self.reports / f"{STEM}.html"

    @property
    def folder(self) -> Path:
        """Where the cards of the versions lie."""
        return self.reports / "cards"

    def publish(self, card: Card, version: str) -> Path:
        """Writes the card of a version, again where there is one, and makes it the latest; returns its page.

        The JSON document comes last: a version whose writing was killed counts as one without a card.
        """
        for ending, text in card.files().items():
            write_atomically(self.folder / f"version-{version}.{ending}", text.encode())
        write_atomically(self.latest, card.html.encode())
        return self.folder / f"version-{version}.html"

    def versions(self) -> list[int]:
        """Versions that have a card, in order."""
        names = (file.name for file in self.folder.iterdir()) if self.folder.is_dir() else ()
        return sorted(int(found[1]) for name in names if (found := _FILE.fullmatch(name)))

    def file(self, version: int | None = None, ending: str = "html") -> Path:
        """A version's card by its ending (html, md or json), the newest version's by default.

        Raises:
            UserError: there is no card, or none of this version.
        """
        known = self.versions()
        if not known:
            raise UserError(f"{self.dataset} has no model card yet: run `ml-assets run {self.dataset}`")
        wanted = known[-1] if version is None else version
        if wanted not in known:
            raise UserError(
                f"version {wanted} of {self.dataset} has no card; there {'is one' if len(known) == 1 else 'are cards'} "
                f"of version {', '.join(map(str, known))}. A version gets its card when `ml-assets run {self.dataset}` "
                "registers it"
            )
        return self.folder / f"version-{wanted}.{ending}"

    def document(self, version: int) -> dict[str, Any]:
        """The JSON document of a version's card.

        Raises:
            UserError: there is no card of this version.
            IntegrityError: its file was damaged.
        """
        return read_document(self.file(version, "json"))
