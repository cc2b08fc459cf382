"""`python -m benchmarks`: what the graph and large tables cost beside the least they could; prints one table."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.ingestion import SIZES, ingestion
from benchmarks.overhead import Measured, loading, verdict, whole_run
from ml_assets.datasets.contracts import load_contracts

LARGEST = "california_housing"


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--budget", type=float, default=60.0, help="seconds of a dataset, first row to champion (60)")
    parser.add_argument("--repeats", type=int, default=7, help="repeats of the short measurements (7)")
    parser.add_argument("--rows", type=int, default=SIZES[-1], help="rows of the largest table taken in (10000000)")
    parser.add_argument("datasets", nargs="*", default=list(load_contracts()))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sizes = [size for size in SIZES if size < given.rows] + [given.rows]
        rows = [
            loading(given.repeats),
            *whole_run(given.datasets, budget=given.budget, folder=Path(folder)),
            *([] if given.datasets == [LARGEST] else [verdict(LARGEST, budget=given.budget, folder=Path(folder))]),
            *ingestion(Path(folder) / "large", sizes=sizes),
        ]
    report(rows)


def report(rows: list[Measured]) -> None:
    """Prints the table."""
    print(f"{'measured':<84}{'value':>10}{'goal':>10}")
    for row in rows:
        print(f"{row.what:<84}{row.value:>10.2f}{row.goal:>10.2f}  {'' if row.value <= row.goal else 'MISSED'}")


if __name__ == "__main__":
    main()
