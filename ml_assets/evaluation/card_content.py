"""What a model card says of the model. What it says of the data is `card_data`, how it looks `card.html.j2`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ml_assets.datasets.spec import Column, DatasetSpec, Task
from ml_assets.evaluation.contract_scores import contract_metrics
from ml_assets.evaluation.metrics import METRICS
from ml_assets.evaluation.tables import Table
from ml_assets.evaluation.wording import cell, duration, listed, number, percent, quantity, size, with_error
from ml_assets.evaluation.wording import p_value as p_text

if TYPE_CHECKING:
    from ml_assets.evaluation.baseline import Baseline
    from ml_assets.evaluation.comparison import Leaderboard, LeaderboardRow
    from ml_assets.evaluation.record import Evaluation


MOST_COSTS = 12
"""Classes up to which the card shows the table of costs."""


def words(name: str) -> str:
    """A name of the program as words."""
    return name.replace("_", " ")


def purpose(spec: DatasetSpec) -> str:
    """One sentence on what is predicted from what."""
    target = spec.columns[spec.target]
    what = target.description.strip().rstrip(".") or words(spec.target)
    unit = f", in {target.unit}" if target.unit else ""
    kind = "a number" if spec.task is Task.REGRESSION else f"one of {_class_count(spec)}classes"
    return f"What it predicts: {what} ({kind}{unit}), from {len(spec.feature_columns)} columns of a row."


def headline(spec: DatasetSpec, evaluation: Evaluation, baseline: Baseline) -> str:
    """The result in words a manager understands: against the simplest guess, on unseen rows."""
    ours, theirs = evaluation.test_metrics, baseline.test_metrics
    rows = f"{evaluation.test_rows:,} rows that it had never seen"
    if evaluation.task is Task.REGRESSION:
        unit = spec.columns[spec.target].unit
        half, guessed = (quantity(number(m["median_absolute_error"], 3), unit) for m in (ours, theirs))
        return (
            f"On {rows}, half of its answers were within {half} of the truth. Always answering the average would have "
            f"been within {guessed} half of the time."
        )
    always = "class that is cheapest on average" if spec.decision.costs else "commonest class"
    return (
        f"On {rows}, it named the right class in {percent(ours['accuracy'])} of the cases. Always naming the "
        f"{always} would have been right in {percent(theirs['accuracy'])}."
    )


def standing(board: Leaderboard) -> str:
    """Who won, and who cannot be told from the winner."""
    others = [words(family) for family in board.indistinguishable if family != board.winner]
    same = [words(family) for family in board.equivalent if family != board.winner]
    if len(board.rows) == 1:
        return f"Only one family could be compared, {words(board.winner)}."
    start = f"Of {len(board.rows)} families, {words(board.leader)} has the best cross-validated score."
    end = ""
    if board.winner != board.leader:
        end = f" The contract prefers the cheapest of those as good, so {words(board.winner)} wins."
    if same:
        end = (
            f" Practically the same, within {percent(board.equivalence_margin)} of its score, "
            f"{'are' if len(same) > 1 else 'is'} {listed(same)}.{end}"
        )
    if not others:
        if board.indistinguishable:
            return f"{start} The folds cannot tell {words(board.winner)} from it.{end}"
        return f"{start} The difference to every other family is larger than the noise of the folds.{end}"
    return (
        f"{start} The folds cannot tell it from {listed(others)}: the difference is within their noise "
        f"(corrected paired t-test with Holm's correction for {len(board.rows) - 1} comparisons, limit "
        f"{board.alpha:g}).{end}"
    )


def scores_table(spec: DatasetSpec, evaluation: Evaluation, baseline: Baseline) -> Table:
    """Every metric: out of fold, on test rows, and the baseline's."""
    unit = spec.columns[spec.target].unit
    rows = []
    for name, metric in contract_metrics(spec).items():
        direction = "↓" if metric.lower_is_better else "↑"
        of_unit = f", {unit}" if unit and metric.in_target_units else ""
        label = f"{metric.label}{of_unit} {direction}"
        columns = (evaluation.oof_metrics, evaluation.test_metrics, baseline.test_metrics)
        places = 12 if metric.in_target_units else 4
        cells = (round(values[name], places) for values in columns)
        rows.append((label, *map(number, cells)))
    caption = f"All metrics of the winner (↓ lower, ↑ higher is better); baseline: always {baseline.guess}"
    return Table(caption, ("Metric", "Out of fold", "Test rows", "Baseline, test rows"), tuple(rows))


