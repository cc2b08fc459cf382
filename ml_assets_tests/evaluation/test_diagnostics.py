from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from evaluation_worlds import World

from ml_assets.datasets.spec import DatasetSpec
from ml_assets.evaluation.diagnostics import Diagnostics, diagnose
from ml_assets.evaluation.diagnostics_words import scores_section, slices_words, weak_spots_section
from ml_assets.evaluation.group_gaps import group_gaps
from ml_assets.evaluation.record import labels_of
from ml_assets.evaluation.regions import target_regions
from ml_assets.evaluation.slice_plots import slices


@pytest.mark.parametrize("name", ["iris", "california"])
def test_diagnostics_come_back_from_disk_as_they_were(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    world: World = request.getfixturevalue(name)
    made = diagnose(world.spec, world.table, world.evaluations[world.board.winner])
    made.save(tmp_path)
    again = Diagnostics.load(tmp_path)
    assert repr(again) == repr(made)
    low, high = made.intervals[made.metric]
    assert low < world.evaluations[world.board.winner].test_score < high


def test_regions_hold_every_row_once_by_truth_and_once_by_prediction(california: World) -> None:
    winner = california.evaluations[california.board.winner]
    regions = target_regions(winner)
    for by in ("truth", "prediction"):
        parts = [region for region in regions if region.by == by]
        assert sum(region.rows for region in parts) == len(winner.oof)
        mse = sum(region.rows * region.score**2 for region in parts) / len(winner.oof)
        assert np.sqrt(mse) == pytest.approx(winner.oof_metrics["rmse"])
    constant = replace(winner, oof=winner.oof.assign(prediction=2.0))
    assert {region.by for region in target_regions(constant)} == {"truth"}


def test_gaps_between_groups_are_those_worked_out_by_hand(iris: World) -> None:
    winner = iris.evaluations[iris.board.winner]
    n = len(winner.oof)
    spec = DatasetSpec.model_validate(
        {
            **iris.spec.model_dump(),
            "columns": {**iris.spec.model_dump()["columns"], "who": {"dtype": "category", "sensitive": "who grew it"}},
        }
    )
    who = np.array(["a", "b"] * (n // 2) + ["a"] * (n % 2), dtype=object)
    who[:3] = "c"
    rows = iris.table.loc[winner.oof.index].assign(who=who)
    gaps = {(gap.metric, gap.label): gap for gap in group_gaps(spec, rows, winner)}
    truth, said = labels_of(winner.oof), np.asarray(winner.classes, dtype=object)[winner.oof_said]
    for label in winner.classes:
        by = [np.mean(said[who == g] == label) for g in "ab"]
        assert gaps["selection_rate", label].difference == pytest.approx(abs(by[0] - by[1]))
        hit = [np.mean(said[(who == g) & (truth == label)] == label) for g in "ab"]
        assert gaps["true_positive_rate", label].difference == pytest.approx(abs(hit[0] - hit[1]))
    assert gaps["accuracy", ""].left_out == ("c",)
    assert gaps["accuracy", ""].groups == 2


def test_what_the_page_says_are_the_figures(california: World) -> None:
    winner = california.evaluations[california.board.winner]
    found = diagnose(california.spec, california.table, winner)
    section = scores_section(california.spec, winner, california.baseline, found)
    assert section.key == "scores"
    metrics = next(table for table in section.tables if table.header[0] == "Metric")
    assert len(metrics.rows) == 4
    weak = weak_spots_section(california.spec, found)
    assert ("slices" in weak.pictures) == bool(found.slices)
    assert slices(found.slices, metric=found.metric).startswith(b"\x89PNG")
    for slice_ in found.slices:
        assert " and ".join(slice_.conditions) in slices_words(found)


def test_a_page_without_slices_says_why(iris: World) -> None:
    found = replace(diagnose(iris.spec, iris.table, iris.evaluations[iris.board.winner]), slices=())
    assert "too few rows to look for slices" in weak_spots_section(iris.spec, found).paragraphs[0]
    assert slices_words(found) == ""
    assert isinstance(pd.DataFrame(found.regions), pd.DataFrame)
