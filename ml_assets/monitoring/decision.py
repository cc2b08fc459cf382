"""Whether a window's findings call for retraining. Drift belongs in `drift`, starting the run in a sensor.

The same rows never cause a second run: a decision to retrain settles its window, the next window starts where
that one ended (`RetrainDecision.settled_until`, which later decisions not to retrain carry on), and a report
that reaches back before it is answered with no.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

from ml_assets.evaluation.documents import read_document, write_document

if TYPE_CHECKING:
    from pathlib import Path

    from ml_assets.monitoring.drift import DriftReport, FeatureDrift
    from ml_assets.monitoring.performance import LivePerformance

DOCUMENT = "decision.json"
SHOWN_FEATURES = 5


@dataclass(frozen=True)
class RetrainDecision:
    """What to do about one window.

    Attributes:
        reason: a sentence with the figures it rests on.
        decision_id: 16 hexadecimal characters, the same for the same dataset, window and findings: a sensor's
            run key.
        rows: live rows in the window.
        drifted: names of what drifted, `prediction`, `live_performance` and `intervals` among them.
        settled_until: end of the last window that led to a retraining, this one's if `retrain`; None if none
            ever did.
        decided_at: seconds since the epoch, as are the window's bounds.
    """

    dataset: str
    retrain: bool
    reason: str
    decision_id: str
    window_start: float
    window_end: float
    rows: int
    drifted: tuple[str, ...]
    settled_until: float | None
    decided_at: float

    def save(self, folder: Path) -> None:
        """Writes `decision.json`."""
        write_document(folder / DOCUMENT, asdict(self))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads back what `save` wrote."""
        document = read_document(folder / DOCUMENT)
        return cls(**{**document, "drifted": tuple(document["drifted"])})


def decide_retrain(
    report: DriftReport,
    performance: LivePerformance,
    *,
    minimum_rows: int,
    last_decision: RetrainDecision | None,
    decided_at: float,
) -> RetrainDecision:
    """The decision on the window of `report`.

    Retrain if anything drifted, live rows are predicted worse, or intervals hold the truth less often than promised.

    Args:
        report: the window's drift.
        performance: the same window's live figures.
        minimum_rows: fewer live rows are no reason to retrain, whatever they look like.
        last_decision: the decision taken before this one, whatever it was; None if this is the first.
        decided_at: the clock.
    """
    settled = last_decision.settled_until if last_decision else None
    findings = _findings(report, performance)
    obstacle = _obstacle(report, minimum_rows, settled)
    retrain = bool(findings) and obstacle is None
    if obstacle is not None:
        reason = f"no retraining: {obstacle}"
    elif retrain:
        reason = f"retrain: {_explanation(report, performance)}"
    else:
        reason = f"no retraining: {_all_well(report, performance)}"
    bounds = report.bounds
    return RetrainDecision(
        dataset=report.dataset,
        retrain=retrain,
        reason=reason,
        decision_id=_decision_id(report.dataset, bounds.start, bounds.end, findings),
        window_start=bounds.start,
        window_end=bounds.end,
        rows=report.rows,
        drifted=findings,
        settled_until=bounds.end if retrain else settled,
        decided_at=decided_at,
    )


def _findings(report: DriftReport, performance: LivePerformance) -> tuple[str, ...]:
    found = [f.name for f in report.drifted]
    found += ["prediction"] if report.prediction_drifted else []
    found += ["live_performance"] if performance.is_worse else []
    found += ["intervals"] if performance.breaks_promise else []
    return tuple(found)


def _obstacle(report: DriftReport, minimum_rows: int, settled: float | None) -> str | None:
    if settled is not None and report.bounds.start < settled:
        return "a part of the window led to a retraining already; materialize live_window again"
    needed = max(minimum_rows, report.minimum_rows)
    if report.rows < needed:
        return f"{report.rows} rows in the window, at least {needed} are needed for a verdict"
    return None


def _explanation(report: DriftReport, performance: LivePerformance) -> str:
    parts = []
    drifted = report.drifted
    if drifted:
        named = "; ".join(_figures(f) for f in drifted[:SHOWN_FEATURES])
        more = f"; and {len(drifted) - SHOWN_FEATURES} more" if len(drifted) > SHOWN_FEATURES else ""
        parts.append(
            f"{len(drifted)} of {len(report.features)} features drifted over {report.rows} rows: {named}{more}"
        )
    if report.prediction is not None and report.prediction.drifted:
        parts.append(f"predictions drifted over {report.rows} rows: {_figures(report.prediction)}")
    if performance.is_worse or performance.breaks_promise:
        parts.append(performance.message)
    return ". ".join(parts)


def _all_well(report: DriftReport, performance: LivePerformance) -> str:
    strongest = max(report.features, key=lambda f: f.psi, default=None)
    most = f", the most {_figures(strongest)}" if strongest else ""
    tested = len(report.features)
    return f"none of {tested} features drifted over {report.rows} rows{most}. {performance.message}"


def _figures(f: FeatureDrift) -> str:
    test = "KS" if f.test == "ks" else "Cramér's V"
    measure = "" if f.measure == "value" else f" by its {f.measure}"
    return f"{f.name}{measure} ({test} {f.effect:.2f}, PSI {f.psi:.2f}, adjusted p {f.p_adjusted:.1g})"


def _decision_id(dataset: str, start: float, end: float, findings: tuple[str, ...]) -> str:
    text = json.dumps([dataset, start, end, sorted(findings)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
