from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import numpy as np
import pytest
from evaluation_worlds import canonical_world, spec_of
from sklearn.dummy import DummyClassifier, DummyRegressor

from ml_assets.datasets.cleaning import clean
from ml_assets.datasets.spec import DatasetSpec, Decision, Task
from ml_assets.errors import IntegrityError
from ml_assets.evaluation.card import Card, model_card
from ml_assets.evaluation.card_content import columns_table, flat, limits
from ml_assets.evaluation.card_data import duplicates_sentence
from ml_assets.evaluation.card_document import CardDocument, Identity, PlotWords
from ml_assets.evaluation.card_sections import ORDER
from ml_assets.evaluation.decisions import cost_matrix
from ml_assets.evaluation.interval_words import intervals_section
from ml_assets.evaluation.plots import card_plots
from ml_assets.evaluation.section import Section
from ml_assets.evaluation.tables import Table
from ml_assets.evaluation.temperature import Temperature
from ml_assets.evaluation.wording import number
from ml_assets_tests.canonical import canonical

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
    return Card.of(document_of(world, plots=plots))


def document_of(world: World, **given: object) -> CardDocument:
    """The document of a world's winner."""
    identity = Identity(world.spec.name, world.board.winner, version="3", run="run-123")
    arguments = {"plots": {}, "identity": identity, "baseline": world.baseline, "trials": world.trials}
    return model_card(world.spec, world.board, world.evaluations, table=world.table, **{**arguments, **given})


def data_section(name: str) -> str:
    """The card of a built-in dataset whose model always answers the same, from the data on."""
    constant = DummyRegressor() if canonical(name)[0].task is Task.REGRESSION else DummyClassifier(strategy="prior")
    html = card_of(canonical_world(name, {"constant": constant})).html
    return html[html.index('<section id="data">') :]


