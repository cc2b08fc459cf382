"""The winner explained on test rows at a bounded cost, and how that is kept. Each method has a module of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import pandas as pd
from scipy import stats

from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.evaluation.attributions import Attributions, agnostic_attributions, tree_attributions
from ml_assets.evaluation.counterfactuals import Change, Counterfactual, counterfactual
from ml_assets.evaluation.dependence import Dependence, Interaction, dependence, interactions
from ml_assets.evaluation.documents import read_document, write_document
from ml_assets.evaluation.evaluate import predict, true_values
from ml_assets.evaluation.importances import affordable_rows, permutation_importance
from ml_assets.evaluation.pictures import load_pictures, save_pictures
from ml_assets.evaluation.record import Evaluation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from sklearn.pipeline import Pipeline

FILE: Final = "explanations.json"
SECONDS: Final = 1.0
"""Of it a quarter each goes to importances, dependence and interactions, about, and half to SHAP values."""
BACKGROUND: Final = 20
MOST_EXPLAINED: Final = 200
SHOWN_COLUMNS: Final = 4
PAIRED_COLUMNS: Final = 3
REPEATS: Final = 5
EXAMPLES: Final = 3
FEWEST_FOR_DIRECTION: Final = 8
"""Explained rows below which nothing is said of whether more of a column raises the answer."""


@dataclass(frozen=True)
class Example:
    """One test row explained: its answer, what each column adds to it, and what would change it.

    Attributes:
        why: why this one, such as `the largest error`.
        answer: what the model says: a number, or a label.
        base: the explained output where no column is known: the number, or the probability of the label.
        output: the same for this row.
        values: column, its value as words, and what it adds; the largest first.
        what_if: the smallest change that moves the answer, a number by half of the typical error or more.
    """

    row_id: str
    why: str
    answer: float | str
    base: float
    output: float
    values: tuple[tuple[str, str, float], ...]
    what_if: Counterfactual


@dataclass(frozen=True, eq=False)
class Explanations:
    """What the winner's answers depend on.

    Attributes:
        by_trees: whether SHAP values are exact, of the trees themselves.
        importance: columns `feature`, `mean`, `std`, `low`, `high`: loss added by shuffling, with a 95 % t interval
            over the shuffles; largest first.
        importance_rows: test rows they were measured on.
        shap: mean absolute SHAP value of each column, (columns: `column`, `mean_absolute`, `direction`), largest first;
            the direction is the rank correlation of a number's values with its SHAP values, NaN of too few rows.
        explained_rows: how many test rows that is of.
        dependence: by column, the most important first.
        interactions: H² of the most important columns, strongest first.
        examples: single rows.
        background: raw training-like rows that stand for "not known".
        plots: PNG bytes by name, as `explanation_plots.explanation_plot_set` draws them; kept with it.
    """

    dataset: str
    family: str
    task: Task
    classes: tuple[str, ...]
    model_sha256: str
    by_trees: bool
    importance: pd.DataFrame
    importance_rows: int
    shap: pd.DataFrame
    explained_rows: int
    dependence: tuple[Dependence, ...]
    interactions: tuple[Interaction, ...]
    examples: tuple[Example, ...]
    background: pd.DataFrame
    plots: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def order(self) -> list[str]:
        """Columns, the most important first."""
        return list(self.importance["feature"])

    def save(self, folder: Path) -> None:
        """Write `explanations.json`, three Parquet files, and the plots."""
        content = {
            **{name: getattr(self, name) for name in ("dataset", "family", "classes", "model_sha256", "by_trees")},
            "task": self.task.value,
            "importance_rows": self.importance_rows,
            "explained_rows": self.explained_rows,
            "interactions": [vars(pair) for pair in self.interactions],
            "dependence": [
                {
                    "column": one.column,
                    "labels": list(one.labels),
                    "points": None if one.points is None else one.points.tolist(),
                    "rows": one.rows.tolist(),
                }
                for one in self.dependence
            ],
            "examples": [_example_document(example) for example in self.examples],
        }
        write_document(folder / FILE, content)
        self.importance.to_parquet(folder / "importance.parquet")
        self.shap.to_parquet(folder / "shap.parquet")
        self.background.to_parquet(folder / "background.parquet")
        save_pictures(folder, self.plots)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        content = read_document(folder / FILE)
        return cls(
            dataset=content["dataset"],
            family=content["family"],
            model_sha256=content["model_sha256"],
            by_trees=content["by_trees"],
            classes=tuple(content["classes"]),
            task=Task(content["task"]),
            importance_rows=content["importance_rows"],
            explained_rows=content["explained_rows"],
            interactions=tuple(Interaction(**pair) for pair in content["interactions"]),
            dependence=tuple(_dependence_of(entry) for entry in content["dependence"]),
            examples=tuple(_example_of(entry) for entry in content["examples"]),
            importance=pd.read_parquet(folder / "importance.parquet"),
            shap=pd.read_parquet(folder / "shap.parquet"),
            background=pd.read_parquet(folder / "background.parquet"),
            plots=load_pictures(folder),
        )


def explain(
    spec: DatasetSpec, pipeline: Pipeline, table: pd.DataFrame, evaluation: Evaluation, *, seed: int = 0
) -> Explanations:
    """Explanations of an evaluated model on its test rows.

    Args:
        spec: the contract.
        pipeline: the fitted model.
        table: the clean table, indexed by row_id.
        evaluation: of the model; its speed decides how many rows there is time for.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    rows = table.loc[evaluation.test.index, list(spec.feature_columns)]
    training = table.loc[evaluation.oof.index, list(spec.feature_columns)]
    background = training.iloc[np.sort(rng.permutation(len(training))[:BACKGROUND])]
    answers = affordable_answers(evaluation.predict_ms_per_1000_rows)
    importance, measured = _importance(spec, pipeline, rows, table, evaluation, seed)
    order = list(importance["feature"])
    explained = _drawn(rows, _rows_for_shap(2 * answers, len(order)), rng)
    known = attribute(spec, pipeline, explained, background, order=order, seed=seed)
    along = _drawn(rows, int(np.clip(answers / (10 * SHOWN_COLUMNS), 15, 100)), rng)
    crossed = _drawn(rows, int(np.clip(math.sqrt(answers / 6), 8, 40)), rng)

    def ask(asked: pd.DataFrame) -> NDArray[np.float64]:
        return predict(spec.task, pipeline, asked)

    found = (dependence(spec, ask, along, name) for name in order[:SHOWN_COLUMNS])
    return Explanations(
        dataset=spec.name,
        family=evaluation.family,
        task=spec.task,
        classes=evaluation.classes,
        model_sha256=evaluation.model_sha256,
        by_trees=known.by_trees,
        importance=importance,
        importance_rows=measured,
        shap=_summary(spec, explained, known),
        explained_rows=len(explained),
        dependence=tuple(one for one in found if one is not None),
        interactions=interactions(spec, ask, crossed, order[:PAIRED_COLUMNS]),
        examples=_examples(spec, pipeline, rows, training, evaluation, background, order, seed),
        background=background,
    )