def answering(spec: DatasetSpec, evaluation: Evaluation) -> list[str]:
    """How a classifier comes to its probabilities and answers, where that is not by its estimator alone."""
    said = []
    if spec.decision.costs:
        test = evaluation.test_metrics
        said.append(
            "Its answer is not always the likeliest class but the one whose expected cost is least, by the costs in "
            f"the contract. On the test rows an answer cost {number(test['mean_cost'], 3)} on average; always naming "
            f"the likeliest class would have cost {number(test['mean_cost_of_likeliest'], 3)}."
        )
    if (found := evaluation.calibration) is not None:
        gain = with_error(abs(found.gain), found.error)
        if found.kept:
            manner = "less sure" if found.value > 1 else "surer"
            said.append(
                f"Its probabilities were made {manner} (temperature {number(found.value, 3)}): on folds that had no "
                f"part in choosing it, that lowers the log loss by {gain}."
            )
        else:
            change = "lowers" if found.gain > 0 else "raises"
            said.append(
                f"Its probabilities are those of its estimator: a temperature {change} the log loss by {gain} on folds "
                "that had no part in choosing it, which is no gain beyond the noise."
            )
    if evaluation.class_weight == "balanced":
        said.append(
            "In training every class had the same weight in all; the probabilities were brought back to the shares of "
            "the classes in the table."
        )
    elif evaluation.class_weight == "partly":
        said.append("The contract asks for class weights; those of its members that take none were fitted without.")
    elif evaluation.class_weight != "none":
        said.append("The contract asks for class weights, but this family takes none: its rows all weighed the same.")
    return said


def costs_table(evaluation: Evaluation) -> Table | None:
    """What each said class costs; None where every mistake costs the same, or there are too many classes to read."""
    if not evaluation.costs or len(evaluation.classes) > MOST_COSTS:
        return None
    rows = tuple(
        (true, *(f"{cost:g}" for cost in row)) for true, row in zip(evaluation.classes, evaluation.costs, strict=True)
    )
    return Table("Costs by the contract: true class down, said class across", ("", *evaluation.classes), rows)


def result_table(evaluation: Evaluation, baseline: Baseline) -> Table:
    """The primary metric of model and baseline, each with its standard error."""
    label = METRICS[evaluation.task][evaluation.metric].label
    saved = percent(1 - evaluation.cv_score / baseline.cv_score) if baseline.cv_score else "not defined"
    rows = (
        (
            f"Cross-validated {label}",
            with_error(evaluation.cv_score, evaluation.cv_standard_error),
            with_error(baseline.cv_score, baseline.cv_standard_error),
        ),
        (
            "The same on test rows",
            with_error(evaluation.test_score, evaluation.test_standard_error),
            number(baseline.test_score),
        ),
        ("Loss saved, cross-validated", saved, "0 %"),
    )
    caption = f"{label.capitalize()} (lower is better) ± standard error, over folds and over test rows"
    return Table(caption, ("", words(evaluation.family), "Baseline"), rows)


def leaderboard_table(board: Leaderboard) -> Table:
    """The families, best first."""
    rows = []
    for row in board.rows:
        verdict = _standing_of(board, row)
        rows.append(
            (
                words(row.family),
                with_error(row.cv_score, row.cv_standard_error),
                verdict,
                _difference(row),
                number(row.test_score),
                duration(row.seconds),
                f"{row.predict_ms_per_1000_rows:,.1f} ms",
                size(row.model_bytes),
            )
        )
    header = (
        "Family",
        "Cross-validated",
        "Against the best",
        "Difference",
        "Test rows",
        "Training",
        "1000 rows take",
        "Model size",
    )
    label = METRICS[board.task][board.metric].label
    caption = (
        f"Families by cross-validated {label} ± standard error, best first; p-values corrected by Holm's method, "
        f"differences with {percent(1 - board.alpha)} intervals over folds; test rows never choose"
    )
    return Table(caption, header, tuple(rows))


