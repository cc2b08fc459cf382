"""From records to a page: errors by table, ranks, win rates with their test, seconds, failures and overruns."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.quality.ranks import Duel, duel, holm, ranks
from benchmarks.quality.records import Record
from benchmarks.quality.systems import SYSTEMS

HEADINGS = {
    "in": "Duplicates left in: a random fifth of the rows to test with",
    "apart": "Duplicates apart: rows of equal features on one side of each split",
}
HOW = """\
A random fifth of each table is to test with (of each class alike), another fifth for each seed. Every system gets the
same CSV files, the same {cores} cores and the same {budget:g} seconds to fit, counted around its whole process: start,
imports, reading and preparation included. Fitting ends when it can predict: for this project when its champion is
deployed, before it draws pictures and writes pages, some 8 s that stand below as a part of predicting. Where a system
takes a limit, it is told the seconds that are left when it starts to fit{reserves}. What takes more than 5 % (5 s at
least) longer is an overrun, and an overrun is a failure: it ranks last and loses to every answer that came in time.
What takes three times the budget in all (120 s at least) is ended.

Errors are root mean squared errors in the unit named, and log losses (probabilities clipped at 1e-15); less is better.
A table without equal rows is measured once and counts in both halves.

The test is the two-sided Wilcoxon signed-rank test over pairs of table and split, on logarithms of the ratios of
errors; p-values are corrected after Holm for the number of systems a system is compared with. Splits of one table share
rows, so that the p-values are smaller than they should be."""
MARKS = """\
`†n`: n splits overran their budget; `‡n`: n splits failed or were ended. Mean and standard deviation are of every
answer there is; bold is the least mean among systems that answered in time on all splits."""


@dataclass(frozen=True)
class Unit:
    """What systems are compared on: one split of one table."""

    table: str
    seed: int


def page(records: Iterable[Record], *, date: str, command: str) -> str:
    """A page of Markdown: both treatments of duplicates, seconds, and versions."""
    known = list(records)
    if not known:
        return "# Quality beside other systems\n\nNothing was measured.\n"
    first = known[0]
    parts = [
        "# Quality beside other systems",
        f"{date}, by `{command}`.",
        HOW.format(cores=first.cores, budget=first.budget, reserves=_reserves(known)),
    ]
    for treatment, heading in HEADINGS.items():
        of_it = [record for record in known if record.duplicates in (treatment, "none")]
        if any(record.duplicates == treatment for record in known) or (treatment == "in" and of_it):
            parts += [f"## {heading}", *half(of_it)]
    parts += ["## Seconds, failures and overruns", seconds(known), "## Versions", versions(known)]
    return "\n\n".join(parts) + "\n"


def half(records: Sequence[Record]) -> list[str]:
    """The tables of one treatment of duplicates."""
    complete = _complete(records)
    return [
        errors_by_table(records),
        MARKS,
        f"### Ranks over {len(complete)} splits that every system was measured on",
        rank_table(records),
        "### Each against each: share of splits won by the system of the row",
        win_table(records),
        *(_duels_of(name, records) for name in _systems(records)[:1]),
    ]


def errors_by_table(records: Sequence[Record]) -> str:
    """Mean and standard deviation of the error over the splits: a row a table, a column a system."""
    names = _systems(records)
    rows = []
    for table in dict.fromkeys(record.table for record in records):
        of_it = [record for record in records if record.table == table]
        metric = "log loss" if of_it[0].task == "classification" else "RMSE"
        cells = {name: [r for r in of_it if r.system == name] for name in names}
        means = {name: _mean(cell) if all(r.counts for r in cell) else math.inf for name, cell in cells.items()}
        best = min(means.values())
        shown = [f"**{_cell(cells[n])}**" if means[n] == best < math.inf else _cell(cells[n]) for n in names]
        rows.append([table, f"{metric}, {of_it[0].unit}", *shown])
    return _markdown(["table", "error", *(f"`{name}`" for name in names)], rows)


def mean_ranks(records: Sequence[Record]) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation of each system's rank over the splits that all systems were measured on."""
    each = [ranks(errors) for errors in _complete(records).values()]
    return {name: _mean_and_deviation([r[name] for r in each]) for name in _systems(records)} if each else {}


def rank_table(records: Sequence[Record]) -> str:
    """Systems by mean rank, best first."""
    found = sorted(mean_ranks(records).items(), key=lambda item: item[1])
    rows = [[f"`{name}`", _title(name), f"{mean:.2f} ± {deviation:.2f}"] for name, (mean, deviation) in found]
    return _markdown(["system", "", "mean rank"], rows)


