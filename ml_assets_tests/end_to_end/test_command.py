"""The `ml-assets` command as a person or a script uses it, on a home where iris was trained."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from ml_assets.automation.staleness import find_stale
from ml_assets.datasets.contracts import load_contract
from ml_assets.definitions import defs
from ml_assets.families import ENSEMBLE, model_names
from ml_assets_tests.commands import run_in

ROWS = "sepal_length,sepal_width,petal_length,petal_width\n5.1,3.5,1.4,0.2\n6.7,3.0,5.2,2.3\n"

Run = tuple[Path, subprocess.CompletedProcess[str]]


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    file = tmp_path / "flowers.csv"
    file.write_text(ROWS)
    return file


def test_run_prints_one_line_a_step_and_a_table_of_all_families(iris_run: Run) -> None:
    _, done = iris_run
    assert "iris: 21 assets to make (never made: " in done.stdout
    assert "iris: retrain_decision done in" in done.stdout
    table = done.stdout[done.stdout.index("dataset  family") :]
    assert all(family in table for family in model_names())
    assert table.count("winner") == 1
    assert "model_card.html" in table
    assert "\x1b[" not in done.stdout, "no terminal, no control characters"


def test_model_card_lies_where_the_command_says(iris_run: Run) -> None:
    home, _ = iris_run
    page = (home / "data" / "reports" / "iris" / "model_card.html").read_text()
    assert "Iris" in page
    assert "data:image/png;base64," in page


def test_second_run_trains_nothing_and_says_so(iris_run: Run) -> None:
    home, _ = iris_run
    done = run_in(home, "ml_assets", "run", "iris")
    assert done.returncode == 0, done.stderr
    assert "iris: up to date, nothing is trained" in done.stdout
    assert "done in" not in done.stdout


def test_status_names_the_champion_and_what_is_missing(iris_run: Run) -> None:
    done = run_in(iris_run[0], "ml_assets", "status", "--json")
    document = json.loads(done.stdout)
    rows = {row["dataset"]: row for row in document["datasets"]}
    assert rows["iris"]["champion"].startswith("version 1 (")
    assert rows["iris"]["to_make"] == 0
    assert rows["boston_housing"]["champion"] == "none yet"
    assert rows["boston_housing"]["to_make"] == 21
    assert "ml-assets serve" in document["server"]
    plain = run_in(iris_run[0], "ml_assets", "status")
    assert "version 1" in plain.stdout
    assert plain.returncode == 0


def test_leaderboard_as_json_names_winner_and_every_family(iris_run: Run) -> None:
    done = run_in(iris_run[0], "ml_assets", "leaderboard", "iris", "--json")
    document = json.loads(done.stdout)
    ranked = {row["family"] for row in document["families"]}
    assert ranked | document["left_out"].keys() == set(model_names())
    assert ranked >= set(model_names()) - {ENSEMBLE}, "only an ensemble that would be one family is left out of iris"
    assert document["winner"] == document["families"][0]["family"]
    scores = [row["cv_score"] for row in document["families"]]
    assert scores == sorted(scores)


def test_predict_answers_in_row_order_with_a_probability_for_each_label(iris_run: Run, flowers: Path) -> None:
    done = run_in(iris_run[0], "ml_assets", "predict", "iris", str(flowers))
    assert done.returncode == 0, done.stderr
    answers = pd.read_csv(io.StringIO(done.stdout))
    labels = ["Iris-setosa", "Iris-versicolor", "Iris-virginica"]
    assert list(answers.columns) == ["prediction", *(f"probability_{label}" for label in labels)]
    assert list(answers["prediction"]) == ["Iris-setosa", "Iris-virginica"]
    assert answers.iloc[:, 1:].sum(axis=1).to_numpy() == pytest.approx([1.0, 1.0])


def test_predict_refuses_a_gap_that_training_had_none_of_unless_it_is_allowed(iris_run: Run, tmp_path: Path) -> None:
    file = tmp_path / "gaps.csv"
    file.write_text("sepal_length,sepal_width,petal_length,petal_width\n5.1,3.5,1.4,0.2\n5.1,3.5,,0.2\n")
    refused = run_in(iris_run[0], "ml_assets", "predict", "iris", str(file))
    assert refused.returncode == 2
    assert "'petal_length' has 1 value missing, and none may be (row 2 of batch gaps.csv)" in refused.stderr
    assert "--allow-missing" in refused.stderr
    filled = run_in(iris_run[0], "ml_assets", "predict", "iris", str(file), "--allow-missing")
    assert filled.returncode == 0, filled.stderr
    answers = filled.stdout.splitlines()[1:]
    assert len(answers) == 2
    assert answers[0].startswith("Iris-setosa")


def test_predict_adds_the_set_that_is_promised_to_hold_the_truth(iris_run: Run, flowers: Path) -> None:
    done = run_in(iris_run[0], "ml_assets", "predict", "iris", str(flowers), "--interval", "0.95")
    assert done.returncode == 0, done.stderr
    answers = pd.read_csv(io.StringIO(done.stdout))
    for said, members in zip(answers["prediction"], answers["set"].map(json.loads), strict=True):
        assert members[0] == said
    refused = run_in(iris_run[0], "ml_assets", "predict", "iris", str(flowers), "--interval", "0.9999")
    assert refused.returncode == 2
    assert "cannot be promised" in refused.stderr


def test_explain_tells_what_each_answer_depends_on_and_adds_up(iris_run: Run, flowers: Path, tmp_path: Path) -> None:
    done = run_in(iris_run[0], "ml_assets", "explain", "iris", str(flowers))
    assert done.returncode == 0, done.stderr
    assert "“Iris-setosa”" in done.stdout
    assert "petal_length = " in done.stdout
    out = tmp_path / "contributions.csv"
    assert run_in(iris_run[0], "ml_assets", "explain", "iris", str(flowers), "-o", str(out)).returncode == 0
    table = pd.read_csv(out)
    sums = table.groupby("row")["adds"].sum() + table.groupby("row")["base"].first()
    assert sums.to_numpy() == pytest.approx(table.groupby("row")["output"].first().to_numpy())


def test_predict_writes_the_file_it_is_told_to(iris_run: Run, flowers: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.csv"
    done = run_in(iris_run[0], "ml_assets", "predict", "iris", str(flowers), "-o", str(out))
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert len(pd.read_csv(out)) == 2


def test_predict_refuses_a_model_file_that_was_changed(iris_run: Run, flowers: Path, tmp_path: Path) -> None:
    home = tmp_path / "copy"
    shutil.copytree(iris_run[0], home)
    for pipeline in (home / "data" / "models" / "iris" / "model").rglob("pipeline.joblib"):
        pipeline.write_bytes(pipeline.read_bytes() + b"x")
    done = run_in(
        home, "ml_assets", "predict", "iris", str(flowers), MLFLOW_TRACKING_URI=f"sqlite:///{home}/mlflow/mlflow.db"
    )
    assert done.returncode == 1
    assert "expected SHA-256" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run", "irs"], "did you mean 'iris'"),
        (["run", "iris", "--families", "xgbost"], "did you mean 'xgboost'"),
        (["run", "iris", "--families", ""], "unknown family ''"),
        (["run", "iris", "--budget", "0"], "give more than 0"),
        (["run", "iris", "--budget", "-1"], "give more than 0"),
        (["run", "iris", "--budget", "nan"], "give more than 0"),
        (["run", "iris", "--budget", "inf"], "give more than 0"),
        (["run", "iris", "--budget", "ten"], "not a valid float"),
        (["run", "iris", "--trials", "0"], "give 1 or more"),
        (["run", "iris", "--jobs", "0"], "give 1 or more"),
        (["leaderboard", "wine_quality"], "run `ml-assets run wine_quality`"),
        (["predict", "wine_quality", "README.md"], "README.md"),
        (["predict", "iris", "nowhere.csv"], "nowhere.csv"),
        (["run", "iris", "--seed", "-1"], "whole number"),
        (["predict", "iris", "data"], "data is a folder"),
        (["surve"], "No such command"),
    ],
)
def test_a_mistake_of_the_user_is_one_message_and_exit_code_2(iris_run: Run, words: list[str], told: str) -> None:
    done = run_in(iris_run[0], "ml_assets", *words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(iris_run: Run) -> None:
    done = run_in(iris_run[0], "ml_assets", "--debug", "run", "irs")
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_help_of_every_command_has_an_example(iris_run: Run) -> None:
    for command in ("run", "status", "leaderboard", "predict", "serve", "ui", "env"):
        done = run_in(iris_run[0], "ml_assets", command, "--help")
        assert done.returncode == 0
        assert "Example" in done.stdout, command


def test_env_lets_daggers_own_command_see_this_home(iris_run: Run) -> None:
    done = run_in(iris_run[0], "ml_assets", "env")
    assert f"export DAGSTER_HOME={iris_run[0]}/.dagster" in done.stdout.replace("'", "")


def test_a_setting_asked_for_by_name_is_a_reason_to_make_things_again(
    iris_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, _ = iris_run
    monkeypatch.setenv("ML_ASSETS_HOME", str(home))
    iris, names = load_contract("iris"), model_names()
    with dg.DagsterInstance.from_config(str(home / ".dagster")) as instance:
        graph = defs.resolve_asset_graph()

        def first_stale(**asked: float) -> tuple[str | None, str]:
            stale = find_stale(instance, graph, iris, names, asked=asked)
            return (stale.keys[0].path[-1] if stale.keys else None), "; ".join(stale.reasons)

        assert first_stale(trials=2, seed=0) == (None, "")
        assert first_stale(budget_seconds=60) == ("tuned_params", "budget_seconds 60 in place of no limit")
        assert first_stale(trials=3) == ("tuned_params", "trials 3 in place of 2")
        assert first_stale(seed=1) == ("splits", "seed 1 in place of 0")
