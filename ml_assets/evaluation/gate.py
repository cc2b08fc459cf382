"""The promotion gate: whether a challenger replaces the champion. Moving the alias belongs in delivery.

Both are compared on the same rows, which neither saw in training. The gate fails closed: where something that is asked
cannot be said, the champion stays and the reason says what is missing. Its tests are in `gate_comparison`, the slices
in `gate_slices`, the limits in `gate_limits`, the document in `verdict`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ml_assets.datasets.judging import Promotion
from ml_assets.datasets.spec import Limits, Task
from ml_assets.evaluation.gate_comparison import Compared, compare_rows, power_part
from ml_assets.evaluation.gate_limits import check_limits, limits_part
from ml_assets.evaluation.gate_slices import SliceRows, judge_slices, slices_part
from ml_assets.evaluation.metrics import primary_metric
from ml_assets.evaluation.multiplicity import false_alarm_chance
from ml_assets.evaluation.verdict import FILE, Force, LimitResult, Part, SliceResult, Verdict
from ml_assets.evaluation.wording import p_value, percent

if TYPE_CHECKING:
    from ml_assets.evaluation.gate_limits import Answers

__all__ = ["FILE", "Force", "GateEntry", "Verdict", "decide"]

MINIMUM_ROWS = 20

FIRST = "first champion"
SAME = "same model"
BETTER = "paired tests on unseen rows: better"
NO_WORSE = "paired tests on unseen rows: no worse"
NONE = "none"


@dataclass(frozen=True, eq=False)
class GateEntry:
    """One side of the gate.

    Attributes:
        version: what a person calls it, such as "version 3".
        family: its model family.
        row_losses: loss of rows this model was not trained on, indexed by row_id, no id twice.
        sha256: of its file; equal ones are one model.
        rule: by what costs it says a class, as `decisions.rule_of` has it; empty where it says the likeliest.
        measured: figures by the names of `gate_limits.WORDS`; NaN, or none, where nothing was measured.
        is_constant: whether it says the same of every row.
        unscorable: why it cannot be asked about today's rows; empty where it can.
    """

    version: str
    family: str
    row_losses: pd.Series[float] = field(default_factory=lambda: pd.Series(dtype=np.float64))
    sha256: str = ""
    rule: str = ""
    measured: Mapping[str, float] = field(default_factory=dict)
    is_constant: bool = False
    unscorable: str = ""

    @classmethod
    def of(cls, answers: Answers, *, version: str, family: str, **more: Any) -> GateEntry:
        """The entry of a model with these answers for rows it never saw."""
        return cls(version, family, answers.losses, is_constant=answers.is_constant, **more)

    @property
    def label(self) -> str:
        """Version and family, as the reason names them."""
        return f"{self.version} ({self.family})"


def decide(
    *,
    dataset: str,
    challenger: GateEntry,
    champion: GateEntry | None,
    task: Task = Task.REGRESSION,
    rules: Promotion | None = None,
    limits: Limits | None = None,
    alpha: float = 0.05,
    slices: Sequence[SliceRows] = (),
    clusters: pd.Series[Any] | None = None,
    looks: int = 1,
    seed: int = 0,
    inputs: Mapping[str, str] | None = None,
) -> Verdict:
    """The verdict: promote only a challenger that is better beyond the noise, worse on no slice, and within limits.

    Better is tested one-sided at `alpha` on the differences of the two models' losses, row by row, by Student's t and
    by a bootstrap-t, both of which have to reject. A challenger without a champion has only limits to keep.

    Losses cannot tell models apart where the contract's costs changed since the champion: probabilities are what they
    were, and only the answers differ. Nor can a champion that breaks a limit of the contract stay only because the
    challenger, which keeps them all, is not better. In both cases the challenger has to be no worse beyond the noise.

    Args:
        dataset: its name.
        challenger: the model that asks.
        champion: the model that answers now; None where there is none.
        task: what the losses are of.
        rules: of the contract.
        limits: of the contract, on what a model may cost.
        alpha: level of the tests, where the rules name none.
        slices: of the rows.
        clusters: name of each row's cluster by row id, where rows depend on each other.
        looks: challengers judged on these rows so far, this one included.
        seed: of the bootstrap.
        inputs: hashes of what the entries were made from.
    """
    rules = rules or Promotion()
    level = rules.significance or alpha
    gate = _Gate(
        dataset=dataset,
        challenger=challenger,
        champion=champion,
        task=task,
        rules=rules,
        limits=limits or Limits(),
        alpha=level / looks if rules.looks == "correct" else level,
        slices=slices,
        clusters=clusters,
        looks=looks,
        seed=seed,
        inputs=dict(inputs or {}),
    )
    return gate.verdict()


@dataclass(frozen=True, eq=False)
class _Gate:
    dataset: str
    challenger: GateEntry
    champion: GateEntry | None
    task: Task
    rules: Promotion
    limits: Limits
    alpha: float
    slices: Sequence[SliceRows]
    clusters: pd.Series[Any] | None
    looks: int
    seed: int
    inputs: Mapping[str, str]

    def verdict(self) -> Verdict:
        new, old = self.challenger, self.champion
        kept = check_limits(self.limits, self.rules.limits, new.measured)
        if unable := self._why_not_scored(new):
            return self._closed(unable, kept)
        if old is None:
            return self._first(kept)
        if new.sha256 and new.sha256 == old.sha256 and new.version == old.version:
            return self._same(old, kept)
        if unable := self._why_not_scored(old) or self._why_not_compared(old):
            return self._closed(unable, kept)
        return self._compared(old, kept)

    def _why_not_scored(self, entry: GateEntry) -> str:
        if entry.unscorable:
            return f"{entry.label} cannot be asked about today's rows: {entry.unscorable}"
        missing = int((~np.isfinite(entry.row_losses.to_numpy())).sum())
        if missing:
            return f"{entry.label} has no finite prediction for {missing} of {len(entry.row_losses)} unseen rows"
        if not len(entry.row_losses):
            return f"there is no row that {entry.label} was not trained on"
        return ""

    def _why_not_compared(self, old: GateEntry) -> str:
        shared = old.row_losses.index.intersection(self.challenger.row_losses.index)
        named = self._clusters_of(shared)
        independent = len(shared) if named is None else len(pd.unique(named))
        if independent < MINIMUM_ROWS:
            of = "rows are" if named is None else "groups of rows are"
            return f"only {independent} {of} unseen by both models, and {MINIMUM_ROWS} are needed for a comparison"
        if self.challenger.is_constant:
            return f"{self.challenger.label} says the same of all {len(self.challenger.row_losses)} rows"
        return ""

    def _clusters_of(self, rows: pd.Index[Any]) -> Any:
        return None if self.clusters is None else self.clusters.reindex(rows).to_numpy(dtype=object)

    def _first(self, kept: tuple[LimitResult, ...]) -> Verdict:
        part = limits_part(kept)
        new = self.challenger.label
        notes = (f"{new} says the same of every row: nothing was learned",) if self.challenger.is_constant else ()
        if part.holds:
            reason = f"{new} is the first champion: there was none to compare it with."
        else:
            reason = f"nothing is promoted: {new} is the first, but {part.words}."
        return self._made(part.holds, FIRST, reason, kept, parts=(part,), notes=notes)

    def _same(self, old: GateEntry, kept: tuple[LimitResult, ...]) -> Verdict:
        part = limits_part(kept)
        reason = f"{old.label} is the champion already: there is nothing to compare."
        return self._made(False, SAME, reason, kept, parts=(part,), breaches=self._breaches(old))

    def _closed(self, why: str, kept: tuple[LimitResult, ...]) -> Verdict:
        part = Part("comparison", "cannot be said", why)
        stays = f"{self.champion.label} stays" if self.champion else "nothing is promoted"
        breaches = self._breaches(self.champion) if self.champion else ()
        return self._made(False, NONE, f"{stays}: {why}.", kept, parts=(part, limits_part(kept)), breaches=breaches)

    def _breaches(self, champion: GateEntry) -> tuple[str, ...]:
        """Limits that the champion breaks; of what was not measured of it nothing is said."""
        found = check_limits(self.limits, self.rules.limits, champion.measured)
        return tuple(one.words for one in found if one.state == "failed")

    def _compared(self, old: GateEntry, kept: tuple[LimitResult, ...]) -> Verdict:
        new = self.challenger
        pairs = pd.concat({"champion": old.row_losses, "challenger": new.row_losses}, axis=1, join="inner")
        clusters = self._clusters_of(pairs.index)
        breaches = self._breaches(old)
        no_worse = old.rule != new.rule or bool(breaches)
        found = compare_rows(self.task, pairs, clusters=clusters, alpha=self.alpha, rules=self.rules, seed=self.seed)
        slices = judge_slices(
            self.task,
            self.slices,
            pairs,
            clusters=clusters,
            alpha=self.alpha,
            power=self.rules.power,
            margin=self.rules.non_inferiority_margin,
        )
        parts = (
            found.no_worse_part(self.alpha) if no_worse else found.better_part(self.alpha),
            Part("enough rows", "not asked", "") if no_worse else power_part(found, self.rules),
            slices_part(slices, self.rules),
            limits_part(kept),
        )
        promoted = all(part.holds for part in parts)
        why = "it answers by the contract's new costs" if old.rule != new.rule else ""
        why = why or (f"{old.label} breaks a limit of the contract ({breaches[0]})" if breaches else "")
        return self._made(
            promoted,
            NO_WORSE if no_worse else BETTER,
            _reason(new.label, old.label, parts, why=why),
            kept,
            parts=parts,
            slices=slices,
            breaches=() if promoted else breaches,
            found=found,
            notes=self._notes(found),
        )

    def _notes(self, found: Compared) -> tuple[str, ...]:
        notes = []
        left = len(self.challenger.row_losses) - found.rows
        if left > 0:
            notes.append(
                f"{left} test rows were left out: the champion was trained on them, or does not know their class"
            )
        if self.looks > 1 and self.rules.looks == "warn":
            chance = percent(false_alarm_chance(self.alpha, self.looks))
            notes.append(
                f"{self.looks} challengers were judged on these test rows: were none of them better, at least one "
                f"would still pass with a chance of up to {chance}; times {self.looks} (Bonferroni) this one has "
                f"{p_value(min(1.0, found.p_value * self.looks))}"
            )
        if self.looks > 1 and self.rules.looks == "correct":
            notes.append(f"the significance is shared by {self.looks} challengers judged on these test rows")
        return tuple(notes)

    def _made(
        self,
        promoted: bool,
        method: str,
        reason: str,
        limits: tuple[LimitResult, ...],
        *,
        parts: tuple[Part, ...],
        slices: tuple[SliceResult, ...] = (),
        breaches: tuple[str, ...] = (),
        found: Compared | None = None,
        notes: tuple[str, ...] = (),
    ) -> Verdict:
        figures: dict[str, Any] = found.figures() if found is not None else dict.fromkeys(_NO_FIGURES, float("nan"))
        return Verdict(
            dataset=self.dataset,
            promoted=bool(promoted),
            method=method,
            reason=reason,
            challenger=self.challenger.version,
            champion=self.champion.version if self.champion else None,
            alpha=self.alpha,
            n=found.rows if found is not None else len(self.challenger.row_losses),
            clusters=found.clusters if found is not None else 0,
            metric=primary_metric(self.task),
            power=self.rules.power,
            margin=self.rules.non_inferiority_margin,
            looks=self.looks,
            parts=parts,
            slices=slices,
            limits=limits,
            inputs=self.inputs,
            notes=notes,
            breaches=breaches,
            **figures,
        )


_NO_FIGURES = ("improvement", "standard_error", "p_value")


def _reason(new: str, old: str, parts: tuple[Part, ...], *, why: str) -> str:
    """One sentence: what was decided, and by which of the parts."""
    against = [part.words for part in parts if not part.holds]
    because = f"{why}, and " if why else ""
    if against:
        start = f"{old} stays, though {why}: {new} does not replace it:" if why else f"{old} stays: of {new},"
        return f"{start} {'; '.join(against)}."
    return f"{new} replaces {old}: {because}{parts[0].words}."