def _standing_of(board: Leaderboard, row: LeaderboardRow) -> str:
    marks = ["winner"] if row.family == board.winner else []
    if row.family == board.leader:
        return ", ".join([*marks, *(["best score"] if board.leader != board.winner else [])])
    marks.append(("same within noise, " if row.indistinguishable else "worse, ") + p_text(row.p_value))
    if row.equivalent:
        marks.append("practically the same")
    return ", ".join(marks)


def _difference(row: LeaderboardRow) -> str:
    """`+0.012 (0.003 to 0.021), 2.1 %`; nothing for the leader."""
    if not math.isfinite(row.low):
        return ""
    sign = "-" if row.difference < 0 else "+"
    return (
        f"{sign}{number(abs(row.difference), 3)} ({number(row.low, 3)} to {number(row.high, 3)}), {percent(row.share)}"
    )


def columns_table(spec: DatasetSpec) -> Table:
    """All columns but the sensitive ones as the contract describes them."""
    roles = {spec.target: "target", **dict.fromkeys(spec.feature_columns, "feature")}
    rows = tuple(
        (name, roles.get(name, "not used"), _kind(column), _described(column))
        for name, column in spec.columns.items()
        if column.sensitive is None
    )
    return Table("Columns", ("Column", "Role", "Values", "Meaning"), rows)


def sensitive_table(spec: DatasetSpec) -> Table | None:
    """Columns that are kept from the model, and why; None where there are none."""
    rows = tuple((name, c.sensitive) for name, c in spec.columns.items() if c.sensitive is not None)
    return Table("Sensitive columns, not used as features", ("Column", "Why"), rows) if rows else None


def flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with those inside others under their path, `members › linear › shrinkage`."""
    made: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            made |= {f"{name} › {inner}": deeper for inner, deeper in flat(value).items()}
        else:
            made[name] = value
    return made


def pairs_table(caption: str, pairs: Mapping[str, object], header: tuple[str, str]) -> Table:
    """A mapping as a table of two columns."""
    rows = tuple((str(k), f"{v:.6g}" if isinstance(v, float) else str(v)) for k, v in pairs.items())
    return Table(caption, header, rows)


def limits(spec: DatasetSpec, evaluation: Evaluation) -> list[str]:
    """What a person must not rely on."""
    found = [
        f"The scores hold for rows like the {evaluation.train_rows:,} it was trained on. Where the world has "
        "moved on since, they do not; the drift report says how far it has.",
        "Outside the values listed below the model has seen nothing; what it answers there is a guess.",
        "The standard errors say how much a score moves with the choice of rows. They are no interval for a "
        "single answer.",
        "Importances and correlations describe the model and the data. They do not say what would happen if "
        "somebody changed a column.",
    ]
    if evaluation.test_rows < 200:
        found.insert(
            1,
            f"There are only {evaluation.test_rows} test rows: a score on them is a rough figure, and a "
            "perfect one does not promise perfection.",
        )
    target = spec.columns[spec.target]
    if target.capped_at is not None:
        cap = quantity(cell(target.capped_at), target.unit)
        found.append(f"The target is capped: {cap} stands for that and more, and so does any answer near it.")
    if sensitive_table(spec) is not None:
        found.append(
            "Sensitive columns are not features, but other columns may stand in for them. Leaving a column "
            "out does not make a model fair."
        )
    if evaluation.task is Task.CLASSIFICATION:
        found.append("A probability is as good as the calibration plot shows, not better.")
    return found


def _class_count(spec: DatasetSpec) -> str:
    return f"{len(spec.labels)} " if spec.labels else "several "


def _kind(column: Column) -> str:
    unit = f" {column.unit}" if column.unit else ""
    if column.allowed:
        shown = ", ".join(column.allowed[:8])
        return shown + (f" and {len(column.allowed) - 8} more" if len(column.allowed) > 8 else "")
    if column.range:
        return f"{column.range[0]:,g} to {column.range[1]:,g}{unit}"
    if column.period:
        return f"{column.period[0].date()} to {column.period[1].date()}"
    kinds = {"float": "number", "integer": "whole number", "boolean": "yes or no", "category": "label"}
    return kinds.get(column.dtype, column.dtype) + (f" in{unit}" if unit else "")


def _described(column: Column) -> str:
    missing = f"up to {percent(column.missing_share)} missing" if column.missing_share else ""
    unused = f"not used: {column.ignored}" if column.ignored else ""
    return "; ".join(filter(None, (column.description.strip(), missing, unused)))
