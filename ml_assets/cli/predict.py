"""`ml-assets predict`: the champion's answers for the rows of a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.errors import StorageError, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from sklearn.pipeline import Pipeline


@click.command()
@click.argument("dataset")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where to write; standard output by default.")
@click.option(
    "--interval",
    type=float,
    metavar="COVERAGE",
    help="Adds the interval, or the set of classes, that holds the truth in this share of the rows, such as 0.9.",
)
@click.option(
    "--allow-missing",
    is_flag=True,
    help="Answers rows that lack values in columns where the contract allows none; the model fills the gaps.",
)
def predict(dataset: str, file: Path, output: Path | None, interval: float | None, allow_missing: bool) -> None:
    """Predict the rows of FILE with the champion of DATASET.

    FILE is delimited text, Parquet, JSON lines or an Excel workbook, compressed or not, with a header.

    The answer is CSV in the order of the rows: `prediction`, and for classes `probability_<label>` each; with an
    interval `lower` and `upper`, or for classes `set` (labels that may be true, the likeliest first, as JSON). The
    model file's SHA-256 is compared with the registry's before it is loaded.

    \b
    Examples:
      ml-assets predict iris flowers.csv
      ml-assets predict california_housing districts.csv --interval 0.9 -o values.csv
      ml-assets predict churn customers.csv --allow-missing
    """
    spec = load_contract(dataset)
    answers = predict_file(spec, file, coverage=interval, allow_missing=allow_missing).to_csv(index=False)
    if output is None:
        sys.stdout.write(answers)
    else:
        write_answers(output, answers)


def write_answers(output: Path, answers: str) -> None:
    """Writes a file in one rename; a pipe or device is written to as it is.

    Raises:
        UserError: the place cannot be written.
    """
    from ml_assets.artifacts import write_atomically

    if output.is_dir() or not output.parent.is_dir():
        wrong = f"{output} is a directory" if output.is_dir() else f"the folder {output.parent} does not exist"
        raise UserError(f"{wrong}; give the name of a file to write")
    try:
        if output.exists() and not output.is_file():
            output.write_text(answers)
        else:
            write_atomically(output.resolve(), answers.encode())
    except StorageError as error:
        raise UserError(f"{output} cannot be written ({error.__cause__}); give another name") from error


def predict_file(
    spec: DatasetSpec, file: Path, *, coverage: float | None = None, allow_missing: bool = False
) -> pd.DataFrame:
    """Predictions for the rows of a file, in their order; with intervals or sets where a `coverage` is asked for.

    Intervals promise nothing of rows that lack values where no training row did.

    Raises:
        UserError: the file is no table of the contract, there is no champion yet, or it cannot promise the coverage.
        IntegrityError: the model file is not the registered one.
    """
    import pandas as pd

    from ml_assets.serving.predictor import PipelinePredictor

    rows = prediction_rows(spec, file, allow_missing=allow_missing)
    pipeline = champion_pipeline(spec)
    made = PipelinePredictor(pipeline, spec.task).predict(rows[list(spec.feature_columns)], coverage)
    columns: dict[str, Sequence[object]] = {"prediction": made.values}
    for label, shares in (made.probabilities or {}).items():
        columns[f"probability_{label}"] = shares
    if made.intervals is not None:
        columns["lower"], columns["upper"] = ([pair[end] for pair in made.intervals] for end in (0, 1))
    if made.sets is not None:
        columns["set"] = [json.dumps(labels, ensure_ascii=False) for labels in made.sets]
    return pd.DataFrame(columns)


def prediction_rows(spec: DatasetSpec, file: Path, *, allow_missing: bool = False) -> pd.DataFrame:
    """The rows of a file to be answered, as the contract's features; on demand with gaps where it allows none.

    Raises:
        UserError: the file is no table of the contract.
    """
    from ml_assets.datasets.tables import read_prediction_rows
    from ml_assets.validation.contract_checks import check_prediction_input, raise_on_failure

    rows = read_prediction_rows(spec, file)
    outcomes = check_prediction_input(spec, rows, origin=file.name, missing=allow_missing)
    lacking = any(outcome.name == "missing_share" and not outcome.passed for outcome in outcomes)
    filled = ", or have gaps filled by `ml-assets predict --allow-missing`" if lacking else ""
    raise_on_failure(spec, outcomes, remedy=f"correct the file and run again{filled}")
    return rows


def champion_pipeline(spec: DatasetSpec) -> Pipeline:
    """The champion, once its bytes are found to be those that were registered.

    Raises:
        UserError: there is no champion yet.
        IntegrityError: the model file is not the registered one.
    """
    from ml_assets.learning.fitted_model import load_verified
    from ml_assets.resources.registry import champion_ref

    champion = champion_ref(spec.name)
    if champion is None:
        raise UserError(f"{spec.name} has no champion yet: run `ml-assets run {spec.name}`")
    return load_verified(Path(champion.path), champion.sha256)
