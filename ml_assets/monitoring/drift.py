"""Whether a live window looks like the reference, feature by feature. What to do then belongs in `decision`.

A feature has drifted if its test is significant after Holm's correction over all features and the prediction,
and its PSI is at least `psi_threshold`. The first alone would call every hair's breadth a drift once rows are
many, the second alone would take chance for drift while they are few. 0.2 is the usual level for acting
(Siddiqi 2006 draws it at 0.25, others at 0.2); for a normal feature it is a shift of the mean by 0.45
standard deviations.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd

from ml_assets.errors import ContractViolation
from ml_assets.evaluation.documents import read_document, write_document
from ml_assets.monitoring.profile import (
    CategoryProfile,
    Measure,
    NumericProfile,
    Profile,
    as_labels,
    bin_counts,
    in_buckets,
    mean_and_std,
    measured,
)
from ml_assets.monitoring.statistics import chi_square, holm, kolmogorov_smirnov, population_stability_index
from ml_assets.monitoring.window import WindowBounds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DOCUMENT = "drift.json"
PREDICTION = "prediction"
SHOWN_UNSEEN = 10


@dataclass(frozen=True)
class FeatureDrift:
    """How far one feature, or the prediction, moved.

    Attributes:
        test: "ks" for a number, and for what a date or a text is measured by; "chi_square" for a label or presence.
        statistic: of the test; the KS statistic is a distance from 0 to 1.
        p_adjusted: `p_value` after Holm's correction over the whole report.
        psi: population stability index over the reference's tenths or labels, a missing value being a bin of
            its own.
        effect: KS distance, or Cramér's V, both 0 to 1.
        mean_shift: live mean minus reference mean, in standard deviations of the reference; None for a label,
            a constant reference and an empty side.
        missing_share: missing values among the live rows; `reference_missing_share` among the reference's.
        outside_share: live values outside the contract's range or allowed labels, of those present.
        unseen: labels the reference does not have, most frequent first, at most `SHOWN_UNSEEN`; none where labels
            are so many that they are compared in buckets.
        measure: what was compared: values, days since 1970 of a date, or characters of a text (what a text says is
            not compared); "presence", whether there is one, of a date that goes along with the calendar.
    """

    name: str
    test: Literal["ks", "chi_square"]
    statistic: float
    p_value: float
    psi: float
    effect: float
    mean_shift: float | None
    missing_share: float
    reference_missing_share: float
    outside_share: float
    unseen: tuple[str, ...] = ()
    measure: Measure = "value"
    p_adjusted: float = 1.0
    drifted: bool = False


@dataclass(frozen=True)
class DriftReport:
    """The verdict on one window.

    Attributes:
        state: "not enough rows" means that nothing was tested; `features` is empty then.
        features: one for each feature, in contract order.
        prediction: of the model's predictions, None if profile or window has none.
        rows: live rows in the window.
    """

    dataset: str
    state: Literal["drift", "no drift", "not enough rows"]
    bounds: WindowBounds
    rows: int
    minimum_rows: int
    reference_rows: int
    alpha: float
    psi_threshold: float
    features: tuple[FeatureDrift, ...] = ()
    prediction: FeatureDrift | None = None

    @property
    def drifted(self) -> tuple[FeatureDrift, ...]:
        """Features that drifted, largest PSI first."""
        return tuple(sorted((f for f in self.features if f.drifted), key=lambda f: -f.psi))

    @property
    def prediction_drifted(self) -> bool:
        """Whether the predictions drifted."""
        return self.prediction is not None and self.prediction.drifted

    def to_frame(self) -> pd.DataFrame:
        """One row a feature, in contract order, and one for the prediction; the columns of `FeatureDrift`."""
        found = [*self.features, *([self.prediction] if self.prediction else [])]
        return pd.DataFrame([asdict(f) for f in found], columns=list(FeatureDrift.__dataclass_fields__))

    def save(self, folder: Path) -> None:
        """Writes `drift.json`."""
        write_document(folder / DOCUMENT, asdict(self))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads back what `save` wrote."""
        document = read_document(folder / DOCUMENT)
        bounds = WindowBounds(**document.pop("bounds"))
        features = tuple(_feature(f) for f in document.pop("features"))
        prediction = document.pop("prediction")
        return cls(
            bounds=bounds,
            features=features,
            prediction=_feature(prediction) if prediction else None,
            **document,
        )


