"""Temperature scaling: found where a model is known to be too sure, left alone where it is not."""

from __future__ import annotations

import numpy as np
import pytest

from ml_assets.evaluation.metrics import fold_scores
from ml_assets.evaluation.temperature import Temperature, fit_temperature, tempered


def world(sharpness: float, *, n: int = 3000, k: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels drawn from true probabilities, and a model's, which are those to the power of `sharpness`."""
    rng = np.random.default_rng(seed)
    true = rng.dirichlet(np.ones(k), n)
    code = (rng.random(n)[:, None] > true.cumsum(axis=1)).sum(axis=1).clip(max=k - 1)
    said = true**sharpness
    labels = np.array([f"c{i:03d}" for i in range(k)], dtype=object)[code]
    return said / said.sum(axis=1, keepdims=True), labels, np.arange(n) % 5


def classes(k: int = 3) -> tuple[str, ...]:
    return tuple(f"c{i:03d}" for i in range(k))


@pytest.mark.parametrize("sharpness", [3.0, 0.4])
def test_the_temperature_undoes_a_known_sharpening(sharpness: float) -> None:
    oof, labels, fold = world(sharpness)
    found = fit_temperature(oof, labels, fold, classes())
    assert found.value == pytest.approx(sharpness, rel=0.1)
    assert found.kept
    before = fold_scores("classification", labels, oof, fold, classes())
    after = fold_scores("classification", labels, found.out_of_fold(oof, fold), fold, classes())
    assert found.gain == pytest.approx((before - after).mean())
    assert found.gain > 0.02


def test_a_model_that_is_calibrated_is_left_alone() -> None:
    kept = []
    for seed in range(20):
        oof, labels, fold = world(1.0, n=500, seed=seed)
        found = fit_temperature(oof, labels, fold, classes())
        kept.append(found.kept)
        if not found.kept:
            assert found.used == 1.0
            assert found.out_of_fold(oof, fold) is oof
    assert sum(kept) <= 3, "by chance a gain of two standard errors is rare"


def test_out_of_fold_rows_get_the_temperature_of_the_other_folds() -> None:
    oof, labels, fold = world(3.0)
    found = fit_temperature(oof, labels, fold, classes())
    for k in range(5):
        alone = fit_temperature(oof[fold != k], labels[fold != k], fold[fold != k], classes())
        assert found.by_fold[k] == pytest.approx(alone.value)
        np.testing.assert_allclose(found.out_of_fold(oof, fold)[fold == k], tempered(oof[fold == k], found.by_fold[k]))
    changed = labels.copy()
    changed[fold == 2] = "c000"
    assert fit_temperature(oof, changed, fold, classes()).by_fold[2] == pytest.approx(found.by_fold[2])


def test_probabilities_stay_probabilities_and_the_likeliest_class_the_likeliest() -> None:
    oof, _, _ = world(2.0, k=100)
    oof[0] = np.eye(100)[7]
    for temperature in (0.2, 1.0, 5.0):
        made = tempered(oof, temperature)
        np.testing.assert_allclose(made.sum(axis=1), 1.0)
        assert (made.argmax(axis=1) == oof.argmax(axis=1)).all()
    np.testing.assert_allclose(tempered(oof, 1.0), oof, atol=1e-12)


def test_a_hundred_classes_and_a_class_of_one_row() -> None:
    oof, labels, fold = world(3.0, k=100, n=2000)
    labels[0], labels[labels == "c050"] = "c050", "c051"
    found = fit_temperature(oof, labels, fold, classes(100))
    assert np.isfinite([found.value, found.gain, found.error]).all()
    assert found.value == pytest.approx(3.0, rel=0.2)


def test_a_temperature_comes_back_from_a_document() -> None:
    found = Temperature(1.5, 0.01, 0.002, True, {0: 1.4, 1: 1.6})
    document = {"value": 1.5, "gain": 0.01, "error": 0.002, "kept": True, "by_fold": {"0": 1.4, "1": 1.6}}
    assert Temperature.of(document) == found
    assert Temperature.of(None) is None
