"""`ml-assets card` on the cards of a dataset that was really trained, copied into a home of the test's own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ml_assets.cli import cli
from ml_assets.cli.card import FORMATS
from ml_assets.errors import IntegrityError, UserError


@pytest.fixture
def cards(iris_run: tuple[Path, object], home: Path) -> Path:
    """The folder with the card of version 1, and of a version 2 that is the same."""
    folder = home / "data" / "reports" / "iris" / "cards"
    shutil.copytree(iris_run[0] / "data" / "reports" / "iris" / "cards", folder)
    for ending in FORMATS:
        shutil.copy(folder / f"version-1.{ending}", folder / f"version-2.{ending}")
    return folder


def card(*words: str) -> Result:
    return CliRunner().invoke(cli, ["card", *words])


def test_card_prints_where_the_newest_card_is(cards: Path) -> None:
    assert card("iris").output == f"{cards / 'version-2.html'}\n"
    assert card("iris", "--version", "1", "--format", "json").output == f"{cards / 'version-1.json'}\n"


@pytest.mark.parametrize("ending", FORMATS)
def test_card_writes_each_format_to_a_file(cards: Path, tmp_path: Path, ending: str) -> None:
    out = tmp_path / "new" / f"card.{ending}"
    done = card("iris", "--version", "1", "--format", ending, "-o", str(out))
    assert done.output == f"{out}: the model card of iris, version 1\n"
    assert out.read_bytes() == (cards / f"version-1.{ending}").read_bytes()


def test_the_card_of_a_trained_model_knows_version_verdict_run_and_libraries(cards: Path) -> None:
    content = json.loads((cards / "version-1.json").read_text())
    assert content["identity"]["version"] == "1"
    assert content["identity"]["dataset"] == "iris"
    assert len(content["identity"]["run"]) == 36
    assert len(content["identity"]["lock_sha256"]) == 64
    assert "scikit-learn" in content["identity"]["libraries"]
    assert content["figures"]["verdict"]["promoted"] is True
    assert {section["key"] for section in content["sections"]} >= {"data", "verdict", "scores", "limits", "lineage"}


def test_the_latest_page_is_that_of_the_newest_version(iris_run: tuple[Path, object]) -> None:
    reports = iris_run[0] / "data" / "reports" / "iris"
    assert (reports / "model_card.html").read_bytes() == (reports / "cards" / "version-1.html").read_bytes()


def test_a_difference_is_written_as_page_text_and_figures(cards: Path, tmp_path: Path) -> None:
    out = tmp_path / "difference.md"
    done = card("iris", "--diff", "1", "2", "--format", "md", "-o", str(out))
    assert done.output == f"{out}: how version 2 of iris differs from version 1\n"
    assert "All scores are the same." in out.read_text()
    assert json.loads((cards / "difference-1-2.json").read_text())["settings"] == {}
    assert "<details>" in (cards / "difference-1-2.html").read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["iris", "--version", "7"], "version 7 of iris has no card; there are cards of version 1, 2"),
        (["iris", "--diff", "1", "9"], "version 9 of iris has no card"),
        (["wine_quality"], "wine_quality has no model card yet: run `ml-assets run wine_quality`"),
        (["irs"], "did you mean 'iris'"),
    ],
)
def test_a_card_that_is_not_there_is_an_error_that_says_which_are(cards: Path, words: list[str], told: str) -> None:
    assert cards.is_dir()
    done = card(*words)
    assert isinstance(done.exception, UserError)
    assert told in str(done.exception)


def test_a_version_beside_a_difference_is_refused(cards: Path) -> None:
    assert cards.is_dir()
    done = card("iris", "--version", "1", "--diff", "1", "2")
    assert done.exit_code == 2
    assert "leave --version out" in done.output


def test_a_damaged_card_is_said_to_be(cards: Path) -> None:
    (cards / "version-2.json").write_text("{")
    done = card("iris", "--diff", "1", "2")
    assert isinstance(done.exception, IntegrityError)
    assert "version-2.json cannot be read" in str(done.exception)
