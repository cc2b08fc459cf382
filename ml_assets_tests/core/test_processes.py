import os
from pathlib import Path

import pytest

from ml_assets import processes
from ml_assets.errors import MlAssetsError, SettingError, UnknownNameError, UserError
from ml_assets.home import CHECKOUT, Home, embedded_folder


@pytest.mark.parametrize("value", ["0", "-1", "two", "", "1.5", "²"])
def test_a_core_count_that_makes_no_sense_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(processes.CORES_VARIABLE, value)
    with pytest.raises(SettingError, match=f"ML_ASSETS_CORES is '{value}'"):
        processes.cores()


def test_cores_are_those_named_else_those_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(processes.CORES_VARIABLE, "3")
    assert processes.cores() == 3
    monkeypatch.delenv(processes.CORES_VARIABLE)
    assert processes.cores() == len(os.sched_getaffinity(0))


def test_thread_counts_set_elsewhere_give_way_and_the_way_of_waiting_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "GOMP_SPINCOUNT"):
        monkeypatch.setenv(name, "8")
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    processes.one_thread_each()
    assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "1"
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"


def test_two_homes_share_nothing(tmp_path: Path) -> None:
    here, there = Home(tmp_path / "a"), Home(tmp_path / "b")
    names = [n for n, v in vars(Home).items() if isinstance(v, property) and n != "tracking_uri"]
    assert len(names) > 8
    for name in names:
        assert getattr(here, name).is_relative_to(here.root)
        assert getattr(there, name).is_relative_to(there.root)


def test_the_home_is_the_one_named_else_the_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ML_ASSETS_HOME", str(tmp_path))
    assert Home.current() == Home(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ML_ASSETS_HOME", "below")
    assert Home.current().root == tmp_path / "below"
    monkeypatch.setenv("ML_ASSETS_HOME", "")
    assert Home.current().root == CHECKOUT
    assert sorted(p.suffix for p in embedded_folder().iterdir())[-1] == ".gz"


def test_the_users_mistakes_end_with_two_and_failures_with_one() -> None:
    assert (MlAssetsError.exit_code, UserError.exit_code) == (1, 2)
    assert str(UnknownNameError("dataset", "irsi", ["iris"])) == "unknown dataset 'irsi': did you mean 'iris'?"
    assert str(UnknownNameError("dataset", "x", ["b", "a"])) == "unknown dataset 'x': known: a, b"
