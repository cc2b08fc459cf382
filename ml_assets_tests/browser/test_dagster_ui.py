"""Dagster's UI as a person uses it: `dagster dev` on the workspace, a browser, the Materialize button."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import httpx
import pytest
from playwright.sync_api import Page, sync_playwright

from ml_assets.automation.instance import prepare_dagster_home
from ml_assets.families import model_names
from ml_assets.home import Home
from ml_assets_tests.commands import eventually, run_in, started

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found: install Debian's package chromium"),
]


WANTED = '+key:"iris/features" or key:"iris/data_profile"'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("ui")
    os.environ["ML_ASSETS_HOME"] = str(place)
    prepare_dagster_home(Home(place))
    done = run_in(place, "dagster", "asset", "materialize", "-m", "ml_assets", "--select", WANTED)
    assert done.returncode == 0, done.stderr[-2000:]
    return place


@pytest.fixture(scope="module")
def address(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    log = tmp_path_factory.mktemp("logs") / "dev.log"
    words = ("dagster", "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port))
    with started(home, *words, log=log, ML_ASSETS_BUDGET="3"):
        eventually(lambda: answers(f"{url}/server_info"), seconds=90, what="Dagster's webserver")
        yield url


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def page(address: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        opened = browser.new_page(viewport={"width": 1400, "height": 1000}, base_url=address)
        opened.set_default_timeout(45_000)
        yield opened
        browser.close()


def materializations(home: Path, asset: str) -> list[dg.EventLogRecord]:
    with dg.DagsterInstance.from_config(str(home / ".dagster")) as instance:
        return list(instance.fetch_materializations(dg.AssetKey(["iris", asset]), limit=50).records)


@pytest.mark.timeout(200)
def test_an_asset_shows_its_columns_checks_and_plots(page: Page) -> None:
    page.goto("/assets/iris/clean_table")
    page.get_by_text("sepal_length").first.wait_for()
    page.goto("/assets/iris/data_profile")
    page.locator("tr", has_text="target_plot").last.get_by_text("Show Markdown").click()
    picture = page.locator("img[alt=plot]")
    picture.wait_for()
    assert picture.evaluate("image => image.naturalWidth") > 300
    page.goto("/assets/iris/raw_table?view=checks")
    page.get_by_text("allowed_values").first.wait_for()


@pytest.mark.timeout(200)
def test_materialize_button_makes_an_unpartitioned_asset(page: Page, home: Path) -> None:
    before = len(materializations(home, "raw_table"))
    page.goto("/assets/iris/raw_table")
    page.get_by_role("button", name="Materialize").first.click()
    eventually(lambda: len(materializations(home, "raw_table")) == before + 1, seconds=90, what="a new raw_table")


@pytest.mark.timeout(250)
def test_materialize_all_partitions_is_one_run_of_all_families(page: Page, home: Path) -> None:
    page.goto("/assets/iris/tuned_params")
    page.get_by_role("button", name="Materialize").first.click()
    page.get_by_role("dialog").get_by_text("All", exact=True).click()
    page.get_by_role("button", name="Launch backfill").click()
    made = eventually(
        lambda: (found := materializations(home, "tuned_params")) and len(found) >= len(model_names()) and found,
        seconds=150,
        what="tuned_params of all families",
    )
    assert {record.partition_key for record in made} == set(model_names())
    assert len({record.run_id for record in made}) == 1
