import numpy as np
import pytest

from ml_assets.evaluation.selection import selection_gap


def test_among_settings_that_differ_by_chance_only_the_nested_score_is_unbiased_and_the_plain_one_is_not() -> None:
    rng = np.random.default_rng(0)
    found = [selection_gap(rng.normal(1.0, 0.1, size=(40, 5))) for _ in range(400)]
    plain, nested = (np.array([getattr(one, name) for one in found if one]) for name in ("plain", "nested"))
    assert nested.mean() == pytest.approx(1.0, abs=0.01)
    assert plain.mean() < 0.92
    assert np.mean([one.gap for one in found if one]) == pytest.approx(nested.mean() - plain.mean())


def test_a_setting_that_is_best_on_every_fold_is_not_flattered() -> None:
    found = selection_gap([(1.0, 1.2, 0.9), (2.0, 2.2, 1.9), (1.5, 1.6, 1.3)])
    assert found is not None
    assert (found.settings, found.gap) == (3, pytest.approx(0.0))
    assert found.plain == pytest.approx(31 / 30)


@pytest.mark.parametrize("scores", [[], [(1.0, 2.0, 3.0)], [(1.0, 2.0), (2.0, 1.0)], [(np.nan, 1.0, 1.0)] * 3])
def test_too_few_settings_or_folds_say_nothing(scores: list[tuple[float, ...]]) -> None:
    assert selection_gap(scores) is None


def test_settings_of_another_number_of_folds_are_left_out() -> None:
    found = selection_gap([(1.0, 1.0, 1.0), (2.0, 2.0, 2.0), (0.1, 0.1), ()])
    assert found is not None
    assert found.settings == 2