def drift(
    profile: Profile,
    window: pd.DataFrame,
    *,
    bounds: WindowBounds,
    alpha: float = 0.01,
    psi_threshold: float = 0.2,
    minimum_rows: int = 100,
) -> DriftReport:
    """The verdict on the rows of `window`, as `PredictionLog.window` gives them.

    Args:
        profile: what to compare with.
        window: at least the profile's features; `prediction` too if predictions are to be judged.
        bounds: the window's period; it rides in the report.
        alpha: chance of any false alarm in a report, at most.
        psi_threshold: smallest PSI that matters.
        minimum_rows: below it there is no verdict.

    Raises:
        ContractViolation: the window lacks a feature.
    """
    lacking = [name for name in profile.features if name not in window.columns]
    if lacking:
        raise ContractViolation(
            f"{profile.dataset}: the live window lacks columns {', '.join(lacking)}: materialize live_window again"
        )
    settings: dict[str, Any] = {
        "dataset": profile.dataset,
        "bounds": bounds,
        "rows": len(window),
        "minimum_rows": minimum_rows,
        "reference_rows": profile.rows,
        "alpha": alpha,
        "psi_threshold": psi_threshold,
    }
    if len(window) < max(minimum_rows, 1):
        return DriftReport(state="not enough rows", **settings)
    found = [_compare(name, reference, window[name]) for name, reference in profile.features.items()]
    if profile.prediction is not None and PREDICTION in window.columns:
        found.append(_compare(PREDICTION, profile.prediction, window[PREDICTION]))
    judged = [
        replace(f, p_adjusted=p, drifted=p < alpha and f.psi >= psi_threshold)
        for f, p in zip(found, holm([f.p_value for f in found]), strict=True)
    ]
    features = len(profile.features)
    return DriftReport(
        state="drift" if any(f.drifted for f in judged) else "no drift",
        features=tuple(judged[:features]),
        prediction=judged[features] if len(judged) > features else None,
        **settings,
    )


def _compare(name: str, reference: NumericProfile | CategoryProfile, live: pd.Series[Any]) -> FeatureDrift:
    if isinstance(reference, NumericProfile):
        return _compare_numbers(name, reference, live)
    return _compare_labels(name, reference, live)


def _compare_numbers(name: str, reference: NumericProfile, live: pd.Series[Any]) -> FeatureDrift:
    """KS over present values; if any are missing, twice the smaller of its p and that of their share.

    Of what goes along with the calendar only that share is tested; the mean shift says how far it went.
    """
    values = measured(reference.measure, live)
    present = np.sort(values[~np.isnan(values)])
    missing = len(values) - len(present)
    distance, p_value = kolmogorov_smirnov(np.asarray(reference.sample), present)
    if missing or reference.missing:
        _, p_missing, _ = chi_square([sum(reference.counts), reference.missing], [len(present), missing])
        p_value = min(1.0, 2 * min(p_value, p_missing))
    low, high = reference.range or (-np.inf, np.inf)
    outside = int(((present < low) | (present > high)).sum())
    counts = bin_counts(present, reference.edges)
    found = FeatureDrift(
        name=name,
        test="ks",
        statistic=distance,
        p_value=p_value,
        psi=population_stability_index([*reference.counts, reference.missing], [*counts, missing]),
        effect=distance,
        mean_shift=_mean_shift(reference, mean_and_std(present)[0]),
        missing_share=_share(missing, len(values)),
        reference_missing_share=_share(reference.missing, sum(reference.counts) + reference.missing),
        outside_share=_share(outside, len(present)),
        measure=reference.measure,
    )
    if reference.measure != "presence":
        return found
    before, after = [sum(reference.counts), reference.missing], [len(present), missing]
    statistic, p_value, effect = chi_square(before, after)
    psi = population_stability_index(before, after)
    return replace(found, test="chi_square", statistic=statistic, p_value=p_value, effect=effect, psi=psi)


def _compare_labels(name: str, reference: CategoryProfile, live: pd.Series[Any]) -> FeatureDrift:
    """Chi-square over the labels (or buckets of labels) of both sides, missing being one of them."""
    counts = Counter(as_labels(live))
    missing = counts.pop(None, 0)
    present = {str(label): counts[label] for label in sorted(map(str, counts))}
    compared: Mapping[str, int] = in_buckets(present) if reference.in_buckets else present
    unseen = sorted(compared.keys() - reference.counts.keys(), key=lambda label: (-compared[label], label))
    labels = [*reference.counts, *sorted(unseen)]
    before = [*(reference.counts.get(label, 0) for label in labels), reference.missing]
    after = [*(compared.get(label, 0) for label in labels), missing]
    statistic, p_value, cramers_v = chi_square(before, after)
    outside = {} if reference.allowed is None else present.keys() - set(reference.allowed)
    return FeatureDrift(
        name=name,
        test="chi_square",
        statistic=statistic,
        p_value=p_value,
        psi=population_stability_index(before, after),
        effect=cramers_v,
        mean_shift=None,
        missing_share=_share(missing, len(live)),
        reference_missing_share=_share(reference.missing, sum(before)),
        outside_share=_share(sum(present[label] for label in outside), len(live) - missing),
        unseen=() if reference.in_buckets else tuple(unseen[:SHOWN_UNSEEN]),
    )


def _mean_shift(reference: NumericProfile, mean: float | None) -> float | None:
    if mean is None or reference.mean is None or not reference.std:
        return None
    shift = (mean - reference.mean) / reference.std
    return shift if np.isfinite(shift) else None


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _feature(document: dict[str, Any]) -> FeatureDrift:
    return FeatureDrift(**{**document, "unseen": tuple(document["unseen"])})