def duels(records: Sequence[Record]) -> dict[tuple[str, str], Duel]:
    """Every system against every other, over the splits that both were measured on."""
    errors = _errors(records)
    names = _systems(records)
    found = {}
    for a in names:
        for b in names:
            shared = [unit for unit, of_it in errors.items() if a in of_it and b in of_it]
            if a != b and shared:
                found[a, b] = duel([errors[unit][a] for unit in shared], [errors[unit][b] for unit in shared])
    return found


def win_table(records: Sequence[Record]) -> str:
    """Share of splits that the row's system won from the column's, with a star where p < 0.05 after Holm."""
    names, found = _systems(records), duels(records)
    rows = []
    for a in names:
        others = [b for b in names if (a, b) in found]
        p_values = dict(zip(others, holm([found[a, b].p_value for b in others]), strict=True))
        shown = [f"{found[a, b].rate:.0%}{'*' if p_values[b] < 0.05 else ''}" if b in p_values else "" for b in names]
        rows.append([f"`{a}`", *shown])
    return _markdown(["", *(f"`{name}`" for name in names)], rows) + "\n\n`*` p < 0.05 after Holm's correction."


def _duels_of(name: str, records: Sequence[Record]) -> str:
    found = {b: d for (a, b), d in duels(records).items() if a == name}
    corrected = dict(zip(found, holm([d.p_value for d in found.values()]), strict=True))
    rows = [
        [f"`{b}`", str(d.wins), str(d.ties), str(d.losses), f"{d.rate:.0%}", f"{d.p_value:.3g}", f"{corrected[b]:.3g}"]
        for b, d in found.items()
    ]
    head = ["against", "won", "level", "lost", "win rate", "p (Wilcoxon)", "p (Holm)"]
    return f"### `{name}` against each\n\n{_markdown(head, rows)}"


def seconds(records: Sequence[Record]) -> str:
    """Seconds to fit and to predict, and how often a system did not keep to what it was given."""
    rows = []
    for name in _systems(records):
        of_it = [record for record in records if record.system == name]
        fit, predict = [r.fit_seconds for r in of_it], [r.predict_seconds for r in of_it]
        status = [record.status for record in of_it]
        rows.append(
            [
                f"`{name}`",
                f"{statistics.median(fit):.1f}",
                f"{max(fit):.1f}",
                f"{statistics.median(predict):.1f}",
                *(str(status.count(what)) for what in ("ok", "overrun", "failed", "killed")),
            ]
        )
    head = ["system", "fit, median s", "fit, most s", "predict, median s", "in time", "overran", "failed", "ended"]
    return _markdown(head, rows)


def versions(records: Sequence[Record]) -> str:
    """What every system was when it was measured; several, where it changed."""
    rows = []
    for name in _systems(records):
        told = {
            ", ".join(f"{package} {version}" for package, version in record.versions.items())
            for record in records
            if record.system == name
        }
        rows.append([f"`{name}`", _title(name), "; ".join(sorted(told))])
    return _markdown(["system", "", "versions"], rows)


def _reserves(records: Iterable[Record]) -> str:
    kept = {record.system: record.reserve for record in records if record.reserve}
    return "".join(
        f", less {seconds:g} s for `{name}`, which pass before its own budget begins" for name, seconds in kept.items()
    )


def _systems(records: Iterable[Record]) -> list[str]:
    """Names in the order in which systems are listed."""
    found = {record.system for record in records}
    return [name for name in SYSTEMS if name in found] + sorted(found - SYSTEMS.keys())


def _errors(records: Iterable[Record]) -> dict[Unit, dict[str, float]]:
    """Errors by split and system, infinite for a failure."""
    found: dict[Unit, dict[str, float]] = {}
    for record in records:
        error = record.score if record.counts and record.score is not None else math.inf
        found.setdefault(Unit(record.table, record.seed), {})[record.system] = error
    return found


def _complete(records: Sequence[Record]) -> dict[Unit, dict[str, float]]:
    names = _systems(records)
    return {
        unit: {name: of_it[name] for name in names}
        for unit, of_it in _errors(records).items()
        if of_it.keys() >= set(names)
    }


def _mean(records: Sequence[Record]) -> float:
    scores = [record.score for record in records if record.score is not None]
    return statistics.fmean(scores) if scores else math.inf


def _mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def _cell(records: Sequence[Record]) -> str:
    """Such as `0.4312 ± 0.0120 †1`."""
    scores = [record.score for record in records if record.score is not None]
    parts = ["{:.4g} ± {:.2g}".format(*_mean_and_deviation(scores))] if scores else ["–"]
    parts += [f"{mark}{count}" for mark, count in _marks(records).items() if count]
    return " ".join(parts)


def _marks(records: Sequence[Record]) -> Mapping[str, int]:
    status = [record.status for record in records]
    return {"†": status.count("overrun"), "‡": status.count("failed") + status.count("killed")}


def _title(name: str) -> str:
    return SYSTEMS[name].title if name in SYSTEMS else ""


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
