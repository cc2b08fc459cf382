"""`ml-assets predict`: the champion's answers for the rows of a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.errors import StorageError, UserError

if TYPE_CHECKING:
    import pandas as pd


@click.command()
@click.argument("dataset")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where to write; standard output by default.")
def predict(dataset: str, file: Path, output: Path | None) -> None:
    """Predict the rows of FILE with the champion of DATASET.

    FILE is delimited text, Parquet, JSON lines or an Excel workbook, compressed or not, with a header.

    The answer is CSV in the order of the rows: `prediction`, and for classes `probability_<label>` each. The model
    file's SHA-256 is compared with the registry's before it is loaded.

    \b
    Examples:
      ml-assets predict iris flowers.csv
      ml-assets predict california_housing districts.csv -o values.csv
    """
    spec = load_contract(dataset)
    answers = predict_file(spec, file).to_csv(index=False)
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


def predict_file(spec: DatasetSpec, file: Path) -> pd.DataFrame:
    """Predictions for the rows of a file, in their order.

    Raises:
        UserError: the file is no table of the contract, or there is no champion yet.
        IntegrityError: the model file is not the registered one.
    """
    import pandas as pd

    from ml_assets.datasets.tables import read_prediction_rows
    from ml_assets.learning.fitted_model import load_verified
    from ml_assets.resources.registry import champion_ref
    from ml_assets.serving.predictor import PipelinePredictor
    from ml_assets.validation.contract_checks import check_prediction_input, raise_on_failure

    rows = read_prediction_rows(spec, file)
    outcomes = check_prediction_input(spec, rows, origin=file.name)
    raise_on_failure(spec, outcomes, remedy="correct the file and run again")
    champion = champion_ref(spec.name)
    if champion is None:
        raise UserError(f"{spec.name} has no champion yet: run `ml-assets run {spec.name}`")
    pipeline = load_verified(Path(champion.path), champion.sha256)
    made = PipelinePredictor(pipeline, spec.task).predict(rows[list(spec.feature_columns)])
    columns = {"prediction": made.values}
    for label, shares in (made.probabilities or {}).items():
        columns[f"probability_{label}"] = shares
    return pd.DataFrame(columns)
