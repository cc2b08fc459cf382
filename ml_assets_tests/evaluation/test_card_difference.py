from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from test_card import SCRIPT, Outline, document_of

from ml_assets.errors import IntegrityError, UserError
from ml_assets.evaluation.card import Card
from ml_assets.evaluation.card_difference import BY_FOLDS, BY_GATE, BY_INTERVALS, difference
from ml_assets.evaluation.card_difference_page import difference_page
from ml_assets.evaluation.card_files import CardFiles
from ml_assets.evaluation.card_html import html_page
from ml_assets.evaluation.card_markdown import markdown_page

if TYPE_CHECKING:
    from pathlib import Path

    from evaluation_worlds import World


def two_cards(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same card as versions 3 and 4, for a test to change the second."""
    before = document_of(world).to_dict()
    after = copy.deepcopy(before)
    after["identity"]["version"] = "4"
    return before, after


def shifted(scores: list[float], by: float) -> list[float]:
    """Fold scores that are all lower by about as much."""
    return [score - by * (1 + 0.02 * k) for k, score in enumerate(scores)]


def test_a_card_against_itself_changes_nothing_and_everything_is_folded(california: World) -> None:
    found = difference(*two_cards(california))
    assert {score.better for score in found.scores} == {None}
    assert not any(map(len, (found.settings, found.data, found.libraries, found.identity, *found.features)))
    page = difference_page(found)
    assert [section.key for section in page.sections] == ["scores", "unchanged"]
    assert "<details>" in html_page(page)
    assert "have the same cross-validated root mean squared error" in page.headline


def test_an_improvement_on_every_fold_is_better_and_more_than_chance(california: World) -> None:
    before, after = two_cards(california)
    primary = after["figures"]["primary"]
    primary["fold_scores"] = shifted(primary["fold_scores"], 5000.0)
    primary["cross_validated"] = float(np.mean(primary["fold_scores"]))
    first = difference(before, after).scores[0]
    assert (first.better, first.beyond_noise, first.judged_by) == (True, True, BY_FOLDS)
    back = difference(after, before).scores[0]
    assert (back.better, back.beyond_noise) == (False, True)
    page = difference_page(difference(before, after))
    assert page.headline.startswith("Version 4 is better than version 3 by cross-validated")
    assert "That is more than chance" in page.headline


def test_folds_that_disagree_leave_it_to_chance(california: World) -> None:
    before, after = two_cards(california)
    primary = after["figures"]["primary"]
    primary["fold_scores"] = [s + d for s, d in zip(primary["fold_scores"], [9, -8, 7, -9, -1], strict=True)]
    primary["cross_validated"] -= 0.4
    first = difference(before, after).scores[0]
    assert (first.better, first.beyond_noise, first.judged_by) == (True, False, BY_FOLDS)


def test_the_gates_verdict_on_the_two_comes_first(california: World) -> None:
    before, after = two_cards(california)
    after["figures"]["primary"]["cross_validated"] -= 1.0
    after["figures"]["verdict"] = {"promoted": True, "champion": "version 3", "challenger": "version 4"}
    assert difference(before, after).scores[0].judged_by == BY_GATE
    after["figures"]["verdict"]["champion"] = "version 2"
    assert difference(before, after).scores[0].judged_by != BY_GATE


def test_scores_with_intervals_are_judged_by_them(california: World) -> None:
    before, after = two_cards(california)
    after["figures"]["scores"]["mae"]["test"] -= 9000.0
    old = before["figures"]["scores"]["mae"]["test"]
    before["figures"]["score_intervals"] = {"mae": [old - 100, old + 100]}
    after["figures"]["score_intervals"] = {"mae": [old - 9100, old - 8900]}
    (mae,) = (s for s in difference(before, after).scores if (s.name, s.rows) == ("mae", "test"))
    assert (mae.better, mae.beyond_noise, mae.judged_by) == (True, True, BY_INTERVALS)


def test_a_score_that_is_higher_the_better_improves_upwards_and_without_intervals_nothing_is_claimed(
    california: World,
) -> None:
    before, after = two_cards(california)
    after["figures"]["scores"]["r2"]["test"] += 0.1
    after["figures"]["scores"]["mae"]["test"] = None
    scores = {(s.name, s.rows): s for s in difference(before, after).scores}
    assert scores["r2", "test"].better
    assert scores["r2", "test"].beyond_noise is None
    assert scores["mae", "test"].better is None
    text = markdown_page(difference_page(difference(before, after)))
    assert "not defined" in text
    assert "cannot be said" in text


def test_settings_data_features_libraries_and_slices_are_told(california: World) -> None:
    before, after = two_cards(california)
    after["figures"]["settings"] = {"depth": 5, "new": True}
    after["identity"] |= {"data_hash": "e" * 64, "splits_hash": "6" * 64, "libraries": {"numpy": "9.9"}}
    after["figures"]["rows"]["train"] += 100
    after["figures"]["features"] = [*after["figures"]["features"][1:], "ocean_proximity"]
    part = after["figures"]["slices"]["coast"][1]
    part["score"], part["low"], part["high"] = 1.0, 0.5, 1.5
    found = difference(before, after)
    assert found.settings == {"depth": (3, 5), "rate": (0.1, None), "new": (None, True)}
    assert found.data["rows, train"] == (1600, 1700)
    assert found.features == (("ocean_proximity",), ("longitude",))
    assert found.libraries == {"numpy": (None, "9.9")}
    (moved,) = (part for part in found.slices if part.apart)
    assert moved.column == "coast"
    page = difference_page(found)
    text = Outline(html_page(page)).text
    for told in ("Added: ocean_proximity.", "Removed: longitude.", "scored on other rows", moved.name):
        assert told in text
    assert all(document["to"]["version"] == "4" for document in [found.to_dict()])


def test_hostile_words_of_a_card_stay_text_on_the_page(iris: World) -> None:
    before, after = two_cards(iris)
    after["figures"]["settings"] = {SCRIPT: SCRIPT}
    after["title"] = SCRIPT
    page = difference_page(difference(before, after))
    assert "script" not in Outline(html_page(page)).tags
    assert "<script" not in markdown_page(page)


def test_cards_that_cannot_be_compared_are_refused(iris: World, california: World) -> None:
    flowers, homes = two_cards(iris)[0], two_cards(california)[0]
    with pytest.raises(UserError, match="cannot be compared"):
        difference(flowers, homes)
    with pytest.raises(IntegrityError, match="another form"):
        difference({**flowers, "format": 99}, flowers)


def test_each_version_keeps_its_card_and_the_latest_is_beside_them(tmp_path: Path) -> None:
    files = CardFiles("iris", tmp_path / "iris")
    with pytest.raises(UserError, match="iris has no model card yet"):
        files.file()
    files.publish(Card("<p>2</p>", "# 2\n", '{"format": 1}\n'), "2")
    files.publish(Card("<p>10</p>", "# 10\n", '{"format": 1}\n'), "10")
    assert files.versions() == [2, 10]
    assert files.file(ending="md").read_text() == "# 10\n"
    assert files.file(2).read_text() == "<p>2</p>"
    assert files.latest.read_text() == "<p>10</p>"
    assert not [file for file in files.folder.iterdir() if file.name.startswith(".")]
    with pytest.raises(UserError, match="version 3 of iris has no card; there are cards of version 2, 10"):
        files.file(3)
    files.publish(Card("<p>again</p>", "# again\n", '{"format": 1}\n'), "2")
    assert files.file(2).read_text() == "<p>again</p>"


def test_a_damaged_card_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    files = CardFiles("iris", tmp_path)
    files.publish(Card("<p>1</p>", "# 1\n", "{broken"), "1")
    with pytest.raises(IntegrityError, match=r"version-1\.json cannot be read"):
        files.document(1)
