"""Fixtures of the evaluation tests; what they are made of belongs in `evaluation_worlds`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from evaluation_worlds import World, boston_world, california_world, iris_world

if TYPE_CHECKING:
    from collections.abc import Callable

    from ml_assets.evaluation.record import Evaluation


@pytest.fixture(scope="session")
def iris() -> World:
    return iris_world()


@pytest.fixture(scope="session")
def california() -> World:
    return california_world()


@pytest.fixture(scope="session")
def boston() -> World:
    return boston_world()


@pytest.fixture
def changed() -> Callable[..., Evaluation]:
    """A copy of a frozen dataclass with other values."""
    return replace
