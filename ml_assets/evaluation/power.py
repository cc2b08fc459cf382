"""What a paired test on so many rows could have seen. The tests themselves are in `significance`."""

from __future__ import annotations

import math
from functools import lru_cache

from scipy import optimize, special, stats

MOST_ROWS = 10**9


def power_of_test(difference: float, error: float, dof: float, *, alpha: float) -> float:
    """Chance that a one-sided paired t-test rejects where the true mean is `difference`, by the noncentral t.

    Args:
        difference: true mean, positive where the claim is true.
        error: standard error of the observed mean.
        dof: degrees of freedom.
        alpha: level of the test.
    """
    if not (error > 0 and dof > 0 and math.isfinite(difference)):
        return float("nan")
    # Boost's noncentral t is exact to 1e-10 here; scipy's `stats.nct.sf` is a hundred times slower.
    return float(1 - special.nctdtr(dof, difference / error, stats.t.isf(alpha, dof)))


@lru_cache(maxsize=4096)
def noncentrality(dof: float, alpha: float, power: float) -> float:
    """Difference in standard errors at which the one-sided t-test has `power`; infinite for no degrees of freedom."""
    if not dof > 0:
        return math.inf
    about = float(stats.t.isf(alpha, dof) + stats.t.isf(1 - power, dof))
    upper = max(2 * about, 1.0)
    while power_of_test(upper, 1.0, dof, alpha=alpha) < power:
        upper *= 2
    return float(optimize.brentq(lambda at: power_of_test(at, 1.0, dof, alpha=alpha) - power, 0.0, upper, xtol=1e-10))


def detectable_difference(error: float, dof: float, *, alpha: float, power: float) -> float:
    """Smallest true mean that a one-sided paired t-test with this standard error finds with `power`.

    Args:
        error: standard error of the mean.
        dof: degrees of freedom.
        alpha: level of the test.
        power: chance to find it.
    """
    return noncentrality(dof, alpha, power) * error


def rows_needed(spread: float, difference: float, *, alpha: float, power: float) -> int:
    """Least number of rows with which a one-sided paired t-test finds a true mean of `difference` with `power`.

    Args:
        spread: standard deviation of a row's difference.
        difference: true mean of a row's difference, above 0.
        alpha: level of the test.
        power: chance to find it.
    """
    low, high = 2, 4
    while noncentrality(high - 1, alpha, power) * spread / math.sqrt(high) > difference and high < MOST_ROWS:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        enough = noncentrality(middle - 1, alpha, power) * spread / math.sqrt(middle) <= difference
        low, high = (low, middle) if enough else (middle, high)
    return high


def miss_share(power: float) -> float:
    """Half of the misses that `power` allows: two requirements that each miss so seldom miss together as seldom."""
    return (1 - power) / 2
