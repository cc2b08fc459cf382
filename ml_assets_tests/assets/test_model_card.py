"""The asset `model_card`: which registered version it is about, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ml_assets.assets.card import check_registered, identity_of
from ml_assets.datasets.contracts import load_contract
from ml_assets.errors import StorageError
from ml_assets.resources.store import artifact_store


def stored(*key: str) -> Any:
    return artifact_store().load(key)


def test_the_stored_card_is_that_of_the_registered_version(trained_home: Path) -> None:
    card = stored("reports", "iris", "model_card")
    registration = stored("models", "iris", "registered_model")
    content = json.loads(card.json)
    assert content["identity"]["version"] == registration.version == "1"
    assert content["identity"]["model_sha256"] == registration.origin.model_sha256
    assert content["figures"]["verdict"] == stored("models", "iris", "deployment").to_dict()
    assert (trained_home / "data/reports/iris/cards/version-1.md").read_text() == card.markdown


def test_identity_tells_the_table_the_seed_and_what_computed_the_fit(trained_home: Path) -> None:
    assert trained_home.is_dir()
    registration = stored("models", "iris", "registered_model")
    found = identity_of(registration, run="run-1", now=datetime(2026, 1, 2, 3, 4, tzinfo=UTC))
    assert found.table_version.startswith("version 1 (")
    assert (found.seed, found.made_at, found.run) == (0, "2026-01-02 03:04 UTC", "run-1")
    assert {"numpy", "scikit-learn", "python"} <= set(found.libraries)
    assert len(found.data_version) == 64


def test_a_card_of_a_model_that_is_not_the_registered_one_is_refused(trained_home: Path) -> None:
    assert trained_home.is_dir()
    spec, registration = load_contract("iris"), stored("models", "iris", "registered_model")
    verdict = stored("models", "iris", "deployment")
    winner = stored("reports", "iris", "evaluation", registration.origin.family)
    check_registered(spec, winner, registration, verdict)
    with pytest.raises(StorageError, match="is not version 1, the last one registered; materialize iris/registered"):
        check_registered(spec, replace(winner, model_sha256="0" * 64), registration, verdict)
    with pytest.raises(StorageError, match="the last verdict is about version 9, not about version 1"):
        check_registered(spec, winner, registration, replace(verdict, challenger="version 9"))
