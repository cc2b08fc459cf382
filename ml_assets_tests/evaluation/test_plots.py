from __future__ import annotations

import io
import sys
from subprocess import run
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from evaluation_worlds import spec_of
from PIL import Image

from ml_assets.evaluation.model_plots import (
    binned_calibration,
    confusion_matrix,
    reliability,
    residuals,
)
from ml_assets.evaluation.plots import card_plots, data_plots, learning_curve_plot
from ml_assets.evaluation.search_plots import learning_curve, search

if TYPE_CHECKING:
    from evaluation_worlds import World

HOSTILE = "<b>$\\frac{x}$</b> & \n日本 " + "long " * 20 + "end"


def assert_is_readable(png: bytes) -> None:
    assert 1_000 < len(png) < 120_000
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.format == "PNG"
        assert 690 <= picture.width <= 720
        assert 100 <= picture.height <= 1600
        assert len(picture.convert("L").getcolors()) > 3


@pytest.mark.parametrize("name", ["iris", "california"])
def test_every_plot_of_a_card_is_a_readable_png(name: str, request: pytest.FixtureRequest) -> None:
    world: World = request.getfixturevalue(name)
    board, winner = world.board, world.evaluations[world.board.winner]
    plots = card_plots(
        world.spec, world.table, board, winner, trials=world.trials, baseline=world.baseline
    ) | learning_curve_plot(world.spec, world.trials, family=board.winner, metric=board.metric)
    own = {"residuals"} if name == "california" else {"confusion_matrix"}
    assert set(plots) == own | {
        "leaderboard",
        "calibration",
        "search",
        "parameters",
        "learning_curve",
        "target_distribution",
        "feature_distributions",
        "correlation",
    }
    for png in plots.values():
        assert_is_readable(png)


def test_many_rows_still_make_a_small_picture() -> None:
    generator = np.random.default_rng(0)
    y = generator.gamma(2.0, 1e5, 20_000)
    p = y + generator.normal(0, 4e4, 20_000)
    assert_is_readable(residuals(y, p, label="value (USD)"))
    assert_is_readable(binned_calibration(y, p, label="value (USD)"))


def test_hostile_names_are_drawn_as_text() -> None:
    columns = {
        HOSTILE: {"dtype": "float", "unit": HOSTILE},
        "level": {"dtype": "category"},
        "empty": {"dtype": "float"},
        "y": {"dtype": "category"},
    }
    spec = spec_of("x", "y", columns, title=HOSTILE, description="", task="classification")
    generator = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            HOSTILE: generator.normal(size=40),
            "level": [f"{HOSTILE}{i % 15}" for i in range(40)],
            "empty": np.nan,
            "y": [HOSTILE, "$"] * 20,
        }
    )
    for png in data_plots(spec, table).values():
        assert_is_readable(png)
    probabilities = generator.dirichlet([1, 1], 40)
    assert_is_readable(confusion_matrix(table["y"].to_numpy(), probabilities, [HOSTILE, "$"]))
    assert_is_readable(search([{"family": HOSTILE, "score": 1.0, "seconds": 1.0, "state": "COMPLETE"}], metric="rmse"))


def test_nothing_to_draw_is_said_in_the_picture() -> None:
    nan = np.full(3, np.nan)
    for png in (
        search([], metric="rmse"),
        learning_curve([], family="svm", metric="rmse"),
        learning_curve(
            [{"family": "svm", "score": None, "seconds": 1.0, "state": "FAIL"}], family="svm", metric="rmse"
        ),
        residuals(nan, nan, label="y"),
        binned_calibration(np.arange(3.0), np.ones(3), label="y"),
    ):
        assert png.startswith(b"\x89PNG")


def test_odd_predictions_are_drawn_too() -> None:
    labels = np.array(["a", "b"] * 5, dtype=object)
    certain = np.tile([1.0, 0.0], (10, 1))
    assert_is_readable(reliability(labels, certain, ["a", "b"]))
    assert_is_readable(confusion_matrix(labels, certain, ["a", "b"]))
    assert_is_readable(residuals(np.ones(5), np.ones(5), label="y"))
    many = [f"class {i}" for i in range(40)]
    spread = np.random.default_rng(0).dirichlet(np.ones(40), 200)
    assert_is_readable(confusion_matrix(np.array(many * 5, dtype=object), spread, many))
    same = [{"family": "svm", "score": 1.0, "seconds": s, "state": "PRUNED"} for s in (1.0, 2.0)]
    assert_is_readable(learning_curve(same, family="svm", metric="rmse"))
    assert_is_readable(search(same, metric="rmse"))


def test_importing_the_plots_does_not_load_pyplot() -> None:
    code = "import sys, ml_assets.evaluation.plots; print('matplotlib.pyplot' in sys.modules)"
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