def affordable_answers(ms_per_1000_rows: float) -> float:
    """Rows that can be predicted in a quarter of `SECONDS`."""
    return 1e6 * SECONDS / 4 / max(ms_per_1000_rows, 0.5)


def attribute(
    spec: DatasetSpec,
    pipeline: Pipeline,
    rows: pd.DataFrame,
    background: pd.DataFrame,
    *,
    order: list[str],
    seed: int = 0,
) -> Attributions:
    """SHAP values of what the model answers for raw `rows`: by its trees where that can be, else by asking."""
    exact = tree_attributions(pipeline, rows)
    if exact is not None:
        return exact

    def ask(asked: pd.DataFrame) -> NDArray[np.float64]:
        return predict(spec.task, pipeline, asked)

    return agnostic_attributions(ask, rows, background, order=order, seed=seed)


def _rows_for_shap(answers: float, columns: int) -> int:
    return int(np.clip(answers / (2 * min(columns, 31) * BACKGROUND), 4, MOST_EXPLAINED))


def _drawn(rows: pd.DataFrame, most: int, rng: np.random.Generator) -> pd.DataFrame:
    return rows.iloc[np.sort(rng.permutation(len(rows))[:most])]


def _importance(
    spec: DatasetSpec, pipeline: Pipeline, rows: pd.DataFrame, table: pd.DataFrame, evaluation: Evaluation, seed: int
) -> tuple[pd.DataFrame, int]:
    calls = rows.shape[1] * REPEATS
    most = affordable_rows(evaluation.predict_ms_per_1000_rows, calls, SECONDS / 4, 1000)
    found = permutation_importance(
        lambda asked: predict(spec.task, pipeline, asked),
        rows,
        true_values(spec, table.loc[rows.index]),
        task=spec.task,
        classes=evaluation.classes,
        rows=most,
        repeats=REPEATS,
        seed=seed,
    )
    half = float(stats.t.ppf(0.975, REPEATS - 1)) * found["std"] / math.sqrt(REPEATS)
    return found.assign(low=found["mean"] - half, high=found["mean"] + half), min(most, len(rows))


