"""What a profile says in words, tables and plots."""

from __future__ import annotations

import struct

import numpy as np
import polars as pl
import pytest

from ml_assets.datasets.profiles.document import TableProfile
from ml_assets.datasets.profiles.profiling import profile
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.evaluation import profile_content as content
from ml_assets.evaluation import profile_plots as plots
from ml_assets.evaluation.tables import Table, bullets, paragraphs
from ml_assets_tests.canonical import canonical


def changed(spec: DatasetSpec, **changes: object) -> DatasetSpec:
    return DatasetSpec.model_validate({**spec.model_dump(), **changes})


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


@pytest.fixture(scope="module")
def wine() -> TableProfile:
    """Wine against a version of only the red ones and a third of the white."""
    spec, raw = canonical("wine_quality")
    return profile(spec, raw, raw[:3248])


def test_the_headline_counts_rows_columns_and_sources(wine: TableProfile) -> None:
    assert content.headline(wine) == (
        "Wine quality: 6,497 rows of 13 columns. They came from winequality-white.csv (4,898) and "
        "winequality-red.csv (1,599)."
    )


def test_quirks_are_the_contracts_and_what_was_counted() -> None:
    spec, raw = canonical("wine_quality")
    assert "1,177 rows (18.1 %) repeat an earlier row exactly; by the contract copies are kept." in content.quirks(
        profile(spec, raw)
    )
    dropping = profile(changed(spec, duplicates="drop"), raw)
    assert content.quirks(dropping)[-1].endswith("by the contract copies are dropped.")
    boston = content.quirks(profile(*canonical("boston_housing")))
    assert any(quirk.startswith("Column b is sensitive and no feature: built from the share") for quirk in boston)


def test_capped_values_are_told_with_unit_and_share() -> None:
    assert content.caps(profile(*canonical("california_housing"))).rows == (
        ("housing_median_age", "52 years", "1,273 rows (6.2 %)"),
        ("median_income", "15.0001 × 10 000 USD", "49 rows (0.2 %)"),
        ("median_house_value", "500,001 USD", "965 rows (4.7 %)"),
    )


def test_changes_tell_a_first_version_the_same_version_and_a_new_one(wine: TableProfile) -> None:
    spec, raw = canonical("wine_quality")
    assert content.changes(profile(spec, raw)) == ["This is the first version; there is none to compare it with."]
    assert content.changes(profile(spec, raw, raw)) == ["Nothing: the last version has the same 6,497 rows."]
    told = content.changes(wine)
    assert told[0] == "Of the rows, 3,249 are new, 0 gone: there were 3,248 before, and are 6,497 now."
    assert told[-1].startswith("Moved by more than the contract's tolerance (index 0.2): colour")


def test_changes_of_columns_are_named() -> None:
    spec, raw = canonical("wine_quality")
    previous = raw.drop("ph").with_columns(old=pl.lit(1.0), quality=pl.col("quality").cast(pl.String))
    told = " ".join(content.changes(profile(spec, raw, previous)))
    assert "New columns: ph." in told
    assert "Columns that are gone: old." in told
    assert "of another type than before, and not compared: quality." in told
    assert "No column moved" in told


def test_labels_are_counted_beside_the_last_version(wine: TableProfile) -> None:
    assert content.labels(wine, "colour").rows == (
        ("white", "4,898", "75.4 %", "50.8 %"),
        ("red", "1,599", "24.6 %", "49.2 %"),
    )
    assert content.labels(profile(*canonical("iris")), "species").header == ("Label", "Rows", "Share")


def test_the_strongest_correlations_are_named(wine: TableProfile) -> None:
    assert content.correlations(wine)[0].startswith("Strongest: free_sulfur_dioxide and total_sulfur_dioxide (0.74)")


