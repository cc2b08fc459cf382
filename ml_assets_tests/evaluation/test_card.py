from __future__ import annotations

from functools import cache
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from evaluation_worlds import spec_of

from ml_assets.errors import IntegrityError
from ml_assets.evaluation.card import Card, model_card
from ml_assets.evaluation.plots import card_plots

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from evaluation_worlds import World

    from ml_assets.evaluation.record import Evaluation

SCRIPT = "<script>alert('x')</script>"


class Outline(HTMLParser):
    """Headings, images, addresses and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.images: list[dict[str, str | None]] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag in {"h1", "h2", "h3", "h4"}:
            self.headings.append(int(tag[1]))
        if tag == "img":
            self.images.append(dict(attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


@cache
def card_of(world: World) -> Card:
    plots = card_plots(
        world.spec,
        world.table,
        world.board,
        world.evaluations[world.board.winner],
        trials=world.trials,
        baseline=world.baseline,
    )
    return model_card(
        world.spec,
        world.board,
        world.evaluations,
        plots=plots,
        lineage={"Dagster run": "run-123"},
        baseline=world.baseline,
    )


def test_the_card_says_what_a_manager_and_an_engineer_need(california: World) -> None:
    text = Outline(card_of(california).html).text
    for expected in (
        "What it predicts: median value of the homes of a district (a number, in USD), from 8 columns",
        "On 400 rows that it had never seen, half of its answers were within",
        "The model: hist gradient boosting",
        "stands for where people live",
        "Values are capped at 500 001 USD.",
        "public domain",
        "ml-assets run california_housing",
        "run-123",
        "a" * 64,
        "baseline: always the mean of the training rows",
        "The difference to every other family is larger than the noise of the folds.",
        "Leaving a column out does not make a model fair.",
    ):
        assert expected in text


def test_the_card_names_families_that_cannot_be_told_from_the_winner(iris: World) -> None:
    text = Outline(card_of(iris).html).text
    assert "Of 3 families, linear has the best cross-validated score." in text
    assert "The folds cannot tell it from random forest" in text
    assert "There are only 30 test rows" in text
    assert "it named the right class in 100.0 % of the cases" in text


@pytest.mark.parametrize("name", ["iris", "california"])
def test_the_card_is_one_accessible_page_without_network(name: str, request: pytest.FixtureRequest) -> None:
    html = card_of(request.getfixturevalue(name)).html
    page = Outline(html)
    assert len(html.encode()) < 2_000_000
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(deeper - level <= 1 for level, deeper in zip(page.headings, page.headings[1:], strict=False))
    assert page.tags.count("table") == page.tags.count("caption") > 4
    assert len(page.images) == 8
    for image in page.images:
        assert image["src"].startswith("data:image/png;base64,")
        assert len(image["alt"]) > 20
        assert int(image["width"]) > 600
    assert "http://" not in html
    assert "https://" not in html
    assert not {"script", "link", "iframe"} & set(page.tags)


def test_hostile_names_stay_text(iris: World, changed: Callable[..., Evaluation]) -> None:
    columns = {
        SCRIPT: {"dtype": "float", "unit": SCRIPT, "description": SCRIPT, "range": [0, 9]},
        "s": {"dtype": "float", "sensitive": SCRIPT},
        "y": {"dtype": "category", "allowed": [SCRIPT, '"><img src=x>'], "description": SCRIPT},
    }
    spec = spec_of(
        "x",
        "y",
        columns,
        title=SCRIPT,
        description=SCRIPT,
        task="classification",
        licence=SCRIPT,
        citation=SCRIPT,
        owner=SCRIPT,
        quirks=[SCRIPT],
    )
    winner = changed(iris.evaluations["linear"], params={SCRIPT: SCRIPT})
    board = changed(iris.board, left_out={SCRIPT: SCRIPT})
    png = card_plots(iris.spec, iris.table, iris.board, winner)["leaderboard"]
    card = model_card(
        spec,
        board,
        {"linear": winner},
        plots={'"><script>': png},
        lineage={SCRIPT: SCRIPT},
        baseline=iris.baseline,
    )
    page = Outline(card.html)
    assert "script" not in page.tags
    assert len(page.images) == 1
    assert page.text.count(SCRIPT) > 10


def test_a_card_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    card = Card("<p>Größe ± 1</p>\n")
    card.save(tmp_path)
    assert (tmp_path / "model_card.html").is_file()
    assert Card.load(tmp_path) == card
    with pytest.raises(IntegrityError, match="materialize the model card again"):
        Card.load(tmp_path / "missing")
