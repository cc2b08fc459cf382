"""Machine learning on tables as a Dagster asset graph: `defs` is what Dagster loads, `ml-assets` what people type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import dagster as dg

    defs: dg.Definitions

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`defs`, built on first use: importing the package for its core must not load Dagster."""
    if name == "defs":
        from ml_assets.definitions import defs as built

        return built
    raise AttributeError(f"module 'ml_assets' has no attribute '{name}'")


def __dir__() -> list[str]:
    """Public names, the lazily built `defs` among them; Dagster finds it here."""
    return ["__version__", "defs"]
