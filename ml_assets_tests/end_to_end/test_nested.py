"""`ml-assets nested`: the whole way judged on folds it never saw, kept, and told on the next card."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ml_assets.evaluation.nested import FILE
from ml_assets_tests.commands import run_in

CHOSEN = ("--families", "linear,knn", "--trials", "1")


@pytest.mark.slow
def test_nested_judges_the_whole_way_and_the_next_card_says_it(home: Path) -> None:
    first = run_in(home, "ml_assets", "nested", "iris")
    assert first.returncode == 2
    assert "run `ml-assets run iris`" in first.stderr
    assert run_in(home, "ml_assets", "run", "iris", *CHOSEN).returncode == 0
    reports = home / "data" / "reports" / "iris"
    assert "nested" not in _keys(reports)
    done = run_in(home, "ml_assets", "nested", "iris", *CHOSEN)
    assert done.returncode == 0, done.stderr
    assert "iris: 5 folds, 1 trials a family each" in done.stdout
    assert done.stdout.count("on the fold itself") == 5
    found = json.loads((reports / FILE).read_text())
    assert f"nested  log loss {found['score']:.4g}" in done.stdout
    assert found["procedure"]["families"] == ["knn", "linear"]
    assert not list((home / "data" / "searches" / "iris").glob("nested-*")), "what it goes on from is gone"
    again = run_in(home, "dagster", "asset", "materialize", "-m", "ml_assets", "--select", "key:iris/model_card")
    assert again.returncode == 0, again.stderr
    assert "nested" in _keys(reports)
    card = json.loads((reports / "cards" / "version-1.json").read_text())
    assert card["figures"]["nested"]["score"] == pytest.approx(found["score"])


def _keys(reports: Path) -> set[str]:
    return {section["key"] for section in json.loads((reports / "cards" / "version-1.json").read_text())["sections"]}
