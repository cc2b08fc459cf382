"""`ml-assets explain`: what the champion's answers for the rows of a file depend on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ml_assets.cli.predict import champion_pipeline, prediction_rows, write_answers
from ml_assets.cli.stored import stored
from ml_assets.datasets.contracts import load_contract
from ml_assets.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.evaluation.diagnostics import Diagnostics
    from ml_assets.evaluation.explain import Example, Explanations

MOST_SHOWN = 20


@click.command()
@click.argument("dataset")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="CSV with a line for each row and column.")
@click.option(
    "--what-if",
    type=float,
    metavar="AMOUNT",
    help="By how much a number has to move; down, with a minus.  [default: half the test error]",
)
def explain(dataset: str, file: Path, output: Path | None, what_if: float | None) -> None:
    """Explain the champion's answers for the rows of FILE.

    For each row: the answer, what it would be where nothing is known, what each column adds to that (SHAP values, of
    the probability of the class that is said), and the smallest change of one or two columns that would move it.

    \b
    Examples:
      ml-assets explain iris flowers.csv
      ml-assets explain california_housing districts.csv --what-if 50000
      ml-assets explain california_housing districts.csv -o contributions.csv
    """
    spec = load_contract(dataset)
    examples = _examples(spec, file, what_if, most=None if output else MOST_SHOWN)
    if output is not None:
        write_answers(output, _table(examples).to_csv(index=False))
        return
    for example in examples:
        sys.stdout.write(_text(spec, example))


def _examples(spec: DatasetSpec, file: Path, amount: float | None, *, most: int | None) -> tuple[Example, ...]:
    from ml_assets.datasets.spec import Task
    from ml_assets.evaluation.explain import explain_rows

    rows = prediction_rows(spec, file)[list(spec.feature_columns)].reset_index(drop=True)
    if most is not None and len(rows) > most:
        raise UserError(f"{file.name} has {len(rows):,} rows, more than a terminal shows: add -o FILE for a CSV")
    known = _explanations(spec)
    if spec.task is Task.REGRESSION and amount is None:
        amount = _half_error(spec)
    return explain_rows(
        spec,
        champion_pipeline(spec),
        rows,
        known.background,
        known.background,
        order=known.order,
        why=[f"number {at}" for at in range(1, len(rows) + 1)],
        amount=amount if spec.task is Task.REGRESSION else None,
    )


def _explanations(spec: DatasetSpec) -> Explanations:
    """The last explanations of the dataset: which columns matter, and which values there are.

    Raises:
        UserError: there are none yet.
    """
    found: Explanations = stored(spec, "explanations")
    return found


def _half_error(spec: DatasetSpec) -> float:
    found: Diagnostics = stored(spec, "diagnostics")
    return next(score.value for score in found.scores if score.metric == found.metric) / 2


def _table(examples: Sequence[Example]) -> pd.DataFrame:
    import pandas as pd

    lines = [
        (at, example.answer, example.base, example.output, name, value, added)
        for at, example in enumerate(examples, start=1)
        for name, value, added in example.values
    ]
    return pd.DataFrame(lines, columns=["row", "answer", "base", "output", "column", "value", "adds"])


def _text(spec: DatasetSpec, example: Example) -> str:
    from ml_assets.evaluation.explanation_words import example_words

    lines = [example_words(spec, example)]
    lines += [f"  {added:+.4g}  {name} = {value}" for name, value, added in example.values if added]
    return "\n".join(lines) + "\n\n"
