"""The promotion gate: whether a challenger replaces the champion. Moving the alias belongs in delivery.

The gate fails closed: where nothing can be said, the champion stays and the reason says what is missing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ml_assets.evaluation.documents import as_float, plain, read_document, write_document
from ml_assets.evaluation.significance import PairedTest, corrected_paired_t, paired_rows_test
from ml_assets.evaluation.wording import p_value, with_error

if TYPE_CHECKING:
    from pathlib import Path

    from ml_assets.evaluation.record import Evaluation

MINIMUM_ROWS = 20
FILE = "verdict.json"

FIRST = "first champion"
OVER_FOLDS = "corrected paired t over folds"
OVER_ROWS = "paired t over holdout rows"


@dataclass(frozen=True, eq=False)
class GateEntry:
    """One side of the gate.

    Attributes:
        version: what a person calls it, such as "version 3".
        family: its model family.
        fold_scores: primary metric of each fold, lower is better, in the order of the folds.
        splits_hash: which splits those folds are.
        row_losses: loss of rows this model was not trained on, indexed by row_id, no id twice.
        rule: by what costs it says a class, as `decisions.rule_of` has it; empty where it says the likeliest.
    """

    version: str
    family: str
    fold_scores: tuple[float, ...]
    splits_hash: str
    row_losses: pd.Series[float] = field(default_factory=lambda: pd.Series(dtype=np.float64))
    rule: str = ""

    @classmethod
    def of(cls, evaluation: Evaluation, *, version: str, rule: str = "") -> GateEntry:
        """The entry of an evaluated model, with its test rows as the unseen ones."""
        return cls(
            version=version,
            family=evaluation.family,
            fold_scores=evaluation.fold_scores,
            splits_hash=evaluation.splits_hash,
            row_losses=evaluation.test_row_losses(),
            rule=rule,
        )

    @property
    def label(self) -> str:
        """Version and family, as the reason names them."""
        return f"{self.version} ({self.family})"


@dataclass(frozen=True)
class Verdict:
    """What the gate decided, and the numbers it went by.

    `improvement` is the champion's loss minus the challenger's, so positive is better: in the primary metric
    over folds, in loss per row (squared error, negative log likelihood) over rows. Numbers that do not exist,
    as for a first champion, are NaN. `n` counts folds or rows.
    """

    dataset: str
    promoted: bool
    method: str
    reason: str
    challenger: str
    champion: str | None
    improvement: float
    standard_error: float
    p_value: float
    alpha: float
    n: int

    def to_dict(self) -> dict[str, Any]:
        """The verdict in JSON's own types; NaN is None."""
        content: dict[str, Any] = plain(asdict(self))
        return content

    def save(self, folder: Path) -> None:
        """Write `verdict.json`."""
        write_document(folder / FILE, self.to_dict())

    @classmethod
    def load(cls, folder: Path) -> Verdict:
        """Read `verdict.json`."""
        content = read_document(folder / FILE)
        numbers = {key: as_float(content[key]) for key in ("improvement", "standard_error", "p_value")}
        return cls(**{**content, **numbers})


def decide(*, dataset: str, challenger: GateEntry, champion: GateEntry | None, alpha: float = 0.05) -> Verdict:
    """The verdict: promote only if the challenger's loss is lower beyond the noise, one-sided at `alpha`.

    With the same splits the noise is that of the folds (Nadeau and Bengio's corrected paired t-test). With
    other splits folds cannot be paired, so the models are compared on the rows that neither was trained on.
    A challenger without finite fold scores is never promoted; one without a champion otherwise always is.

    Where the contract's costs changed since the champion, losses cannot tell the two apart: probabilities are what they
    were, and only the answers differ. The challenger, which answers as the contract now says, is then promoted unless
    its loss is higher beyond the noise.
    """
    gate = _Gate(dataset, challenger, champion, alpha)
    if not challenger.fold_scores or not np.isfinite(challenger.fold_scores).all():
        return gate.keep("none", f"{challenger.label} has no finite score on some fold.")
    if champion is None:
        return gate.first()
    if champion.splits_hash == challenger.splits_hash:
        return gate.over_folds(champion)
    return gate.over_rows(champion)


