"""Which stretch of the prediction log counts now. Reading it belongs in serving, judging it in `drift`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WindowBounds:
    """A period in seconds since the epoch, UTC; `start` is inside, `end` is not."""

    start: float
    end: float


def window_bounds(*, baseline_created_at: float, settled_until: float | None, now: float) -> WindowBounds:
    """The period from the later of the baseline's making and the last retraining decision's end, until now.

    A row counts towards at most one retraining: once a decision to retrain was taken on a window, the next
    starts where that one ended (`RetrainDecision.settled_until`), whatever came of the run. Rows older than
    the baseline are judged against the world the baseline was made from no more.

    Args:
        baseline_created_at: when the profile to compare with was made.
        settled_until: end of the last window that led to a decision to retrain; None if none did.
        now: the clock; if it was set back before the start, the window is empty.
    """
    start = baseline_created_at if settled_until is None else max(baseline_created_at, settled_until)
    return WindowBounds(start, max(start, now))
