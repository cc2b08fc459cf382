"""Whether a difference is too small to matter. Whether there is one at all is said by `significance`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy import stats

if TYPE_CHECKING:
    from ml_assets.evaluation.significance import PairedTest


@dataclass(frozen=True)
class Equivalence:
    """What two one-sided tests say; NaN where no test is possible.

    Attributes:
        margin: largest difference that does not matter, in the units of the differences.
        p_value: the larger of the two tests' p-values: small where the true mean lies inside ±margin.
    """

    margin: float
    p_value: float

    def shown(self, alpha: float) -> bool:
        """Whether the interval of confidence 1 - 2α lies inside ±margin, which is the same as both tests rejecting."""
        return self.p_value < alpha


def equivalence(test: PairedTest, margin: float) -> Equivalence:
    """Two one-sided tests (TOST) that the mean of the differences lies inside ±`margin`.

    Schuirmann 1987, "A comparison of the two one-sided tests procedure and the power approach", Journal of
    Pharmacokinetics and Biopharmaceutics 15. The standard error and degrees of freedom are those of `test`, corrected
    where it is.

    Args:
        test: of the paired differences.
        margin: above 0.
    """
    if not margin > 0:
        raise ValueError(f"margin is {margin}; a number above 0 is needed")
    if not test.possible:
        return Equivalence(margin, float("nan"))
    above = stats.t.sf((test.mean + margin) / test.standard_error, test.dof)
    below = stats.t.cdf((test.mean - margin) / test.standard_error, test.dof)
    return Equivalence(margin, float(max(above, below)))
