"""Tables in which something is to be found beyond the columns, and tables in which nothing is."""

import numpy as np
import pandas as pd

ROWS = 1200


def islands() -> tuple[pd.DataFrame, np.ndarray]:
    """The target is that of the nearest of sixty places in a plane, and a little of two other columns."""
    rng = np.random.default_rng(0)
    places, worth = rng.uniform(0, 10, size=(60, 2)), rng.normal(size=60) * 4
    at = rng.uniform(0, 10, size=(ROWS, 2))
    nearest = np.linalg.norm(at[:, None] - places, axis=2).argmin(axis=1)
    others = rng.normal(size=(ROWS, 3))
    table = pd.DataFrame(np.hstack([others, at]), columns=["a", "b", "c", "east", "north"])
    return table, worth[nearest] + others[:, 0] + 0.2 * rng.normal(size=ROWS)


def quotient() -> tuple[pd.DataFrame, np.ndarray]:
    """The target is a share: one amount over another, both of any size."""
    rng = np.random.default_rng(0)
    whole = np.exp(rng.normal(size=ROWS) * 1.5)
    part = whole * rng.uniform(size=ROWS)
    table = pd.DataFrame({"part": part, "whole": whole, "other": rng.uniform(size=ROWS)})
    return table, part / whole + 0.05 * rng.normal(size=ROWS)


def plain(seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """The target is a sum of the columns and noise."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(rng.normal(size=(ROWS, 6)), columns=list("abcdef"))
    return table, table.to_numpy() @ np.array([1.0, -2.0, 0.5, 0.0, 0.0, 1.0]) + rng.normal(size=ROWS)
