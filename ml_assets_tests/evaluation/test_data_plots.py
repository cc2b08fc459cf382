"""Plots and descriptions of tables with every dtype, many columns, and values that are hard to draw."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.evaluation import data_plots
from ml_assets.evaluation.card_content import columns_table
from ml_assets_tests.mixed_world import BUILT, LIFT, NOTES, QUARTER, ROOMS, SIZE, TARGET, mixed_spec, mixed_table


def _assert_is_picture(png: bytes) -> None:
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.format == "PNG"
        assert picture.height <= 1700
        assert len(picture.convert("L").getcolors()) > 3


def _wide(columns: int) -> DatasetSpec:
    dtypes = ("float", "integer", "boolean", "category", "date", "text")
    return DatasetSpec.model_validate(
        {
            "name": "wide",
            "title": "Wide",
            "task": "regression",
            "target": "y",
            "sources": [{"name": "wide.csv", "path": "wide.csv"}],
            "columns": {
                **{f"spalte {i} 列": {"dtype": dtypes[i % 6], "missing_share": 1.0} for i in range(columns)},
                "y": {"dtype": "float"},
            },
        }
    )


def _values(dtype: str, rows: int, rng: np.random.Generator) -> Any:
    match dtype:
        case "boolean":
            return (rng.random(rows) < 0.5).astype(float)
        case "date":
            return np.datetime64("1950-01-01", "us") + rng.integers(0, 10**5, rows) * np.timedelta64(1, "D")
        case "category" | "text":
            return np.array([f"名 {i}" for i in rng.integers(0, rows, rows)], dtype=object)
    return rng.normal(size=rows)


def _words_of(figure: Any) -> str:
    return " ".join(text.get_text() for text in figure.findobj(match=lambda artist: hasattr(artist, "get_text")))


@pytest.mark.parametrize("task", list(Task))
def test_a_table_with_every_dtype_is_drawn(task: Task) -> None:
    spec = mixed_spec(task)
    for table in (mixed_table(spec), mixed_table(spec, 1)):
        _assert_is_picture(data_plots.target_distribution(spec, table))
        _assert_is_picture(data_plots.feature_distributions(spec, table))
        _assert_is_picture(data_plots.correlation(spec, table))


@pytest.mark.filterwarnings("ignore:Glyph")
def test_of_very_many_columns_some_are_drawn_and_the_rest_is_counted() -> None:
    spec, rng = _wide(180), np.random.default_rng(0)
    table = pd.DataFrame({n: _values(c.dtype, 60, rng) for n, c in spec.columns.items()})
    _assert_is_picture(data_plots.feature_distributions(spec, table))
    _assert_is_picture(data_plots.correlation(spec, table))
    assert "165 more features not shown" in _words_of(data_plots.feature_distributions.__wrapped__(spec, table))
    assert "66 more features of numbers not shown" in _words_of(data_plots.correlation.__wrapped__(spec, table))


@settings(max_examples=25, deadline=None)
@given(values=st.lists(st.one_of(st.floats(), st.integers(-5, 5).map(float)), max_size=12))
def test_any_numbers_are_drawn(values: list[float]) -> None:
    table = pd.DataFrame({"y": values}, dtype=np.float64)
    assert data_plots.target_distribution(_wide(1), table).startswith(b"\x89PNG")


def test_whole_numbers_far_apart_do_not_make_a_bin_for_each_number_between() -> None:
    spec = _wide(1)
    table = pd.DataFrame({"spalte 0 列": [0.0, 1e12] * 10, "y": [0.0, 1e12] * 10})
    _assert_is_picture(data_plots.target_distribution(spec, table))
    _assert_is_picture(data_plots.feature_distributions(spec, table))


def test_the_first_and_last_dates_there_are_can_be_drawn() -> None:
    spec = _wide(6)
    dates = np.array(["0001-01-01", "9999-12-31", "NaT"] * 5, dtype="datetime64[us]")
    table = pd.DataFrame({n: dates if c.dtype == "date" else None for n, c in spec.columns.items()}).assign(y=1.0)
    _assert_is_picture(data_plots.feature_distributions(spec, table))


def test_the_card_says_what_values_each_column_has() -> None:
    kinds = {row[0]: row[2] for row in columns_table(mixed_spec()).rows}
    assert kinds[SIZE] == "0 to 500 m²"
    assert kinds[ROOMS] == "whole number"
    assert kinds[LIFT] == "yes or no"
    assert kinds[QUARTER] == "nord, süd <b>, [west]"
    assert kinds[BUILT] == "1900-01-01 to 2100-01-01"
    assert kinds[NOTES] == "text"
    assert kinds[TARGET] == "number"
