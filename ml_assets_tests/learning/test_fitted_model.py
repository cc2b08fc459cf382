import dataclasses
import hashlib
import os
from pathlib import Path

import joblib
import numpy as np
import pytest
from search_worlds import forget_families, training_rows, with_families, write_family

from ml_assets.artifacts import ArtifactStore
from ml_assets.errors import IntegrityError, TrainingError
from ml_assets.families import ENSEMBLE, load_family
from ml_assets.learning.final_fit import fit_models
from ml_assets.learning.fitted_model import PIPELINE_FILE, FittedModel, load_verified, read_training_rows
from ml_assets.learning.left_out import LeftOut
from ml_assets.learning.search_result import SearchResult, Trial
from ml_assets.learning.worker import TrainingRows


def _found(rows: TrainingRows, family: str) -> SearchResult:
    """A search that tried the defaults only."""
    params = load_family(family).defaults(rows.shape)
    trial = Trial(number=0, params=params, state="COMPLETE", score=1.0, seconds=1.0, fit_seconds=1.0)
    oof = np.full((len(rows.table), 3), 1 / 3) if rows.classes else np.full(len(rows.table), rows.target.mean())
    folds = (1.0,) * rows.spec.folds
    return SearchResult(family, params, folds, (trial,), 1.0, rows.classes, tuple(rows.table.index), oof)


def test_final_models_take_raw_rows_and_come_back_from_disk_as_they_were(tmp_path: Path) -> None:
    rows = training_rows("iris")
    searches = {family: _found(rows, family) for family in ("linear", "xgboost")}
    models = fit_models(rows, searches, data_hash="d", splits_hash="s", workers=2)
    assert list(models) == ["linear", "xgboost"]
    raw = rows.table[list(rows.spec.feature_columns)]
    for family, model in models.items():
        assert model.training_rows == tuple(rows.table.index)
        assert model.record.params == searches[family].params
        assert (model.pipeline.predict(raw) == rows.target).mean() > 0.9
        store, key = ArtifactStore(tmp_path), ("models", family)
        stored = store.save(key, model)
        loaded = store.load(key)
        assert loaded.record == model.record
        assert read_training_rows(stored.path) == model.training_rows
        np.testing.assert_array_equal(loaded.pipeline.predict_proba(raw), model.pipeline.predict_proba(raw))
        file = stored.path / PIPELINE_FILE
        verified = load_verified(file, hashlib.sha256(file.read_bytes()).hexdigest())
        np.testing.assert_array_equal(verified.predict(raw.iloc[:1]), model.pipeline.predict(raw.iloc[:1]))


def test_a_family_whose_final_fit_fails_is_left_out_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "families"
    write_family(folder, "made", fit="raise MemoryError('too large')")
    rows = with_families(training_rows("iris"), folder)
    told = "the final fit of family 'made' failed: MemoryError: too large"
    try:
        searches = {family: _found(rows, family) for family in ("made", "linear")}
        models = fit_models(rows, searches, data_hash="d", splits_hash="s", workers=1)
        assert isinstance(models["linear"], FittedModel)
        assert isinstance(models["made"], LeftOut)
        assert (models["made"].reason, models["made"].failed) == (told, True)
        with pytest.raises(TrainingError, match=f"iris: no final fit worked: {told}"):
            fit_models(rows, {"made": searches["made"]}, data_hash="d", splits_hash="s", workers=1)
    finally:
        forget_families(str(folder))


def test_a_family_without_a_setting_stays_left_out() -> None:
    rows, left_out = training_rows("iris"), LeftOut("svm", "no time was left for it")
    models = fit_models(
        rows, {"svm": left_out, "linear": _found(rows, "linear")}, data_hash="d", splits_hash="s", workers=1
    )
    assert models["svm"] is left_out
    assert isinstance(models["linear"], FittedModel)


def test_an_ensemble_is_one_pipeline_with_its_members_behind_one_plan() -> None:
    rows = training_rows("iris")
    searches: dict[str, SearchResult | LeftOut] = {f: _found(rows, f) for f in ("linear", "xgboost")}
    weights = {"linear": 0.25, "xgboost": 0.75}
    params = {"weights": weights, "members": {f: searches[f].params for f in weights}}
    searches[ENSEMBLE] = dataclasses.replace(_found(rows, "linear"), family=ENSEMBLE, params=params)
    models = fit_models(rows, searches, data_hash="d", splits_hash="s", workers=2)
    raw = rows.table[list(rows.spec.feature_columns)]
    together = sum(weight * models[f].pipeline.predict_proba(raw) for f, weight in weights.items())
    ensemble = models[ENSEMBLE].pipeline
    np.testing.assert_allclose(ensemble.predict_proba(raw), together)
    assert list(ensemble.classes_) == list(rows.classes)
    assert (ensemble.predict(raw) == ensemble.classes_[together.argmax(axis=1)]).all()
    assert [name for name, _ in ensemble.steps] == ["features", "estimator"]
    alone = fit_models(rows, {ENSEMBLE: searches[ENSEMBLE]}, data_hash="d", splits_hash="s", workers=1)
    np.testing.assert_array_equal(alone[ENSEMBLE].pipeline.predict_proba(raw), ensemble.predict_proba(raw))


def test_a_stack_adds_its_intercept() -> None:
    rows = training_rows("boston_housing")
    searches: dict[str, SearchResult | LeftOut] = {f: _found(rows, f) for f in ("linear", "xgboost")}
    weights = {"linear": 0.5, "xgboost": 0.75}
    params = {"weights": weights, "members": {f: searches[f].params for f in weights}, "intercept": -4.0}
    searches[ENSEMBLE] = dataclasses.replace(_found(rows, "linear"), family=ENSEMBLE, params=params)
    models = fit_models(rows, searches, data_hash="d", splits_hash="s", workers=2)
    raw = rows.table[list(rows.spec.feature_columns)]
    together = sum(weight * models[f].pipeline.predict(raw) for f, weight in weights.items()) - 4.0
    np.testing.assert_allclose(models[ENSEMBLE].pipeline.predict(raw), together, atol=1e-5)
    np.testing.assert_array_equal(
        models[ENSEMBLE].pipeline.predict(raw[3:4]), models[ENSEMBLE].pipeline.predict(raw)[3:4]
    )


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, crater: Path) -> None:
        self.crater = crater

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.crater),)


def test_a_changed_model_file_is_refused_before_it_is_unpickled(tmp_path: Path) -> None:
    file, crater = tmp_path / PIPELINE_FILE, tmp_path / "crater"
    joblib.dump(Bomb(crater), file)
    with pytest.raises(IntegrityError, match=f"{PIPELINE_FILE} is not the registered one.*is not loaded: run"):
        load_verified(file, "0" * 64)
    assert not crater.exists()
    load_verified(file, hashlib.sha256(file.read_bytes()).hexdigest())
    assert crater.exists(), "the bomb is one"


def test_a_missing_model_file_is_told_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="is missing: run `ml-assets run`"):
        load_verified(tmp_path / "gone.joblib", "0" * 64)


def test_a_search_result_comes_back_as_it_was(tmp_path: Path) -> None:
    result = _found(training_rows("iris"), "svm")
    store = ArtifactStore(tmp_path)
    store.save(("r",), result)
    loaded = store.load(("r",))
    np.testing.assert_array_equal(loaded.oof, result.oof)
    assert (loaded.family, loaded.params, loaded.trials, loaded.row_ids, loaded.classes, loaded.score) == (
        result.family,
        result.params,
        result.trials,
        result.row_ids,
        result.classes,
        1.0,
    )
