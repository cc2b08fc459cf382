"""Model cards of really trained models as people read them: on a phone, on a screen, in print, with a screen reader."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Request, sync_playwright

from ml_assets.evaluation.wording import number, percent
from ml_assets_tests.commands import eventually, run_in

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
CARDS = ("boston_housing/cards/version-1", "iris/cards/version-1")
WIDTHS = (390, 1280)
FEW = ("--families", "linear", "--trials", "1")
SMALLEST_TEXT = 12.0
"""CSS pixels; plots are pictures and have labels of their own size."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found: install Debian's package chromium"),
]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory, iris_run: tuple[Path, object]) -> Path:
    """Reports of a regression with a sensitive column in two versions, and of a classification."""
    home = tmp_path_factory.mktemp("cards")
    for seed in ("0", "1"):
        done = run_in(home, "ml_assets", "run", "boston_housing", *FEW, "--seed", seed)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    done = run_in(home, "ml_assets", "card", "boston_housing", "--diff", "1", "2")
    assert done.returncode == 0, done.stderr
    shutil.copytree(iris_run[0] / "data" / "reports" / "iris" / "cards", home / "data" / "reports" / "iris" / "cards")
    return home / "data" / "reports"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture(params=[*CARDS, "boston_housing/cards/difference-1-2"])
def stem(request: pytest.FixtureRequest, reports: Path) -> Path:
    """A card or a difference, without its ending."""
    return reports / str(request.param)


def opened(browser: Browser, stem: Path, width: int) -> tuple[Page, list[str]]:
    """The page, and the addresses that it asked for."""
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    page = browser.new_page(viewport={"width": width, "height": 844})
    page.on("request", note)
    page.goto(stem.with_suffix(".html").as_uri())
    return page, asked


@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_fits_the_screen_loads_nothing_and_leads_to_its_parts(browser: Browser, stem: Path, width: int) -> None:
    page, asked = opened(browser, stem, width)
    assert [address for address in asked if not address.startswith("data:")] == [stem.with_suffix(".html").as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    anchors = page.locator("nav a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert len(anchors) >= 3
    assert all(page.locator(anchor).count() == 1 for anchor in anchors)
    page.locator("nav a").last.click()
    eventually(lambda: page.evaluate("scrollY > 0"), seconds=10, what="a jump to the last part")
    sizes = page.locator("p, li, td, th, dd, dt, figcaption, caption, h2, h3").evaluate_all(
        "all => all.map(one => parseFloat(getComputedStyle(one).fontSize))"
    )
    assert min(sizes) >= SMALLEST_TEXT
    assert stem.with_suffix(".html").stat().st_size < 2_000_000
    page.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_nothing_serious(browser: Browser, stem: Path, width: int) -> None:
    page, _ = opened(browser, stem, width)
    page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true })")
    found = Axe().run(page).response["violations"]
    grave = [v for v in found if v["impact"] in ("serious", "critical")]
    assert [(v["id"], v["nodes"][0]["html"]) for v in grave] == []
    page.close()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("card", CARDS)
def test_a_card_says_its_figures_and_shows_its_plots(browser: Browser, reports: Path, card: str, width: int) -> None:
    page, _ = opened(browser, reports / card, width)
    content = json.loads((reports / card).with_suffix(".json").read_text())
    assert page.locator("h1").inner_text().startswith(content["title"])
    headline = page.locator(".headline").inner_text()
    assert headline == content["headline"]
    assert all(figure in headline for figure in told(content["figures"]["headline"]))
    for section in content["sections"]:
        assert page.locator(f"#{section['key']} h2").inner_text() == section["title"]
    pictures = page.locator("img").evaluate_all(
        "all => all.map(one => [one.complete, one.naturalWidth, one.getBoundingClientRect().width, one.alt])"
    )
    assert len(pictures) == len(content["pictures"]) >= 7
    for loaded, natural, shown, alt in pictures:
        assert loaded
        assert natural > 600
        assert 300 < shown <= width
        assert any(character.isdigit() for character in alt)
    page.close()


def told(head: dict[str, Any]) -> tuple[str, ...]:
    """The headline's figures as words."""
    write = percent if head["metric"] == "accuracy" else lambda value: number(value, 3)
    return (f"{head['rows']:,} rows", write(head["model"]), write(head["baseline"]))


def test_a_wide_table_scrolls_in_its_box_by_keyboard(browser: Browser, reports: Path) -> None:
    page, _ = opened(browser, reports / "boston_housing/cards/version-1", 390)
    boxes = page.locator(".scroll").evaluate_all(
        "all => all.map(one => [one.scrollWidth, one.clientWidth, one.tabIndex])"
    )
    assert any(wide > shown for wide, shown, _ in boxes)
    assert {focus for _, _, focus in boxes} == {0}
    widest = max(range(len(boxes)), key=lambda at: boxes[at][0])
    box = page.locator(".scroll").nth(widest)
    box.focus()
    page.keyboard.press("ArrowRight")
    eventually(lambda: box.evaluate("one => one.scrollLeft > 0"), seconds=10, what="a table that scrolls")
    page.close()


def test_nothing_is_cut_off_in_print(browser: Browser, reports: Path) -> None:
    page, _ = opened(browser, reports / "boston_housing/cards/version-1", 720)
    page.emulate_media(media="print")
    over = "all => all.filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.ariaLabel)"
    assert page.locator(".scroll").evaluate_all(over) == []
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.close()