@dataclass(frozen=True, eq=False)
class _Gate:
    dataset: str
    challenger: GateEntry
    champion: GateEntry | None
    alpha: float

    def first(self) -> Verdict:
        reason = f"{self.challenger.label} is the first champion: there was none to compare it with."
        return self._verdict(True, FIRST, reason, n=len(self.challenger.fold_scores))

    def over_folds(self, champion: GateEntry) -> Verdict:
        ours, theirs = np.array(self.challenger.fold_scores), np.array(champion.fold_scores)
        if len(ours) != len(theirs):
            return self.keep(
                OVER_FOLDS,
                f"the folds cannot be paired: {len(ours)} of the challenger, {len(theirs)} of the champion.",
            )
        test = corrected_paired_t(theirs - ours, test_fraction=1 / max(len(ours), 2))
        return self._tested(OVER_FOLDS, test, f"over {len(ours)} folds")

    def over_rows(self, champion: GateEntry) -> Verdict:
        pairs = pd.concat([champion.row_losses, self.challenger.row_losses], axis=1, join="inner")
        n = len(pairs)
        if n < MINIMUM_ROWS:
            return self.keep(
                OVER_ROWS,
                f"the data changed since {champion.label}, and only {n} rows are unseen by both models; "
                f"{MINIMUM_ROWS} are needed for a comparison.",
                n=n,
            )
        losses = pairs.to_numpy(dtype=np.float64)
        return self._tested(OVER_ROWS, paired_rows_test(losses[:, 0] - losses[:, 1]), f"per row over {n} rows")

    def keep(self, method: str, why: str, *, n: int = 0) -> Verdict:
        kept = f"{self.champion.label} stays" if self.champion else "nothing is promoted"
        return self._verdict(False, method, f"{kept}: {why}", n=n)

    def _tested(self, method: str, test: PairedTest, where: str) -> Verdict:
        if self.champion is not None and self.champion.rule != self.challenger.rule:
            return self._ruled(method, test, where)
        promoted = test.mean > 0 and test.p_one_sided < self.alpha
        return self._verdict(promoted, method, self._reason(test, promoted, where), test, n=test.n)

    def _ruled(self, method: str, test: PairedTest, where: str) -> Verdict:
        """The verdict on a challenger that answers by other costs: it has to be no worse."""
        worse = test.p_one_sided > 1 - self.alpha if test.possible else not test.mean >= 0
        new, old = self.challenger.label, self.champion.label if self.champion else ""
        if worse:
            reason = (
                f"{old} stays: the contract's costs changed, but the loss of {new}, which answers by them, is "
                f"{with_error(-test.mean, test.standard_error)} higher {where}, beyond the noise."
            )
        else:
            reason = f"{new} replaces {old}: it answers by the contract's new costs, and its loss is no worse {where}."
        return self._verdict(not worse, method, reason, test, n=test.n)

    def _reason(self, test: PairedTest, promoted: bool, where: str) -> str:
        new, old = self.challenger.label, self.champion.label if self.champion else ""
        if not test.possible:
            what = (
                f"{new} and it have identical losses {where}"
                if test.mean == 0
                else f"its difference to {new} {where} has no finite spread, so it cannot be told from noise"
            )
            return f"{old} stays: {what}."
        change = "lower" if test.mean > 0 else "higher"
        size = with_error(abs(test.mean), test.standard_error)
        numbers = f"{size} {change} {where} ({p_value(test.p_one_sided)}, limit {self.alpha:g})"
        if promoted:
            return f"{new} replaces {old}: its loss is {numbers}."
        return f"{old} stays: the loss of {new} is {numbers}, no improvement beyond the noise."

    def _verdict(self, promoted: bool, method: str, reason: str, test: PairedTest | None = None, *, n: int) -> Verdict:
        nan = float("nan")
        return Verdict(
            dataset=self.dataset,
            promoted=bool(promoted),
            method=method,
            reason=reason,
            challenger=self.challenger.version,
            champion=self.champion.version if self.champion else None,
            improvement=test.mean if test else nan,
            standard_error=test.standard_error if test else nan,
            p_value=test.p_one_sided if test else nan,
            alpha=self.alpha,
            n=n,
        )