def _summary(spec: DatasetSpec, rows: pd.DataFrame, known: Attributions) -> pd.DataFrame:
    """Mean absolute value and direction of each column; a direction only of numbers and of one output, or the last."""
    directions = [
        _direction(rows[name], known.values[:, at, -1])
        if name in rows and spec.columns[name].is_number and known.values.shape[2] <= 2
        else math.nan
        for at, name in enumerate(known.columns)
    ]
    made = pd.DataFrame({"column": list(known.columns), "mean_absolute": known.importance(), "direction": directions})
    return made.sort_values("mean_absolute", ascending=False, kind="stable", ignore_index=True)


def _direction(values: pd.Series[Any], added: NDArray[np.float64]) -> float:
    if len(values) < FEWEST_FOR_DIRECTION or values.nunique() < 2 or len(np.unique(added)) < 2:
        return math.nan
    return float(pd.Series(added).corr(pd.Series(values.to_numpy(dtype=np.float64)), method="spearman"))


def _examples(
    spec: DatasetSpec,
    pipeline: Pipeline,
    rows: pd.DataFrame,
    training: pd.DataFrame,
    evaluation: Evaluation,
    background: pd.DataFrame,
    order: list[str],
    seed: int,
) -> tuple[Example, ...]:
    losses = evaluation.test_row_losses()
    ranked = losses[np.isfinite(losses)].sort_values(kind="stable").index
    if len(ranked) < EXAMPLES:
        return ()
    chosen = {
        "a typical error": ranked[len(ranked) // 2],
        "the largest error": ranked[-1],
        "the smallest error": ranked[0],
    }
    amount = None if spec.task is Task.CLASSIFICATION else evaluation.test_metrics["rmse"] / 2
    shown = rows.loc[list(chosen.values())]
    return explain_rows(
        spec, pipeline, shown, training, background, order=order, why=list(chosen), amount=amount, seed=seed
    )


def explain_rows(
    spec: DatasetSpec,
    pipeline: Pipeline,
    rows: pd.DataFrame,
    observed: pd.DataFrame,
    background: pd.DataFrame,
    *,
    order: list[str],
    why: Sequence[str],
    amount: float | None = None,
    seed: int = 0,
) -> tuple[Example, ...]:
    """Raw rows explained one by one; of a classification the probability of the class that is said.

    Args:
        spec: the contract.
        pipeline: the fitted model.
        rows: raw rows.
        observed: raw rows that show which values there are.
        background: raw rows that stand for "not known".
        order: columns, the most important first.
        why: of each row, why it is told.
        amount: by how much a number has to move for a change to count; None for classes.
        seed: of the draws.
    """
    if rows.empty:
        return ()
    known = attribute(spec, pipeline, rows, background, order=order, seed=seed)
    answers = pipeline.predict(rows)
    classes = list(map(str, pipeline.classes_)) if spec.task is Task.CLASSIFICATION else []

    def example(place: int) -> Example:
        row, answer = rows.iloc[[place]], answers[place]
        at = classes.index(str(answer)) if classes else 0
        added = known.values[place, :, at]
        ranked = np.argsort(-np.abs(added), kind="stable")
        named = [(known.columns[c], float(added[c])) for c in ranked]
        return Example(
            row_id=str(row.index[0]),
            why=why[place],
            answer=str(answer) if classes else float(answer),
            base=float(known.base[at]),
            output=float(known.outputs[place, at]),
            values=tuple((name, _shown(row[name].iloc[0]) if name in row else "", value) for name, value in named),
            what_if=counterfactual(spec, pipeline.predict, row, observed, order=order, amount=amount),
        )

    return tuple(example(place) for place in range(len(rows)))


def _shown(value: Any) -> str:
    if pd.isna(value):
        return "missing"
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _example_document(example: Example) -> dict[str, Any]:
    what_if = example.what_if
    return {
        **{name: getattr(example, name) for name in ("row_id", "why", "answer", "base", "output")},
        "values": [list(entry) for entry in example.values],
        "what_if": {
            "changes": [[c.column, _shown(c.before), _shown(c.after)] for c in what_if.changes],
            "distance": what_if.distance,
            "answer": what_if.answer if isinstance(what_if.answer, str) else float(what_if.answer),
        },
    }


def _example_of(entry: dict[str, Any]) -> Example:
    told = entry["what_if"]
    distance = math.nan if told["distance"] is None else told["distance"]
    what_if = Counterfactual(tuple(Change(*change) for change in told["changes"]), distance, told["answer"])
    return Example(**{**entry, "values": tuple(map(tuple, entry["values"])), "what_if": what_if})


def _dependence_of(entry: dict[str, Any]) -> Dependence:
    points = None if entry["points"] is None else np.array(entry["points"], dtype=np.float64)
    return Dependence(entry["column"], tuple(entry["labels"]), points, np.array(entry["rows"], dtype=np.float64))
