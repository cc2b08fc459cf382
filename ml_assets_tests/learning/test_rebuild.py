"""A model is made again from the version of the table that made it, through every step from the raw table on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest

from ml_assets.artifacts import ArtifactStore, StoredArtifact
from ml_assets.datasets.cleaning import clean
from ml_assets.datasets.identity import table_hash
from ml_assets.datasets.versions.store import TableVersions
from ml_assets.errors import ContractError, IntegrityError
from ml_assets.evaluation.evaluate import predict, true_values
from ml_assets.evaluation.metrics import score
from ml_assets.families import load_family
from ml_assets.features.plan import plan_for
from ml_assets.learning.environment import library_versions
from ml_assets.learning.final_fit import fit_models
from ml_assets.learning.fitted_model import PIPELINE_FILE, RECORD_FILE, FittedModel, read_record
from ml_assets.learning.rebuild import Rebuild, contract_of, rebuild
from ml_assets.learning.search_result import SearchResult
from ml_assets.learning.splitting import split
from ml_assets.learning.worker import TrainingRows
from ml_assets_tests.canonical import canonical

FAMILIES = ("random_forest", "xgboost", "svm")
SEED = 3


class Made(NamedTuple):
    """A stored model, the log loss that it was recorded with, and the versions of its table."""

    stored: StoredArtifact
    recorded: float
    versions: TableVersions

    def again(self, raw: pl.DataFrame | None = None, **changes: object) -> Rebuild:
        """Makes the model again from what lies on disk, or from another table or record."""
        folder = self.stored.path
        record = replace(read_record(folder), **changes)
        if raw is None:
            version = self.versions.origin_of(record.data_hash)
            assert version is not None
            assert version.id == record.data_version
            raw = self.versions.read(version)
        return rebuild(
            record,
            raw,
            stored=FittedModel.load(folder).pipeline,
            stored_sha256=hashlib.sha256((folder / PIPELINE_FILE).read_bytes()).hexdigest(),
            recorded=self.recorded,
            spec=contract_of(record.contract, origin="the model"),
        )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    """Models of iris, made as a run makes them: under another contract and from another version than the newest."""
    home, (packaged, raw) = tmp_path_factory.mktemp("home"), canonical("iris")
    spec = packaged.model_copy(update={"test_share": 0.3})
    store, versions = ArtifactStore(home), TableVersions(home / "raw" / "iris")
    version = versions.commit(raw, spec=packaged, created_at=0.0, source_fingerprint="")
    table = clean(spec, versions.read(version)).table
    versions.derive(table_hash(table), version.id)
    versions.commit(raw[:-3], spec=packaged, created_at=1.0, source_fingerprint="")
    splits = split(spec, table, seed=SEED)
    rows = TrainingRows.of(spec, table, splits, plan_for(spec), seed=SEED)
    models = fit_models(
        rows,
        {family: _search(rows, family) for family in FAMILIES},
        data_hash=table_hash(table),
        splits_hash=table_hash(splits),
        workers=2,
        data_version=version.id,
    )
    test = table.loc[splits.index[splits["part"] == "test"]]
    found = {}
    for family, model in models.items():
        prediction = predict(spec.task, model.pipeline, test[list(spec.feature_columns)])
        loss = score(spec.task, true_values(spec, test), prediction, rows.classes)["log_loss"]
        found[family] = Made(store.save(("models", "iris", "model", family), model), loss, versions)
    return found


def _search(rows: TrainingRows, family: str) -> SearchResult:
    """A search that tried the defaults only."""
    oof = np.full((len(rows.table), 3), 1 / 3)
    params = load_family(family).defaults(rows.shape)
    return SearchResult(family, params, (1.0,) * 5, (), 1.0, rows.classes, tuple(rows.table.index), oof)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_made_again_is_the_same_to_the_last_bit(family: str, made: dict[str, Made]) -> None:
    found = made[family].again()
    assert found.is_same
    assert found.recorded == found.stored == found.rebuilt
    assert (found.same_data, found.same_splits, found.same_predictions) == (True, True, True)
    assert (found.metric, found.largest_difference, found.libraries) == ("log_loss", 0.0, {})
    assert found.test_rows > 40, "the contract of then, which holds back three rows of ten"


def test_a_model_names_all_that_it_was_made_from(made: dict[str, Made]) -> None:
    record = read_record(made["svm"].stored.path)
    assert record.seed == SEED
    assert record.data_version == made["svm"].versions.find("1").id
    assert record.contract["test_share"] == 0.3
    assert record.libraries == library_versions()
    assert {"python", "numpy", "scikit-learn", "xgboost"} <= record.libraries.keys()


def test_another_version_of_the_table_makes_another_model_and_is_told(made: dict[str, Made]) -> None:
    found = made["random_forest"].again(made["random_forest"].versions.read(made["svm"].versions.find("2")))
    assert not found.is_same
    assert not found.same_data
    assert not found.same_splits
    assert found.largest_difference > 0


def test_another_seed_or_setting_makes_another_model_and_is_told(made: dict[str, Made]) -> None:
    other = made["random_forest"].again(seed=SEED + 1)
    assert other.same_data
    assert not other.same_splits
    assert not other.is_same
    record = read_record(made["random_forest"].stored.path)
    assert not made["random_forest"].again(params={**record.params, "max_depth": 1}).is_same


def test_libraries_that_changed_since_are_named(made: dict[str, Made]) -> None:
    then = {**library_versions(), "numpy": "1.0", "gone": "2.0"}
    found = made["svm"].again(libraries=then)
    assert found.libraries == {"numpy": ("1.0", library_versions()["numpy"]), "gone": ("2.0", "none")}
    assert found.is_same


def test_a_record_of_an_earlier_release_is_read_and_its_model_made_again(made: dict[str, Made]) -> None:
    folder = made["svm"].stored.path
    document = json.loads((folder / RECORD_FILE).read_text())
    older = {k: v for k, v in document.items() if k not in ("seed", "data_version", "contract", "libraries")}
    (folder / RECORD_FILE).write_text(json.dumps(older))
    try:
        record = read_record(folder)
        assert FittedModel.load(folder).record == record
    finally:
        (folder / RECORD_FILE).write_text(json.dumps(document))
    assert (record.seed, record.data_version, record.contract, record.libraries) == (None, "", {}, {})
    assert not made["svm"].again(seed=None).same_splits, "the seed is taken to be 0, and the splits say that it was not"


def test_a_damaged_record_is_told_with_a_remedy(made: dict[str, Made]) -> None:
    folder = made["svm"].stored.path
    content = (folder / RECORD_FILE).read_bytes()
    try:
        for broken in (content[:20], b"{}", b"[]"):
            (folder / RECORD_FILE).write_bytes(broken)
            with pytest.raises(IntegrityError, match=r"model.json is missing or was damaged: put it back"):
                read_record(folder)
    finally:
        (folder / RECORD_FILE).write_bytes(content)


def test_a_contract_of_an_unknown_kind_is_told_by_key() -> None:
    document = canonical("iris")[0].model_dump(mode="json") | {"folds": 1}
    with pytest.raises(ContractError, match=r"the contract kept with version 2 is not one .*\(folds: "):
        contract_of(document, origin="version 2")
