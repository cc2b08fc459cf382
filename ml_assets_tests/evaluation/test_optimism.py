from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from ml_assets.datasets.spec import Task
from ml_assets.evaluation.optimism import gap_words, optimism_gap

if TYPE_CHECKING:
    from collections.abc import Callable

    from evaluation_worlds import World

    from ml_assets.evaluation.record import Evaluation


def table_of(generator: np.random.Generator, rows: int, noise: float) -> pd.DataFrame:
    truth = generator.normal(size=rows)
    return pd.DataFrame({"y": truth, "fold": 0, "prediction": truth + generator.normal(scale=noise, size=rows)})


def test_the_gap_is_out_of_fold_minus_test_with_the_error_of_both(california: World) -> None:
    made = california.evaluations["linear"]
    gap = optimism_gap(made)
    assert gap.out_of_fold == pytest.approx(made.oof_metrics["rmse"])
    assert gap.test == pytest.approx(made.test_score)
    assert gap.gap == pytest.approx(made.oof_metrics["rmse"] - made.test_score)
    assert gap.standard_error > made.test_standard_error
    assert "out of fold minus test" in gap_words(made, gap)


def test_equal_errors_are_called_beyond_noise_about_one_time_in_twenty(
    california: World, changed: Callable[..., Evaluation]
) -> None:
    generator, made = np.random.default_rng(0), california.evaluations["linear"]
    found = [
        optimism_gap(changed(made, oof=table_of(generator, 600, 1.0), test=table_of(generator, 150, 1.0))).beyond_noise
        for _ in range(1000)
    ]
    assert 0.03 <= np.mean(found) <= 0.075


def test_a_model_that_turned_out_worse_is_said_to_be_flattered(
    california: World, changed: Callable[..., Evaluation]
) -> None:
    generator, made = np.random.default_rng(1), california.evaluations["linear"]
    worse = changed(made, oof=table_of(generator, 600, 1.0), test=table_of(generator, 300, 1.6))
    gap = optimism_gap(worse)
    assert gap.beyond_noise
    assert gap.gap < 0
    assert "flatters the model" in gap_words(worse, gap)
    better = changed(made, oof=table_of(generator, 600, 1.6), test=table_of(generator, 300, 1.0))
    assert "in the model's favour" in gap_words(better, optimism_gap(better))


def test_the_gap_of_a_classifier_is_in_log_loss(iris: World) -> None:
    made = iris.evaluations["linear"]
    assert made.task is Task.CLASSIFICATION
    assert optimism_gap(made).gap == pytest.approx(made.oof_metrics["log_loss"] - made.test_score)


def test_nothing_is_said_where_predictions_are_missing_or_always_right(
    california: World, changed: Callable[..., Evaluation]
) -> None:
    made = california.evaluations["linear"]
    gone = changed(made, test=made.test.assign(prediction=np.nan))
    exact = changed(
        made, oof=made.oof.assign(prediction=made.oof["y"]), test=made.test.assign(prediction=made.test["y"])
    )
    for one in (gone, exact, changed(made, test=made.test.iloc[:1])):
        gap = optimism_gap(one)
        assert gap.beyond_noise is None
        assert "cannot be said" in gap_words(one, gap)
