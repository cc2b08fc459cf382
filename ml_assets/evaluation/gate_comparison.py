"""The gate's tests on the rows that neither model saw, and what they could have found. The verdict is the `gate`'s."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ml_assets.datasets.spec import Task
from ml_assets.evaluation.bootstrap import DRAWS, bootstrap_t_beside
from ml_assets.evaluation.clusters import by_cluster
from ml_assets.evaluation.effects import Effect, effect_of, loss_as_score
from ml_assets.evaluation.power import detectable_difference, miss_share
from ml_assets.evaluation.significance import PairedTest, paired_rows_test
from ml_assets.evaluation.verdict import NAN, Part
from ml_assets.evaluation.wording import number, p_value, percent

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from ml_assets.datasets.judging import Promotion
    from ml_assets.evaluation.metrics import FloatArray

METRIC_WORDS = {Task.REGRESSION: "RMSE", Task.CLASSIFICATION: "log loss"}
SURE = 1.645
"""Standard errors by which rows have to be too few before they are called so: 95 % sure that they are."""


@dataclass(frozen=True)
class Compared:
    """Two models on the same rows.

    Attributes:
        rows: that were compared.
        clusters: independent ones of them.
        test: of champion's minus challenger's loss.
        p_bootstrap: of the same claim by the bootstrap.
        effect: in units of the score.
        detectable_loss: smallest true improvement of the mean loss that is found with the power asked.
        surely_detectable_loss: the same, were the spread as small as the rows allow at 95 % confidence.
        smallest_loss: improvement of the mean loss that the contract asks to see; NaN where it asks for none.
        champion_loss: its mean loss.
    """

    task: Task
    rows: int
    clusters: int
    test: PairedTest
    p_bootstrap: float
    effect: Effect
    detectable_loss: float
    surely_detectable_loss: float
    champion_loss: float
    smallest_loss: float

    @property
    def p_value(self) -> float:
        """The larger of the two tests'; NaN where no test is possible."""
        return max(self.test.p_one_sided, self.p_bootstrap) if self.test.possible else NAN

    def better_part(self, alpha: float) -> Part:
        """Whether the challenger is better beyond the noise, in words."""
        name = "better overall"
        if not self.test.possible:
            return Part(name, "cannot be said", self._no_test())
        state: Any = "passed" if self.p_value < alpha else "failed"
        rest = "" if state == "passed" else ", no improvement beyond the noise"
        return Part(name, state, f"{self._change(alpha)} ({p_value(self.p_value)}, limit {alpha:g}){rest}")

    def no_worse_part(self, alpha: float) -> Part:
        """Whether the challenger is no worse beyond the noise, in words."""
        name = "no worse overall"
        if not self.test.possible:
            if self.test.mean >= 0:
                return Part(name, "passed", "its loss is no worse on any row")
            return Part(name, "failed", f"its loss is higher on average, and {self._no_test()}")
        if self.test.p_one_sided > 1 - alpha:
            return Part(name, "failed", f"{self._change(alpha)}, beyond the noise")
        return Part(name, "passed", f"its loss is no worse beyond the noise: {self._change(alpha)}")

    def figures(self) -> dict[str, float]:
        """What a verdict keeps of the comparison, by its names."""
        found = self.effect
        detectable = loss_as_score(self.task, self.champion_loss, self.detectable_loss)
        smallest = loss_as_score(self.task, self.champion_loss, self.smallest_loss)
        shares = {name: value / found.reference if found.reference > 0 else NAN for name, value in
                  (("detectable_share", detectable), ("smallest_share", smallest))}  # fmt: skip
        return {
            "improvement": self.test.mean,
            "standard_error": self.test.standard_error,
            "p_value": self.p_value,
            "p_t": self.test.p_one_sided,
            "p_bootstrap": self.p_bootstrap,
            "champion_score": found.reference,
            "challenger_score": found.candidate,
            "score_change": found.difference,
            "score_low": found.interval[0],
            "score_high": found.interval[1],
            "share": found.share,
            "share_low": found.share_interval[0],
            "share_high": found.share_interval[1],
            "detectable": detectable,
            **shares,
        }

    def _change(self, alpha: float) -> str:
        """`its RMSE is 0.71 against 0.75, 5.1 % lower (95 % interval 2.0 % to 8.2 %) on 412 rows unseen by both`."""
        found = self.effect
        word = "lower" if found.difference >= 0 else "higher"
        bounds = sorted(found.share_interval if found.difference >= 0 else [-bound for bound in found.share_interval])
        return (
            f"its {METRIC_WORDS[self.task]} is {number(found.candidate)} against {number(found.reference)}, "
            f"{percent(abs(found.share))} {word} ({percent(1 - alpha)} interval {percent(bounds[0])} to "
            f"{percent(bounds[1])}) on {self.rows:,} rows unseen by both"
        )

    def _no_test(self) -> str:
        if self.test.mean == 0:
            return f"its losses and the champion's are identical on all {self.rows:,} rows"
        return f"the difference on {self.rows:,} rows has no spread, so it cannot be told from noise"


