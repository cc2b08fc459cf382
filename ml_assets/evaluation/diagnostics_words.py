"""What a page says of a model's diagnostics: scores with intervals, weak spots. Figures are made in `diagnostics`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ml_assets.datasets.spec import Task
from ml_assets.evaluation.card_content import result_table
from ml_assets.evaluation.contract_scores import contract_metrics
from ml_assets.evaluation.metrics import METRICS
from ml_assets.evaluation.section import Section
from ml_assets.evaluation.tables import Table
from ml_assets.evaluation.wording import listed, number, p_value, percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.evaluation.baseline import Baseline
    from ml_assets.evaluation.diagnostics import Diagnostics
    from ml_assets.evaluation.group_gaps import GroupGap
    from ml_assets.evaluation.record import Evaluation
    from ml_assets.evaluation.score_intervals import ScoreInterval
    from ml_assets.evaluation.slice_search import FoundSlice

LABELS = {
    "average_precision": "area under precision and recall",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "roc_auc": "ROC AUC",
}
GAP_LABELS = {
    "rmse": "root mean squared error",
    "mean_error": "mean of answer minus truth",
    "accuracy": "accuracy",
    "selection_rate": "how often it is said",
    "true_positive_rate": "how often it is said where true",
}
PER_CLASS = ("precision", "recall", "f1", "roc_auc", "average_precision")


def scores_section(spec: DatasetSpec, evaluation: Evaluation, baseline: Baseline, found: Diagnostics) -> Section:
    """The scores on test rows with intervals, beside those out of fold and those of the simplest guess."""
    said = (
        f"It was fitted on {evaluation.train_rows:,} rows and then scored on {evaluation.test_rows:,} test rows that "
        "had no part in choosing or fitting it. The baseline is the simplest guess there is, on the same rows.",
        "An interval says how much a figure moves with the test rows that happened to be drawn (bias-corrected and "
        "accelerated bootstrap, 95 %). It takes the model as it is, and says nothing of another day's data.",
    )
    tables = (result_table(evaluation, baseline), _scores_table(spec, evaluation, baseline, found), _class_table(found))
    return Section("scores", "How well it does", said, tuple(table for table in tables if table.rows))


def weak_spots_section(spec: DatasetSpec, found: Diagnostics) -> Section:
    """Where the model is wrong most: slices that were searched for, regions of the target, gaps between groups."""
    tables = (_slices_table(spec, found), *_region_tables(spec, found), _gaps_table(found))
    pictures = ("slices",) if found.slices else ()
    return Section(
        "weak_spots", "Where it is wrong most", _slices_said(found), tuple(t for t in tables if t.rows), pictures
    )


def slices_words(found: Diagnostics) -> str:
    """The plot of the slices in words."""
    told = [f"{_name(s)} {number(s.score, 3)}, elsewhere {number(s.others, 3)}" for s in found.slices]
    return f"{METRICS[found.task][found.metric].label.capitalize()} by slice: {'; '.join(told)}" if told else ""


def _metric_label(spec: DatasetSpec, name: str) -> str:
    metric = contract_metrics(spec).get(name)
    unit = spec.columns[spec.target].unit
    label = metric.label if metric is not None else LABELS.get(name, name.replace("_", " "))
    direction = "↓" if metric is not None and metric.lower_is_better else "↑"
    of_unit = f", {unit}" if unit and metric is not None and metric.in_target_units else ""
    return f"{label}{of_unit} {direction}"


def _scores_table(spec: DatasetSpec, evaluation: Evaluation, baseline: Baseline, found: Diagnostics) -> Table:
    whole = [score for score in found.scores if not score.label]
    rows = tuple(
        (
            _metric_label(spec, score.metric),
            number(score.value),
            _interval(score),
            _known(evaluation.oof_metrics, score.metric),
            _known(baseline.test_metrics, score.metric),
        )
        for score in whole
    )
    caption = f"Every metric (↓ lower, ↑ higher is better); baseline: always {baseline.guess}"
    return Table(caption, ("Metric", "Test rows", "95 % interval", "Out of fold", "Baseline, test rows"), rows)


def _known(metrics: Mapping[str, float], name: str) -> str:
    return number(metrics[name]) if name in metrics else "not computed"


def _interval(score: ScoreInterval) -> str:
    if score.low == score.low:
        return f"{number(score.low, 3)} to {number(score.high, 3)}"
    return f"none: {score.reason}"


def _class_table(found: Diagnostics) -> Table:
    labels = list(dict.fromkeys(score.label for score in found.scores if score.label))
    by = {(score.label, score.metric): score for score in found.scores}
    rows = tuple(
        (label, f"{by[label, PER_CLASS[0]].rows:,}", *(_with_interval(by[label, metric]) for metric in PER_CLASS))
        for label in labels
    )
    header = ("Class", "Test rows", *(LABELS[metric][:1].upper() + LABELS[metric][1:] for metric in PER_CLASS))
    return Table("Class by class, with 95 % intervals", header, rows)


def _with_interval(score: ScoreInterval) -> str:
    if score.value != score.value:
        return score.reason
    shown = number(score.value, 3)
    return f"{shown} ({number(score.low, 2)} to {number(score.high, 2)})" if score.low == score.low else shown


def _name(slice_: FoundSlice) -> str:
    return " and ".join(slice_.conditions)


def _slices_said(found: Diagnostics) -> tuple[str, ...]:
    how = (
        "Slices of one or two conditions were searched on one half of the rows and tested on the other, each row "
        "predicted by a model that had not been fitted on it."
    )
    sure = [s for s in found.slices if s.beyond_noise]
    if not found.slices:
        return ("There are too few rows to look for slices that it serves worse, or its errors are all the same.",)
    if not sure:
        return (f"{how} None that was found is worse beyond the noise.",)
    worst = max(sure, key=lambda s: s.score)
    times = (
        f"{worst.score / worst.others:.1f} times that of the others" if worst.others > 0 else "above that of the others"
    )
    named = "One is" if len(sure) == 1 else f"{len(sure)} are"
    return (
        f"{how} {named} worse beyond the noise: {listed([_name(s) for s in sure])}. The largest error is where "
        f"{_name(worst)}: {times}.",
    )


def _slices_table(spec: DatasetSpec, found: Diagnostics) -> Table:
    label = _metric_label(spec, found.metric)
    rows = tuple(
        (
            _name(s),
            f"{s.rows:,}",
            f"{number(s.score, 3)} ({number(s.low, 3)} to {number(s.high, 3)})",
            number(s.others, 3),
            p_value(s.p_value),
            "yes" if s.beyond_noise else "no",
        )
        for s in found.slices
    )
    header = ("Slice", "Rows", f"{label[:1].upper()}{label[1:]}", "The others", "p, Holm-corrected", "Beyond the noise")
    return Table("The worst slices that were found", header, rows)


def _region_tables(spec: DatasetSpec, found: Diagnostics) -> list[Table]:
    label, regression = _metric_label(spec, found.metric), found.task is Task.REGRESSION
    second = "Mean of answer minus truth" if regression else "Right class named"
    tables = []
    for by in ("truth", "prediction"):
        rows = tuple(
            (
                region.name,
                f"{region.rows:,}",
                number(region.score, 3),
                number(region.second, 3) if regression else percent(region.second),
            )
            for region in found.regions
            if region.by == by
        )
        what = {"truth": "what is true", "prediction": "what is answered"}[by]
        header = (what[:1].upper() + what[1:], "Rows", f"{label[:1].upper()}{label[1:]}", second)
        tables.append(Table(f"Out-of-fold errors by {what}", header, rows))
    return tables


def _gaps_table(found: Diagnostics) -> Table:
    rows = tuple(
        (
            gap.column,
            f"{GAP_LABELS[gap.metric]}{f', {gap.label}' if gap.label else ''}",
            number(gap.difference, 3),
            number(gap.ratio, 3) if gap.ratio == gap.ratio else "not defined",
            f"{gap.lowest} / {gap.highest}",
            _left_out(gap),
        )
        for gap in found.gaps
    )
    header = (
        "Sensitive column",
        "Metric by group",
        "Largest minus smallest",
        "Smallest over largest",
        "Between",
        "Too few rows",
    )
    return Table("Gaps between groups, out of fold", header, rows)


def _left_out(gap: GroupGap) -> str:
    return listed(list(gap.left_out)) if gap.left_out else "none"
