"""What is damaged, killed or done at once costs no version but the one whose files are gone."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest
from version_worlds import commit, edited, in_another_process

from ml_assets.datasets.versions.export import write_table
from ml_assets.datasets.versions.store import TableVersions, content_id
from ml_assets.errors import IntegrityError, StorageError, UserError
from ml_assets_tests.canonical import canonical


@pytest.fixture
def versions(tmp_path: Path) -> TableVersions:
    return TableVersions(tmp_path / "raw" / "wine_quality")


@pytest.mark.parametrize("damage", ["flipped", "cut", "removed"])
def test_damage_to_any_file_of_a_version_is_told_by_file_and_remedy(versions: TableVersions, damage: str) -> None:
    spec, table = canonical("wine_quality")
    commit(versions, table, spec)
    made = commit(versions, edited(table, share=0.01, seed=0), spec)
    files = versions.files
    for file in [files.layout(made.id), *(files.packs.path(pack) for pack in made.packs)]:
        content = file.read_bytes()
        middle = len(content) // 2
        if damage == "removed":
            file.unlink()
        else:
            rest = bytes([content[middle] ^ 1]) + content[middle + 1 :] if damage == "flipped" else b""
            file.write_bytes(content[:middle] + rest)
        with pytest.raises(IntegrityError, match=f"{file.name} .*materialize raw_table again"):
            versions.read(made)
        file.write_bytes(content)
    versions.read(made)


def test_a_record_of_other_rows_is_not_believed(versions: TableVersions) -> None:
    spec, table = canonical("wine_quality")
    first = commit(versions, table, spec)
    second = commit(versions, table[1:], spec)
    files = versions.files
    files.record(second.id).write_bytes(files.record(first.id).read_bytes())
    files.layout(second.id).write_bytes(files.layout(first.id).read_bytes())
    forged = versions.files.stored(second.id)
    assert forged is not None
    object.__setattr__(forged, "id", second.id)
    with pytest.raises(IntegrityError, match=f"{second.id}.* names rows that are not those of version 1"):
        versions.read(forged)


def test_a_damaged_record_is_told_by_name_and_costs_no_other_version(versions: TableVersions) -> None:
    spec, table = canonical("wine_quality")
    first, second = commit(versions, table, spec), commit(versions, table[1:], spec)
    file = versions.files.record(first.id)
    content = file.read_bytes()
    for broken in (content[:100], b"", b"{}", content[:-3] + b"abc"):
        file.write_bytes(broken)
        with pytest.raises(IntegrityError, match=f"{file.name} was damaged: put it back from a copy, or remove it"):
            versions.log()
    file.unlink()
    assert versions.log() == (second,)
    assert versions.read(second).equals(table[1:])


def test_committing_the_same_content_again_mends_a_damaged_version(versions: TableVersions) -> None:
    spec, table = canonical("wine_quality")
    first, second = commit(versions, table, spec), commit(versions, table[1:], spec)
    pack = versions.files.packs.path(second.packs[0])
    pack.write_bytes(b"not Parquet")
    mended = commit(versions, table[1:], spec)
    assert (mended.id, mended.number, mended.parent) == (second.id, 2, first.id)
    assert versions.read(mended).equals(table[1:])
    commit(versions, table, spec)
    assert versions.read(versions.find("1")).equals(table)


def test_a_damaged_parent_does_not_keep_the_next_version_from_being_stored(versions: TableVersions) -> None:
    spec, table = canonical("wine_quality")
    first = commit(versions, table, spec)
    versions.files.packs.path(first.packs[0]).unlink()
    second = commit(versions, table[1:], spec)
    assert versions.read(second).equals(table[1:])


def test_a_lost_pointer_makes_the_newest_version_current(versions: TableVersions) -> None:
    spec, table = canonical("wine_quality")
    commit(versions, table, spec)
    second = commit(versions, table[1:], spec)
    versions.files.current.unlink()
    assert versions.current() == second
    assert commit(versions, table[2:], spec).number == 3


@pytest.mark.parametrize("point", ["layout", "record", "pointer"])
def test_a_commit_that_is_killed_leaves_the_earlier_state_and_can_be_made_again(point: str, tmp_path: Path) -> None:
    name, folder = "wine_quality", tmp_path / "wine_quality"
    spec, table = canonical(name)
    versions = TableVersions(folder)
    first = commit(versions, table, spec)
    process = in_another_process(folder, name, f"die-at-{point}", "7")
    said = process.communicate(timeout=60)[0]
    assert process.returncode == -signal.SIGKILL, said
    assert versions.current() == first
    assert versions.read(first).equals(table)
    assert len(list((folder / "packs").glob("*.parquet"))) == 2, "it had come as far as the pack"
    other = edited(table, share=0.05, seed=7)
    second = commit(versions, other, spec)
    assert (versions.current(), second.number, second.parent) == (second, 2, first.id)
    assert versions.read(second).equals(other)
    assert len(list((folder / "packs").glob("*.parquet"))) == 2, "the pack that was left is used"


def test_processes_that_commit_at_once_take_turns(tmp_path: Path) -> None:
    name, folder = "wine_quality", tmp_path / "wine_quality"
    seeds = ("1", "2", "3"), ("3", "4", "5"), ("5", "6", "1")
    processes = [in_another_process(folder, name, *some) for some in seeds]
    for process in processes:
        said = process.communicate(timeout=120)[0]
        assert process.returncode == 0, said
    versions, table = TableVersions(folder), canonical(name)[1]
    log = versions.log()
    assert [version.number for version in log] == [1, 2, 3, 4, 5, 6]
    wanted = {content_id(edited(table, share=0.05, seed=seed)) for seed in range(1, 7)}
    assert {content_id(versions.read(version)) for version in log} == wanted
    assert versions.current() in log
    assert not [f for f in folder.rglob(".*") if f.name != ".lock"]


def test_a_full_disk_is_told_and_the_earlier_version_stays(tmp_path: Path) -> None:
    options = ["-t", "tmpfs", "-o", "size=300k", "tmpfs", str(tmp_path)]
    if (done := subprocess.run(["mount", *options], capture_output=True, text=True, check=False)).returncode:
        pytest.skip(f"no small file system can be mounted here: {done.stderr.strip()}")
    try:
        versions = TableVersions(tmp_path / "any")
        first = commit(versions, canonical("iris")[1], canonical("iris")[0])
        with pytest.raises(StorageError, match=r"the disk is full: free some space.*earlier artifacts are untouched"):
            commit(versions, canonical("california_housing")[1], canonical("california_housing")[0])
        assert versions.current() == first
        assert versions.read(first).equals(canonical("iris")[1])
        assert not list((tmp_path / "any" / "packs").glob(".*"))
        with pytest.raises(UserError, match=r"then\.parquet cannot be written \(No space left"):
            write_table(canonical("california_housing")[1], tmp_path / "then.parquet")
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def test_a_folder_that_cannot_be_written_is_told_and_nothing_changes(tmp_path: Path) -> None:
    spec, table = canonical("iris")
    (tmp_path / "raw").write_text("a file where a folder should be")
    with pytest.raises(StorageError, match="a file is where a folder should be"):
        commit(TableVersions(tmp_path / "raw" / "iris"), table, spec)