def compare_rows(
    task: Task,
    pairs: pd.DataFrame,
    *,
    clusters: npt.NDArray[np.object_] | None,
    alpha: float,
    rules: Promotion,
    seed: int,
) -> Compared:
    """Tests, effect and power of a comparison on the same rows.

    Half of the misses that the asked power allows are the overall test's, half the slices': so the whole gate has the
    power, not only its first part.

    Args:
        task: what the losses are of.
        pairs: columns `champion` and `challenger`, finite, a row each.
        clusters: of the rows, where they depend on each other.
        alpha: level of the tests; the effect's interval has confidence 1 - alpha.
        rules: of the contract.
        seed: of the bootstrap.
    """
    losses = by_cluster(pairs[["champion", "challenger"]].to_numpy(dtype=np.float64), clusters)
    differences = losses[:, 0] - losses[:, 1]
    test = paired_rows_test(differences, confidence=1 - alpha)
    draws = max(DRAWS, math.ceil(20 / alpha) - 1)
    boot, drawn = bootstrap_t_beside(differences, losses, seed=seed, draws=draws)
    champion_loss = float(losses[:, 0].mean())
    wanted = 1 - miss_share(rules.power)
    detectable = (
        detectable_difference(test.standard_error, test.dof, alpha=alpha, power=wanted) if test.possible else NAN
    )
    return Compared(
        task=task,
        rows=len(pairs),
        clusters=len(losses),
        test=test,
        p_bootstrap=boot.p_one_sided,
        effect=effect_of(task, losses, drawn, confidence=1 - alpha),
        detectable_loss=detectable,
        surely_detectable_loss=detectable * _least_ratio(differences, losses[:, 0]),
        champion_loss=champion_loss,
        smallest_loss=_smallest_loss(task, champion_loss, rules),
    )


def power_part(found: Compared, rules: Promotion) -> Part:
    """Whether the rows are enough to see the difference that the contract asks for, in words.

    Rows are too few where even the least spread that they allow at 95 % confidence would hide that difference.
    """
    name = "enough rows"
    if not found.test.possible:
        return Part(name, "cannot be said", "nothing can be said of what the rows could have shown")
    seen = loss_as_score(found.task, found.champion_loss, found.detectable_loss)
    share = seen / found.effect.reference if found.effect.reference > 0 else NAN
    could = (
        f"the smallest improvement that {found.rows:,} rows show with power {rules.power:g} is {percent(share)} "
        f"({number(seen, 3)} of {METRIC_WORDS[found.task]})"
    )
    if math.isnan(found.smallest_loss):
        return Part(name, "not asked", could)
    asked = (
        percent(rules.smallest_difference)
        if rules.smallest_difference is not None
        else number(rules.smallest_absolute_difference or NAN, 3)
    )
    if found.surely_detectable_loss > found.smallest_loss:
        return Part(
            name, "cannot be said", f"{could}, and the contract asks to see {asked}: there are too few test rows"
        )
    return Part(name, "passed", f"{could}; the contract asks to see {asked}")


def _smallest_loss(task: Task, champion_loss: float, rules: Promotion) -> float:
    """What the mean loss falls by where the score improves as the contract asks to see; NaN where it asks nothing."""
    power = 2 if task is Task.REGRESSION else 1
    if rules.smallest_difference is not None:
        return champion_loss * (1 - (1 - rules.smallest_difference) ** power)
    if rules.smallest_absolute_difference is None:
        return NAN
    score = max(champion_loss, 0.0) ** (1 / power)
    left = max(score - rules.smallest_absolute_difference, 0.0)
    return float(champion_loss - left**power)


def _least_ratio(differences: FloatArray, champion: FloatArray) -> float:
    """Least ratio of the differences' spread to the champion's mean loss that is not ruled out, as a share of it.

    At 95 % confidence, by the linearized error of the logarithm: a row's part in that of the standard deviation is half
    its squared standard score less one, and in that of the mean its loss over the mean less one.
    """
    spread, mean = float(differences.std()), float(champion.mean())
    if not (spread > 0 and mean > 0):
        return 1.0
    of_spread = (np.square((differences - differences.mean()) / spread) - 1) / 2
    error = float((of_spread - champion / mean).std()) / math.sqrt(len(differences))
    return math.exp(-SURE * error)
