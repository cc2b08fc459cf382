"""Tables and commits for the tests of versions; run as a script it commits, as another process would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.datasets.versions.store import TableVersions, Version
from ml_assets_tests.canonical import canonical

DAY = 86_400.0


def commit(versions: TableVersions, table: pl.DataFrame, spec: DatasetSpec, *, at: float = 0.0) -> Version:
    """Commits a table at a time."""
    return versions.commit(table, spec=spec, created_at=at, source_fingerprint="made by a test")


def resampled(name: str, rows: int, *, seed: int = 0) -> pl.DataFrame:
    """So many rows drawn from a real table, each of its numbers moved by its row's own small amount."""
    table, random = canonical(name)[1], np.random.default_rng(seed)
    drawn = table[random.integers(0, table.height, rows)]
    moved = pl.Series(np.round(random.normal(0, 0.5, rows), 2))
    return drawn.with_columns(pl.col(n) + moved for n in drawn.columns if drawn[n].dtype == pl.Float64)


def edited(table: pl.DataFrame, *, share: float, seed: int) -> pl.DataFrame:
    """A third of `share` of the rows changed, a third removed, a third added at the end, wherever they happen to be."""
    random = np.random.default_rng(seed)
    count = max(1, round(share * table.height / 3))
    number = next(name for name in table.columns if table[name].dtype == pl.Float64)
    chosen = random.permutation(table.height)
    changed = np.isin(np.arange(table.height), chosen[:count])
    kept = ~np.isin(np.arange(table.height), chosen[count : 2 * count])
    moved = pl.when(pl.lit(pl.Series(changed))).then(pl.col(number) + 0.015625).otherwise(pl.col(number))
    added = table[np.sort(chosen[:count])].with_columns(pl.col(number) + 0.03125, batch=pl.lit("monday.csv"))
    return pl.concat([table.with_columns(moved.alias(number)).filter(kept), added])


def on_disk(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def in_another_process(folder: Path, *words: str) -> subprocess.Popen[str]:
    """This module run as a script; `words` are those of `main`."""
    checkout = Path(__file__).resolve().parents[2]
    return subprocess.Popen(
        [sys.executable, __file__, str(folder), *words],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(checkout)},
    )


def main(folder: str, name: str, *words: str) -> None:
    """Commits versions of a real table: one for each seed; `die-at-…` kills the process at that point of a commit."""
    spec, table = canonical(name)
    for word in words:
        if word.startswith("die-at-"):
            _die_at(word.removeprefix("die-at-"))
        else:
            commit(TableVersions(Path(folder)), edited(table, share=0.05, seed=int(word)), spec, at=float(word))


def _die_at(point: str) -> None:
    from ml_assets.datasets.versions import records as version_records
    from ml_assets.datasets.versions import store as versions

    def die(*_: Any, **__: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    owner: Any = {"layout": versions, "record": version_records.Version, "pointer": TableVersions}[point]
    setattr(owner, {"layout": "write_layout", "record": "save", "pointer": "_make_current"}[point], die)


def contract(name: str, **changes: Any) -> DatasetSpec:
    """A packaged contract with other values."""
    return load_contract(name).model_copy(update=changes)


if __name__ == "__main__":
    main(*sys.argv[1:])
