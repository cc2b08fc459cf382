"""`python -m benchmarks.quality`: this project beside other systems, on the same splits, cores and seconds.

A measurement is a line in the file of results; what is there is not measured again, so that a run which was stopped
goes on. The page is made of the file's lines that belong to this command's budget, cores, systems and tables.
"""

from __future__ import annotations

import argparse
import datetime as dt
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.quality.environments import Environments
from benchmarks.quality.measure import Limits, measure
from benchmarks.quality.records import Key, Record, append, read
from benchmarks.quality.report import page
from benchmarks.quality.splits import Duplicates, draw, treatments
from benchmarks.quality.systems import SYSTEMS, System
from benchmarks.quality.tables import OWN_OR_SCIKIT_LEARN, TABLES, Table, load

TREATMENTS: dict[str, tuple[Duplicates, ...]] = {"both": ("in", "apart"), "in": ("in",), "apart": ("apart",)}


def main(words: Sequence[str] | None = None, *, today: Callable[[], dt.date] = dt.date.today) -> None:
    """Measures what is missing, writes the page and prints it."""
    given = _parser().parse_args(words)
    environments = Environments(None if given.this_interpreter else given.environments)
    packages = given.environments if set(given.tables) <= set(OWN_OR_SCIKIT_LEARN) else environments.tables()
    limits = Limits(given.budget, given.cores)
    systems = [_reserving(SYSTEMS[name], given.reserve) for name in given.systems]
    asked = list(_asked(load(given.tables, packages), TREATMENTS[given.duplicates], given, systems))
    known = {record.key: record for record in read(given.results)}
    missing = [one for one in asked if _key(*one, limits) not in known]
    print(f"{len(asked)} measurements, {len(asked) - len(missing)} of them known from {given.results}")
    for number, (table, duplicates, seed, system) in enumerate(missing, start=1):
        split = draw(table, duplicates, seed)
        record = measure(system, split, limits, environments, date=today().isoformat())
        append(given.results, record)
        known[record.key] = record
        print(f"{number} of {len(missing)}  {_line(record)}", flush=True)
    command = shlex.join(["python", "-m", "benchmarks.quality", *(sys.argv[1:] if words is None else words)])
    text = page([known[_key(*one, limits)] for one in asked], date=today().isoformat(), command=command)
    given.report.parent.mkdir(parents=True, exist_ok=True)
    given.report.write_text(text, encoding="utf-8")
    print(text)


def _asked(
    tables: Sequence[Table],
    wanted: tuple[Duplicates, ...],
    given: argparse.Namespace,
    systems: Sequence[System],
) -> Iterator[tuple[Table, Duplicates, int, System]]:
    """Everything to measure: first one split of every table, so that a run which is stopped has seen them all."""
    for seed in range(given.seed, given.seed + given.splits):
        for table in tables:
            for duplicates in treatments(table, wanted):
                for system in systems:
                    yield table, duplicates, seed, system


def _reserving(system: System, seconds: float | None) -> System:
    """The system with other seconds kept back, where it keeps any."""
    return replace(system, reserve=seconds) if system.reserve and seconds is not None else system


def _key(table: Table, duplicates: Duplicates, seed: int, system: System, limits: Limits) -> Key:
    return table.name, duplicates, seed, system.name, limits.budget, limits.cores, system.reserve


def _line(record: Record) -> str:
    score = "–" if record.score is None else f"{record.score:.4g}"
    where = f"{record.table}, duplicates {record.duplicates}, seed {record.seed}"
    times = f"fit {record.fit_seconds:.1f} s, predict {record.predict_seconds:.1f} s"
    return f"{where}, {record.system}: {score}, {times}, {record.status}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = {"systems": list(SYSTEMS), "tables": list(TABLES)}
    parser.add_argument("--budget", type=float, default=60.0, help="seconds to fit a system to a split (60)")
    parser.add_argument("--splits", type=int, default=3, help="splits of each table (3)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first split, and of systems on it (0)")
    parser.add_argument("--cores", type=int, default=2, help="cores of a system (2)")
    parser.add_argument(
        "--reserve", type=float, help="seconds of the budget that this project's run is not told (5), for its start"
    )
    parser.add_argument("--duplicates", choices=list(TREATMENTS), default="both", help="how equal rows fall (both)")
    for option, known in names.items():
        parser.add_argument(
            f"--{option}", type=_listed(known), default=known, help=f"separated by commas: {', '.join(known)} (all)"
        )
    parser.add_argument("--environments", type=Path, default=Path(".bench"), help="where they are installed (.bench)")
    parser.add_argument(
        "--this-interpreter", action="store_true", help="run every system in this interpreter, not one of its own"
    )
    parser.add_argument("--results", type=Path, default=Path(".bench/quality.jsonl"), help="(.bench/quality.jsonl)")
    parser.add_argument("--report", type=Path, default=Path("docs/benchmarks/quality.md"), help="the page to write")
    return parser


def _listed(known: Sequence[str]) -> Callable[[str], list[str]]:
    def names(words: str) -> list[str]:
        found = words.split(",")
        if unknown := set(found) - set(known):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose among {', '.join(known)}")
        return found

    return names


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was being measured ends too
    main()
