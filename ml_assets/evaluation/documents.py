"""JSON documents of the evaluation room: strict JSON, NaN and infinities as null. Tables are Parquet."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ml_assets.errors import IntegrityError

if TYPE_CHECKING:
    from pathlib import Path


def write_document(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content` as indented UTF-8 JSON."""
    text = json.dumps(plain(content), indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_document(path: Path) -> dict[str, Any]:
    """The mapping that `path` holds; numbers that were no numbers are None.

    Raises:
        IntegrityError: the file is missing or holds no JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{path} cannot be read ({error}); materialize the asset again") from error
    if not isinstance(content, dict):
        raise IntegrityError(f"{path} holds no JSON object; materialize the asset again")
    return content


def plain(value: Any) -> Any:
    """`value` with numpy scalars, arrays, tuples and mappings turned into JSON's own types."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):  # late: asking each of Mapping's many subclasses takes its time
        return {str(key): plain(item) for key, item in value.items()}
    return str(value)


def as_float(value: float | None) -> float:
    """A number of a document; null is NaN."""
    return float("nan") if value is None else float(value)
