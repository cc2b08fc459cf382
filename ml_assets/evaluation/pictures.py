"""The plots that are kept with a report, as PNG files beside its figures. Drawing them belongs in `…_plots`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FOLDER: Final = "plots"


def save_pictures(folder: Path, pictures: Mapping[str, bytes]) -> None:
    """Write each picture as `plots/<name>.png` below a report's folder."""
    for name, png in pictures.items():
        file = folder / FOLDER / f"{name}.png"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(png)


def load_pictures(folder: Path) -> dict[str, bytes]:
    """PNG bytes by name; none for a report that was kept without."""
    return {file.stem: file.read_bytes() for file in sorted((folder / FOLDER).glob("*.png"))}
