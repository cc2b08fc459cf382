import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from ml_assets import artifacts
from ml_assets.artifacts import LOCK, POINTER, ArtifactStore, folder_sha256, write_atomically
from ml_assets.errors import IntegrityError, StorageError
from ml_assets.features.feature_set import FeatureSet
from ml_assets.features.plan import FeaturePlan

KEY = ("processed", "iris", "clean_table")


def _table(number: int = 0) -> pd.DataFrame:
    return pd.DataFrame({"a": [number, 2.5], "b": ["x", None]}, index=pd.Index(["r1", "r2"], name="row_id"))


def _versions(place: Path) -> set[str]:
    return {p.name for p in place.iterdir() if p.is_dir() and not p.name.startswith(".")}


def test_a_table_comes_back_as_it_was(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    stored = store.save(KEY, _table())
    pd.testing.assert_frame_equal(store.load(KEY), _table())
    assert stored == store.find(KEY)
    assert stored.sha256 == folder_sha256(stored.path)


def test_an_object_of_ours_comes_back_as_it_was(tmp_path: Path) -> None:
    plan = FeaturePlan(("a",), ("b",), ()).fit(_table())
    ArtifactStore(tmp_path).save(KEY, FeatureSet(plan, plan.transform(_table())))
    loaded = ArtifactStore(tmp_path).load(KEY)
    pd.testing.assert_frame_equal(loaded.table, plan.transform(_table()))
    assert loaded.plan.categories_ == {"b": ("x",)}


def test_equal_content_is_one_version_and_other_content_another(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    first, same, other = store.save(KEY, _table()), store.save(KEY, _table()), store.save(KEY, _table(1))
    assert first == same
    assert other.path != first.path
    assert _versions(tmp_path.joinpath(*KEY)) == {first.path.name, other.path.name}


def test_only_the_newest_versions_are_kept_and_the_current_one_always(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    stored = [store.save(KEY, _table(i)) for i in range(4)]
    assert _versions(tmp_path.joinpath(*KEY)) == {s.path.name for s in stored[-2:]}
    back = store.save(KEY, _table(2), keep=1)
    assert _versions(tmp_path.joinpath(*KEY)) == {back.path.name}
    for i in range(3):
        store.save(KEY, _table(10 + i), keep=None)
    assert len(_versions(tmp_path.joinpath(*KEY))) == 4


def test_what_was_never_stored_is_asked_for_by_name(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="'processed/iris/clean_table' is not there yet: materialize it first"):
        ArtifactStore(tmp_path).load(KEY)


def test_a_value_that_is_no_artifact_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="a dict is neither a table nor an artifact"):
        ArtifactStore(tmp_path).save(KEY, {"a": 1})
    assert list(tmp_path.joinpath(*KEY).iterdir()) == []


def test_changed_bytes_are_refused_and_saving_again_heals(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    stored = store.save(KEY, _table())
    file = stored.path / "table.parquet"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(IntegrityError, match=r"was changed after it was written.*materialize the asset again"):
        store.load(KEY)
    store.save(KEY, _table())
    pd.testing.assert_frame_equal(store.load(KEY), _table())


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"version": 1, "sha256": "x", "type": "y"}', "\xff"])
def test_a_broken_pointer_is_refused(tmp_path: Path, content: str) -> None:
    store = ArtifactStore(tmp_path)
    store.save(KEY, _table())
    tmp_path.joinpath(*KEY, POINTER).write_text(content, encoding="latin-1")
    with pytest.raises(IntegrityError, match="materialize the asset again"):
        store.load(KEY)


@pytest.mark.parametrize("named", ["os:system", "ml_assets.features.plan:Gone", "ml_assets.gone:FeatureSet"])
def test_a_type_that_is_not_ours_or_not_known_is_not_loaded(tmp_path: Path, named: str) -> None:
    store = ArtifactStore(tmp_path)
    store.save(KEY, _table())
    pointer = tmp_path.joinpath(*KEY, POINTER)
    pointer.write_text(json.dumps({**json.loads(pointer.read_text()), "type": named}))
    with pytest.raises(IntegrityError, match=named):
        store.load(KEY)


@dataclass(frozen=True)
class Slow:
    """Half written when it says so, and never finished."""

    def save(self, folder: Path) -> None:
        (folder / "half").write_bytes(b"half")
        (folder.parent / "writing").touch()
        time.sleep(60)

    @classmethod
    def load(cls, folder: Path) -> "Slow":
        raise NotImplementedError


def _save(root: Path, value: object) -> None:
    ArtifactStore(root).save(KEY, value)


def test_a_save_killed_half_way_leaves_the_earlier_version_and_its_rest_goes_in_time(tmp_path: Path) -> None:
    store, place = ArtifactStore(tmp_path), tmp_path.joinpath(*KEY)
    store.save(KEY, _table())
    process = multiprocessing.get_context("fork").Process(target=_save, args=(tmp_path, Slow()))
    process.start()
    while not (place / "writing").exists():
        time.sleep(0.01)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    (place / "writing").unlink()
    pd.testing.assert_frame_equal(store.load(KEY), _table())
    (rest,) = (p for p in place.iterdir() if p.name.startswith(".") and p.name != LOCK)
    store.save(KEY, _table(1))
    assert rest.exists(), "another process may still be writing it"
    os.utime(rest, (0, 0))
    store.save(KEY, _table(2))
    assert not rest.exists()
    assert {p.name for p in place.iterdir() if not p.is_dir()} == {POINTER, LOCK}


def _save_many(root: Path, numbers: range) -> None:
    for number in numbers:
        ArtifactStore(root).save(KEY, _table(number))
        ArtifactStore(root).load(KEY)


def test_processes_that_save_the_same_key_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=_save_many, args=(tmp_path, range(i % 2, 20))) for i in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [p.exitcode for p in processes] == [0] * 4
    pd.testing.assert_frame_equal(ArtifactStore(tmp_path).load(KEY), _table(19))


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """An empty file system of half a megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = [shutil.which("mount") or "false", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_an_error_with_a_remedy_and_the_earlier_version_stays(small_disk: Path) -> None:
    store = ArtifactStore(small_disk)
    store.save(KEY, _table())
    big = pd.DataFrame({"a": pd.util.hash_array(pd.RangeIndex(200_000).to_numpy())})
    with pytest.raises(StorageError, match=r"the disk is full: free some space.*earlier artifacts are untouched"):
        store.save(KEY, big)
    pd.testing.assert_frame_equal(store.load(KEY), _table())
    store.save(KEY, _table(1))


def test_a_read_only_home_is_an_error_with_a_remedy_and_can_still_be_read(small_disk: Path) -> None:
    store = ArtifactStore(small_disk)
    store.save(KEY, _table())
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StorageError, match="read-only: set ML_ASSETS_HOME"):
        store.save(KEY, _table(1))
    with pytest.raises(StorageError, match="read-only"):
        write_atomically(small_disk / "file", b"")
    pd.testing.assert_frame_equal(store.load(KEY), _table())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="no permission to write"):
        ArtifactStore(tmp_path).save(KEY, _table())


def test_a_file_where_the_home_should_be_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(StorageError, match="a file is where a folder should be"):
        ArtifactStore(tmp_path / "home").save(KEY, _table())


def test_an_error_without_a_remedy_is_left_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), artifacts.storage_errors(tmp_path):
        (tmp_path / "gone").read_bytes()
