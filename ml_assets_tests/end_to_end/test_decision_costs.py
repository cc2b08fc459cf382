"""A table of one's own whose contract says what a mistake costs, from the command to the champion's answers."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml_assets_tests.commands import run_in

CONTRACT = """\
name: patients
title: Patients
task: classification
target: state
sources:
  - {{name: patients.csv, path: {file}, header: true}}
columns:
  pulse: {{dtype: float}}
  fever: {{dtype: float}}
  state: {{dtype: category, allowed: [sick, well]}}
decision:
  class_weight: balanced
  costs:
    sick: {{well: {cost}}}
"""


def patients(rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    sick = rng.random(rows) < 0.15
    table = pd.DataFrame({"pulse": rng.normal(70, 8, rows) + 9 * sick, "fever": rng.normal(37, 0.5, rows) + 0.6 * sick})
    return table.round(3).assign(state=np.where(sick, "sick", "well"))


def write_contract(home: Path, *, cost: int) -> None:
    (home / "datasets").mkdir(parents=True, exist_ok=True)
    (home / "datasets" / "patients.yaml").write_text(CONTRACT.format(file=home / "patients.csv", cost=cost))


def answers(home: Path) -> pd.DataFrame:
    """The champion's answers for the table's own rows."""
    done = run_in(home, "ml_assets", "predict", "patients", str(home / "patients.csv"))
    assert done.returncode == 0, done.stderr
    return pd.read_csv(io.StringIO(done.stdout))


@pytest.mark.slow
def test_costs_of_the_contract_reach_the_card_the_champion_and_its_answers(tmp_path: Path) -> None:
    patients().to_csv(tmp_path / "patients.csv", index=False)
    write_contract(tmp_path, cost=20)
    run = ("ml_assets", "run", "patients", "--families", "linear", "--budget", "10", "--trials", "2")
    done = run_in(tmp_path, *run)
    assert done.returncode == 0, done.stdout + done.stderr
    first = answers(tmp_path)
    assert first["prediction"].tolist() == np.where(first["probability_sick"] > 1 / 21, "sick", "well").tolist()
    assert set(first["prediction"]) == {"sick", "well"}
    card = (tmp_path / "data" / "reports" / "patients" / "model_card.html").read_text()
    for told in ("mean cost of an answer ↓", "one whose expected cost is least", "every class had the same weight"):
        assert told in card

    # The contract changes its mind: nothing but the costs, so the search is kept and the champion is another.
    write_contract(tmp_path, cost=2)
    done = run_in(tmp_path, *run)
    assert done.returncode == 0, done.stdout + done.stderr
    second = answers(tmp_path)
    assert second["prediction"].tolist() == np.where(second["probability_sick"] > 1 / 3, "sick", "well").tolist()
    assert np.allclose(second["probability_sick"], first["probability_sick"])
    history = (tmp_path / "data" / "reports" / "patients" / "deployments.jsonl").read_text().splitlines()
    assert "answers by the contract's new costs" in json.loads(history[-1])["reason"]