def test_missing_values_are_told_in_a_sentence(wine: TableProfile) -> None:
    assert content.missing(wine) == "No value is missing."
    spec, raw = canonical("wine_quality")
    gaps = raw.with_columns(pl.when(pl.int_range(pl.len()) % 10 == 0).then(None).otherwise("ph").alias("ph"))
    found = profile(spec, gaps)
    assert content.missing(found) == "1 of 13 columns lack values: ph."
    (row,) = (row for row in content.columns(found).rows if row[0] == "ph")
    assert row[2] == "650 (10.0 %)"
    assert "missing" in plots.profile_plots(found)


def test_plots_are_those_that_have_something_to_show(wine: TableProfile) -> None:
    assert set(plots.profile_plots(wine)) == {"target", "distributions", "correlation", "drift"}
    first = plots.profile_plots(profile(*canonical("iris")))
    assert set(first) == {"target", "distributions", "correlation"}
    for png in first.values():
        width, height = size(png)
        assert width == 702
        assert 150 < height < 1200
    assert size(plots.drift(profile(*canonical("iris"))))[1] < 200
    assert size(plots.missing(wine))[1] < 200


def test_equal_profiles_give_equal_plots(wine: TableProfile) -> None:
    assert plots.profile_plots(wine) == plots.profile_plots(wine)


def test_tables_of_many_columns_with_odd_values_are_drawn_and_bounded() -> None:
    kinds = {f"column {i} with a long name": {"dtype": "float", "missing_share": 1, "unit": "m"} for i in range(60)}
    spec = DatasetSpec.model_validate(
        {
            "name": "wide",
            "title": "Wide",
            "task": "regression",
            "target": "y",
            "sources": [{"name": "a.csv", "path": "a.csv"}],
            "columns": {**kinds, "label €": {"dtype": "category"}, "y": {"dtype": "float"}},
        }
    )
    values: dict[str, object] = {name: [None, 1e300, -1e300] for name in kinds}
    values |= {name: [None] * 3 for name in list(kinds)[:3]} | {name: [7.0] * 3 for name in list(kinds)[3:6]}
    raw = pl.DataFrame(
        {**values, "label €": ["日本", "b\nc", "d"], "y": [1.0, 2.0, 3.0], "batch": ["a"] * 3}, strict=False
    )
    found = profile(spec, raw, raw[:2])
    for png in plots.profile_plots(found).values():
        assert size(png)[1] < 2500
    assert len(content.drift(found).rows) <= content.MOST_DRIFT_ROWS
    assert "further columns are left out" in " ".join(content.correlations(found))


def test_a_table_as_html_holds_words_as_text() -> None:
    html = Table("a & b", ("", "<x>"), (("<b>", "2"),)).html()
    assert "<caption>a &amp; b</caption>" in html
    assert '<td></td><th scope="col">&lt;x&gt;</th>' in html
    assert '<th scope="row">&lt;b&gt;</th><td>2</td>' in html
    assert paragraphs("<i>", "b") == "<p>&lt;i&gt;</p>\n<p>b</p>\n"
    assert bullets(["<i>"]) == "<ul>\n<li>&lt;i&gt;</li>\n</ul>"


def test_whole_numbers_are_written_whole_and_dates_as_dates() -> None:
    spec, raw = canonical("california_housing")
    (row,) = (row for row in content.columns(profile(spec, raw)).rows if row[0] == "housing_median_age")
    assert row == ("housing_median_age", "number", "0", "52", "1", "29", "28.64", "52")
    dated = DatasetSpec.model_validate(
        {
            "name": "dated",
            "title": "Dated",
            "task": "regression",
            "target": "y",
            "sources": [{"name": "a.csv", "path": "a.csv"}],
            "columns": {"day": {"dtype": "date"}, "y": {"dtype": "float"}},
        }
    )
    days = pl.Series(np.array(["1901-02-03", "2026-01-01"], dtype="datetime64[us]"))
    found = content.columns(profile(dated, pl.DataFrame({"day": days, "y": [1.0, 2.0], "batch": ["a", "a"]})))
    assert found.rows[0][4] == "1901-02-03"
    assert found.rows[0][-1] == "2026-01-01"
