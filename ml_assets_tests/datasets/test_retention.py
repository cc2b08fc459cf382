from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from version_worlds import DAY, commit, edited, in_another_process, on_disk

from ml_assets.artifacts import ArtifactStore
from ml_assets.datasets.versions.retention import Retention, collect_models, collect_versions
from ml_assets.datasets.versions.store import TableVersions
from ml_assets.errors import IntegrityError, SettingError
from ml_assets_tests.canonical import canonical

NOW = 1000 * DAY


def _clean_hash(number: int) -> str:
    return f"{number:064x}"


def _history(folder: Path, count: int) -> tuple[TableVersions, list[pl.DataFrame]]:
    """A history of iris, a version a day until now; the clean table of version n has the hash of that number."""
    spec, table = canonical("iris")
    versions, tables = TableVersions(folder / "iris"), []
    for number in range(1, count + 1):
        table = edited(table, share=0.05, seed=number)
        tables.append(table)
        made = commit(versions, table, spec, at=NOW - (count - number) * DAY)
        versions.derive(_clean_hash(number), made.id)
    return versions, tables


@settings(deadline=None, max_examples=20)
@given(st.data())
def test_what_is_needed_current_held_or_new_is_never_removed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    count = data.draw(st.integers(1, 7))
    versions, tables = _history(tmp_path_factory.mktemp("gc"), count)
    numbers = st.integers(1, count)
    rule = Retention(data.draw(st.integers(1, count)), data.draw(st.none() | st.floats(0, count)))
    by_clean_table, by_id = data.draw(st.sets(numbers)), data.draw(st.sets(numbers))
    held, current = data.draw(st.none() | numbers), data.draw(numbers)
    log = versions.log()
    versions.pin(log[held - 1] if held else None)
    commit(versions, tables[current - 1], canonical("iris")[0])
    needed = {_clean_hash(number) for number in by_clean_table} | {log[number - 1].id for number in by_id}
    before = on_disk(versions.folder)

    told = collect_versions(versions, rule, needed=needed, now=NOW, dry_run=True)
    assert on_disk(versions.folder) == before
    assert versions.log() == log
    done = collect_versions(versions, rule, needed=needed, now=NOW)

    assert done == told
    assert before - on_disk(versions.folder) == done.bytes
    young = {
        v.number for v in log if rule.older_than_days is not None and NOW - v.created_at <= rule.older_than_days * DAY
    }
    newest = set(range(count - rule.keep + 1, count + 1))
    stays = by_clean_table | by_id | {current} | ({held} if held else set()) | newest | young
    assert {v.number for v in versions.log()} == stays & set(range(1, count + 1))
    assert {v.number for v in done.versions} == set(range(1, count + 1)) - stays
    for version in versions.log():
        assert versions.read(version).equals(tables[version.number - 1])
        assert versions.origin_of(_clean_hash(version.number)) == version
    packs = {versions.files.packs.path(pack) for version in versions.log() for pack in version.packs}
    assert set((versions.folder / "packs").iterdir()) == packs
    current_version = versions.current()
    assert current_version is not None
    assert current_version.number == current
    again = collect_versions(versions, rule, needed=needed, now=NOW)
    assert (again.versions, again.bytes) == ((), 0)


def test_numbers_are_not_given_twice_after_versions_are_gone(tmp_path: Path) -> None:
    versions, tables = _history(tmp_path, 3)
    spec = canonical("iris")[0]
    commit(versions, tables[0], spec)
    gone = collect_versions(versions, Retention(1), needed=set(), now=NOW)
    assert [v.number for v in gone.versions] == [2]
    collect_versions(versions, Retention(1), needed=set(), now=NOW)
    assert commit(versions, tables[1], spec).number == 4


def test_what_a_killed_commit_left_goes_too(tmp_path: Path) -> None:
    versions, _ = _history(tmp_path, 1)
    before = on_disk(versions.folder)
    process = in_another_process(versions.folder, "iris", "die-at-record", "7")
    process.communicate(timeout=60)
    aside = versions.files.packs.folder / ".123-abc"
    aside.write_bytes(b"half a pack")
    os.utime(aside, (0, 0))
    young = versions.files.packs.folder / ".124-abc"
    young.write_bytes(b"being written")
    freed = collect_versions(versions, Retention(), needed=set(), now=young.stat().st_mtime)
    assert freed.versions == ()
    assert freed.bytes > 1000
    assert on_disk(versions.folder) == before + young.stat().st_size
    assert young.exists()
    assert not aside.exists()


def test_nothing_goes_while_a_record_is_damaged(tmp_path: Path) -> None:
    versions, _ = _history(tmp_path, 4)
    versions.files.record(versions.find("3").id).write_bytes(b"")
    before = on_disk(versions.folder)
    with pytest.raises(IntegrityError, match="was damaged"):
        collect_versions(versions, Retention(1), needed=set(), now=NOW)
    assert on_disk(versions.folder) == before


def test_a_dataset_without_versions_has_nothing_to_free(tmp_path: Path) -> None:
    assert collect_versions(TableVersions(tmp_path / "none"), Retention(), needed=set(), now=NOW).bytes == 0
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(("keep", "days"), [(0, None), (-1, None), (1, -1.0), (1, float("nan"))])
def test_a_rule_that_keeps_nothing_is_refused(keep: int, days: float | None) -> None:
    with pytest.raises(SettingError, match="give"):
        Retention(keep, days)


def test_models_go_that_are_neither_current_nor_needed_nor_new(tmp_path: Path) -> None:
    store, key = ArtifactStore(tmp_path), ("models", "iris", "model")
    stored = [store.save((*key, "svm"), canonical("iris")[1][:n].to_pandas(), keep=None).path for n in range(1, 6)]
    for path in stored[:-1]:
        os.utime(path, (NOW - DAY, NOW - DAY))
    os.utime(stored[1], (NOW - 60, NOW - 60))
    killed = stored[0].with_name(".999-killed")
    killed.mkdir()
    (killed / "half").write_bytes(b"1234")
    os.utime(killed, (NOW - DAY, NOW - DAY))
    before = on_disk(tmp_path)
    told = collect_models(store, key, needed={stored[2]}, now=NOW, dry_run=True)
    assert on_disk(tmp_path) == before
    assert set(told.models) == {stored[0], stored[3], killed}
    assert collect_models(store, key, needed={stored[2]}, now=NOW) == told
    assert before - on_disk(tmp_path) == told.bytes
    assert [path.exists() for path in stored] == [False, True, True, False, True]
    assert len(store.load((*key, "svm"))) == 5
    assert collect_models(store, ("models", "none", "model"), needed=set(), now=NOW).models == ()
