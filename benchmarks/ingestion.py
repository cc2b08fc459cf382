"""What taking in a large table costs beside reading it and looking at every column once: seconds, memory, growth.

`python -m benchmarks.ingestion WAY FILE HOME` measures one way in this process and prints what it found as JSON.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from benchmarks.overhead import CHECKOUT, Measured
from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.ingestion import ingest
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.datasets.tables import load_raw_table
from ml_assets.home import Home
from ml_assets.validation.outcomes import CHECK_NAMES

TIME_GOAL = 3.0
MEMORY_GOAL = 3.0
GROWTH_GOAL = 1.1
SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
CHUNK_ROWS = 500_000
KNOWN_SHARE = 0.99
"""Share of the rows that the version before has."""
NOISY = ("total_rooms", "total_bedrooms", "population", "households", "median_income", "median_house_value")
FIRST_SEEN, LAST_SEEN = 1_700_000_000, 1_760_000_000
REGIONS = ("north", "south", "east", "west")


@dataclass(frozen=True)
class Cost:
    """What one process took: seconds after its imports, the most memory it held, and the size of the table it read."""

    seconds: float
    peak_bytes: int
    table_bytes: int


def ingestion(folder: Path, *, sizes: Sequence[int] = SIZES, repeats: int = 3) -> list[Measured]:
    """Reading, all checks against a version before, and keeping the new version, beside the least there is to do.

    The least is Polars' `read_parquet`, and the minimum, maximum, gaps and number of different values of each column.
    Ratios are of the largest size, medians of alternating processes; growth is the slope of log seconds over log rows.
    """
    pairs = [(_least(folder, sizes[-1]), _ours(folder, sizes[-1])) for _ in range(repeats)]
    seconds = [min(_ours(folder, rows).seconds for _ in range(repeats)) for rows in sizes[:-1]]
    seconds.append(min(ours.seconds for _, ours in pairs))
    ratio = statistics.median(ours.seconds / least.seconds for least, ours in pairs)
    memory = max(ours.peak_bytes / least.table_bytes for least, ours in pairs)
    growth = float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
    last = float(np.log(seconds[-1] / seconds[-2]) / np.log(sizes[-1] / sizes[-2]))
    return [
        Measured(f"taking in {sizes[-1]:.0e} rows / reading and looking at them", ratio, TIME_GOAL),
        Measured("its peak memory / the table in memory", memory, MEMORY_GOAL),
        Measured(f"exponent of its seconds over rows, from {sizes[0]:.0e}", growth, GROWTH_GOAL),
        Measured(f"exponent of its seconds over rows, from {sizes[-2]:.0e}", last, GROWTH_GOAL),
    ]


def resampled(folder: Path, rows: int) -> Path:
    """A Parquet file of `rows` rows and 12 columns drawn from California, the same each time it is written."""
    file = folder / f"california-{rows}.parquet"
    if not file.exists():
        spec = load_contract("california_housing")
        known = load_raw_table(spec, mode="embedded", cache=folder).drop("batch")
        rng = np.random.default_rng(0)
        parts = [_drawn(known, rng, start, min(CHUNK_ROWS, rows - start)) for start in range(0, rows, CHUNK_ROWS)]
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pl.concat(parts).to_arrow(), file)
    return file


def contract(file: Path) -> DatasetSpec:
    """The contract of a resampled table, in which every check has something to do."""
    spec = load_contract("california_housing")
    document: dict[str, Any] = spec.model_dump(exclude={"features", "sources"})
    columns = {name: {**column, "source_name": None} for name, column in document["columns"].items()}
    columns |= {
        "region": {"dtype": "category", "allowed": REGIONS},
        "seen": {"dtype": "date", "period": ("2023-01-01", "2026-01-01")},
        "number": {"dtype": "integer", "ignored": "the number of the row, and nothing else"},
    }
    document |= {
        "name": "california_resampled",
        "columns": columns,
        "sources": [{"name": "resampled.parquet", "path": str(file), "format": "parquet"}],
        "unique": [["number"]],
        "freshness": {"maximum_age_days": 30, "column": "seen"},
    }
    return DatasetSpec.model_validate(document)


def _drawn(known: pl.DataFrame, rng: np.random.Generator, start: int, rows: int) -> pl.DataFrame:
    drawn = known[rng.integers(0, known.height, rows)]
    noisy = {name: (drawn[name] * pl.Series(rng.uniform(0.95, 1.05, rows))).round(3).clip(1) for name in NOISY}
    return drawn.with_columns(
        *(values.alias(name) for name, values in noisy.items()),
        region=pl.Series(REGIONS).gather(rng.integers(0, len(REGIONS), rows)),
        seen=pl.Series(rng.integers(FIRST_SEEN, LAST_SEEN, rows) * 1_000_000).cast(pl.Datetime("us")),
        number=pl.int_range(start, start + rows, eager=True),
    )


def _least(folder: Path, rows: int) -> Cost:
    return _measured("least", resampled(folder, rows), folder)


def _ours(folder: Path, rows: int) -> Cost:
    """Of a home in which the first `KNOWN_SHARE` of the rows are the version before."""
    home, kept = folder / "home", folder / f"home-{rows}"
    if not kept.exists():
        before = folder / f"before-{rows}.parquet"
        pq.write_table(pq.read_table(resampled(folder, rows)).slice(0, int(KNOWN_SHARE * rows)), before)
        _measured("ours", before, kept)
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(kept, home)
    return _measured("ours", resampled(folder, rows), home)


def _measured(way: str, file: Path, home: Path) -> Cost:
    command = [sys.executable, "-m", "benchmarks.ingestion", way, str(file), str(home)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def look_at(file: Path) -> int:
    """Size in memory of a table that was read and every column of it looked at."""
    table, every = pl.read_parquet(file), pl.all()
    table.select(
        every.min().name.suffix(" min"),
        every.max().name.suffix(" max"),
        every.null_count().name.suffix(" gaps"),
        every.n_unique().name.suffix(" different"),
    )
    return int(table.estimated_size())


def take_in(file: Path, home: Path) -> int:
    """Rows of the version that was made of a file, once it was read, checked and kept."""
    found = ingest(contract(file), Home(home), mode="embedded", now=lambda: LAST_SEEN)
    if len(found.outcomes) != len(CHECK_NAMES) or any(not outcome.passed for outcome in found.outcomes):
        raise SystemExit("; ".join(f"{outcome.name}: {outcome.summary}" for outcome in found.outcomes))
    return found.refuse_if_violated(contract(file)).rows


def _largest_resident() -> int:
    """Most bytes of memory that this process ever held, from /proc."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def main(way: str, file: str, home: str) -> None:
    """Measures one way."""
    started = time.perf_counter()
    size = look_at(Path(file)) if way == "least" else take_in(Path(file), Path(home))
    cost = Cost(time.perf_counter() - started, _largest_resident(), size)
    print(json.dumps(asdict(cost)))


if __name__ == "__main__":
    main(*sys.argv[1:])