def test_the_card_says_what_a_manager_and_an_engineer_need(california: World) -> None:
    text = Outline(card_of(california).html).text
    for expected in (
        "What it predicts: median value of the homes of a district (a number, in USD), from 8 columns",
        "On 400 rows that it had never seen, half of its answers were within",
        "Why this model: hist gradient boosting",
        "stands for where people live",
        "Values are capped at 500 001 USD.",
        "public domain",
        "ml-assets rebuild california_housing",
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


def test_a_class_without_a_promise_is_told(iris: World) -> None:
    winner = iris.evaluations["linear"]
    held = {"coverage_90": 0.9, "set_size_90": 1.1, "accuracy": 0.8}
    found = replace(winner, test_metrics={**winner.test_metrics, **held}, without_promise=("virginica",))
    said = " ".join(intervals_section(iris.spec, found).paragraphs)
    assert "Of “virginica” nothing is promised" in said
    assert "nothing is promised" not in " ".join(
        intervals_section(iris.spec, replace(found, without_promise=())).paragraphs
    )


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


def test_the_card_shows_errors_by_quarter_of_a_sensitive_column_with_the_contracts_reason(boston: World) -> None:
    text = Outline(card_of(boston).html).text
    assert "Errors by sensitive column" in text
    assert "b is kept from the model: built from the share of Black residents" in text
    assert "all rows" in text
    assert text.count("over 3") >= 3
    assert re.search(r"The error is largest for “.+”, \d\.\d times that of “.+”, where it is smallest; their", text)
    assert "Root mean squared error, 1000 USD" in text


def test_a_card_of_a_table_without_sensitive_columns_has_no_slices(iris: World) -> None:
    assert "Errors by sensitive column" not in card_of(iris).html


def test_the_card_says_why_a_column_is_not_used() -> None:
    spec, _ = canonical("boston_housing")
    columns = {name: column.model_dump() for name, column in spec.columns.items()}
    columns["rad"]["ignored"] = "it is an index"
    table = columns_table(DatasetSpec.model_validate({**spec.model_dump(), "columns": columns}))
    roles = {row[0]: row[1] for row in table.rows}
    assert (roles["medv"], roles["crim"], roles["rad"]) == ("target", "feature", "not used")
    assert "b" not in roles
    assert "not used: it is an index" in {row[0]: row[3] for row in table.rows}["rad"]


def test_the_limits_say_that_the_target_is_capped(boston: World, iris: World) -> None:
    said = "The target is capped: 50 × 1000 USD stands for that and more, and so does any answer near it."
    assert said in limits(boston.spec, boston.evaluations["linear"])
    assert not any("capped" in limit for limit in limits(iris.spec, iris.evaluations["linear"]))


def test_the_card_counts_capped_values() -> None:
    text = Outline(data_section("california_housing")).text
    for expected in (
        "965 rows (4.7 %)",
        "500,001 USD",
        "1,273 rows (6.2 %)",
        "15.0001 × 10 000 USD",
        "49 rows (0.2 %)",
    ):
        assert expected in text


def test_the_card_lists_corrected_values_with_the_reason() -> None:
    text = Outline(data_section("iris")).text
    for expected in ("iris.data, row 35", "iris.data, row 38", "Fisher's paper has 3.6, as the file's own"):
        assert expected in text
    assert "1 row (0.7 %) repeats an earlier row" in text


def test_the_card_says_what_became_of_duplicates() -> None:
    spec, raw = canonical("wine_quality")
    kept = duplicates_sentence(spec, clean(spec, raw).table)
    assert kept.startswith("1,177 rows (18.1 %) repeat an earlier row exactly. Copies are kept")
    dropping = DatasetSpec.model_validate({**spec.model_dump(), "duplicates": "drop"})
    assert "are dropped before training" in duplicates_sentence(dropping, clean(dropping, raw).table)
    independent = DatasetSpec.model_validate({**spec.model_dump(), "duplicates": "independent"})
    told = duplicates_sentence(independent, clean(independent, raw).table)
    assert "a test row may have a copy among the training rows" in told


def test_hostile_names_stay_text(iris: World, changed: Callable[..., Evaluation]) -> None:
    columns = {
        SCRIPT: {"dtype": "float", "unit": SCRIPT, "description": SCRIPT, "range": [0, 9], "capped_at": 1},
        "s": {"dtype": "float", "sensitive": SCRIPT, "unit": SCRIPT},
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
        corrections=[
            {"source": SCRIPT, "row": 1, "column": SCRIPT, "was": SCRIPT, "becomes": SCRIPT, "reason": SCRIPT}
        ],
    )
    winner = changed(iris.evaluations["linear"], params={SCRIPT: SCRIPT})
    board = changed(iris.board, left_out={SCRIPT: SCRIPT})
    png = card_plots(iris.spec, iris.table, iris.board, winner)["leaderboard"]
    hostile = Section(SCRIPT, SCRIPT, (SCRIPT,), (Table(SCRIPT, (SCRIPT,), ((SCRIPT,),)),), points=(SCRIPT,))
    card = Card.of(
        model_card(
            spec,
            board,
            {"linear": winner},
            table=iris.table.assign(**{SCRIPT: 1.0, "s": np.arange(150.0) % 7, "y": SCRIPT}),
            plots={'"><script>': png},
            identity=Identity("x", "linear", version="1", run=SCRIPT, libraries={SCRIPT: SCRIPT}),
            baseline=iris.baseline,
            sections=[hostile],
        )
    )
    assert "<script" not in card.markdown
    page = Outline(card.html)
    assert "script" not in page.tags
    assert len(page.images) == 1
    assert page.text.count(SCRIPT) > 18


def test_a_card_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    card = Card("<p>Größe ± 1</p>\n")
    card.save(tmp_path)
    assert (tmp_path / "model_card.html").is_file()
    assert Card.load(tmp_path) == card
    whole = Card("<p>x</p>", "# x\n", "{}\n")
    whole.save(tmp_path)
    assert Card.load(tmp_path) == whole
    with pytest.raises(IntegrityError, match="materialize the model card again"):
        Card.load(tmp_path / "missing")


def test_the_card_says_what_an_answer_costs_how_sure_it_is_and_how_rows_weighed(iris: World) -> None:
    spec = iris.spec.model_copy(update={"decision": Decision(costs={"setosa": {"virginica": 7}})})
    names = ("setosa", "versicolor", "virginica")
    figures = {"mean_cost": 0.25, "mean_cost_of_likeliest": 0.5}
    winner = iris.evaluations[iris.board.winner]
    for kept, told in ((True, "less sure (temperature 1.50)"), (False, "which is no gain beyond the noise")):
        changed = replace(
            winner,
            costs=cost_matrix(names, spec.decision.costs),
            test_metrics={**winner.test_metrics, **figures},
            oof_metrics={**winner.oof_metrics, **figures},
            calibration=Temperature(1.5, 0.02, 0.004, kept, {}),
            class_weight="refused",
        )
        guess = replace(iris.baseline, test_metrics={**iris.baseline.test_metrics, **figures})
        world = replace(iris, spec=spec, evaluations={**iris.evaluations, iris.board.winner: changed}, baseline=guess)
        text = Outline(card_of(world).html).text
        assert told in text
        assert "an answer cost 0.250 on average; always naming the likeliest class would have cost 0.500" in text
        assert "true class down, said class across" in text
        assert "mean cost of an answer ↓" in text
        assert "this family takes none" in text


def test_the_card_of_a_plain_classifier_says_nothing_of_costs_or_weights(iris: World) -> None:
    text = Outline(card_of(iris).html).text
    assert "mean cost" not in text
    for word in ("costs", "temperature", "rows all weighed", "same weight"):
        assert word not in text


def test_settings_inside_others_are_shown_under_their_path() -> None:
    settings = {"weights": {"linear": 0.25, "svm": 0.75}, "members": {"svm": {"C": 1.0}}, "seed": 3}
    assert flat(settings) == {"weights › linear": 0.25, "weights › svm": 0.75, "members › svm › C": 1.0, "seed": 3}


def test_the_document_tells_its_figures_as_numbers_that_the_page_says(california: World) -> None:
    content = json.loads(card_of(california).json)
    text = Outline(card_of(california).html).text
    head = content["figures"]["headline"]
    assert (head["metric"], head["rows"]) == ("median_absolute_error", 400)
    for value in (head["model"], head["baseline"]):
        assert f"within {number(value, 3)} USD" in text
    winner = california.evaluations[california.board.winner]
    assert content["figures"]["scores"]["rmse"]["test"] == winner.test_score
    assert content["figures"]["primary"]["fold_scores"] == list(winner.fold_scores)
    assert content["figures"]["leaderboard"][0]["family"] == winner.family
    assert content["identity"]["data_hash"] == "d" * 64
    assert content["sections"][0]["key"] == "data"
    assert {part["name"] for part in content["figures"]["slices"]["coast"]} == {"all rows", "north & bay", "south"}


def test_sections_made_elsewhere_take_their_place_and_unknown_ones_go_before_the_lineage(iris: World) -> None:
    png = card_plots(iris.spec, iris.table, iris.board, iris.evaluations["linear"])["leaderboard"]
    given = [
        Section("fairness_of_words", "Something new", ("New.",), pictures=("bees",)),
        Section("scores", "Scores from elsewhere", ("Better told.",)),
        Section("intervals", "Intervals", ("They hold.",)),
        Section("verdict", "The verdict", ("It stays.",)),
    ]
    bees = PlotWords("Bees", "A swarm.", "Income adds 3")
    document = document_of(iris, sections=given, plots={"bees": png}, words={"bees": bees}, figures={"extra": 1.5})
    keys = [section.key for section in document.sections]
    known = [key for key in keys if key in ORDER]
    assert known == sorted(known, key=ORDER.index)
    assert keys.index("fairness_of_words") == keys.index("lineage") - 1
    assert {"verdict", "intervals"} <= set(keys)
    html = Card.of(document).html
    assert "Scores from elsewhere" in html
    assert "How well it does" not in html
    assert 'alt="Bees. Income adds 3"' in html
    assert document.to_dict()["figures"]["extra"] == 1.5


def test_a_plot_of_a_given_section_is_told_by_its_first_sentence_where_nothing_else_is_said(iris: World) -> None:
    png = card_plots(iris.spec, iris.table, iris.board, iris.evaluations["linear"])["leaderboard"]
    given = Section("intervals", "Intervals", ("They hold 91 of 100 rows.",), pictures=("coverage_by_size",))
    document = document_of(iris, sections=[given], plots={"coverage_by_size": png})
    assert document.pictures["coverage_by_size"].alt == "Coverage by size. They hold 91 of 100 rows"


def test_alternative_texts_say_what_the_plots_show(iris: World, california: World) -> None:
    flowers, homes = Outline(card_of(iris).html).images, Outline(card_of(california).html).images
    assert any("30 of 30 answers are right: " in str(image["alt"]) for image in flowers)
    assert any("Of 400 answers half are within" in str(image["alt"]) for image in homes)
    assert all(re.search(r"\d", str(image["alt"])) for image in [*flowers, *homes])


def test_the_markdown_has_the_same_sections_tables_and_words(california: World) -> None:
    document, card = document_of(california), card_of(california)
    for section in json.loads(card.json)["sections"]:
        assert f"## {section['title']}" in card.markdown
    assert document.headline in card.markdown
    assert "| linear | " in card.markdown
    assert "`ml-assets rebuild california_housing --model 3`" in card.markdown
    assert "data:image" not in card.markdown


def test_the_contents_name_every_section(iris: World) -> None:
    html = card_of(iris).html
    wanted = re.findall(r'<section id="([^"]+)">', html)
    assert wanted[0] == "data"
    assert re.findall(r'<a href="#([^"]+)">', html) == wanted
