"""Which files are read at all: links, folders, pipes, devices, places outside."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from ml_assets.datasets.reading import files
from ml_assets.datasets.reading.files import below_home, file_sha256, read_file
from ml_assets.errors import SourceError


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "inside" / "table.csv"
    path.parent.mkdir()
    path.write_bytes(b"a,b\n1,2\n")
    return path


def test_a_plain_file_is_read_and_hashed(table: Path) -> None:
    assert read_file(table) == read_file(table, within=table.parent) == b"a,b\n1,2\n"
    assert file_sha256(table) == hashlib.sha256(b"a,b\n1,2\n").hexdigest()


def test_a_link_is_followed_for_its_owner_and_refused_in_a_folder_that_others_write(
    table: Path, tmp_path: Path
) -> None:
    link = table.parent / "link.csv"
    link.symlink_to(table)
    assert read_file(link) == b"a,b\n1,2\n"
    with pytest.raises(SourceError, match="is a symbolic link, and its target could be anything"):
        read_file(link, within=table.parent)
    (tmp_path / "way").symlink_to(table.parent)
    (tmp_path / "other").mkdir()
    with pytest.raises(SourceError, match=r"lies outside of .*other: copy the file into that folder"):
        read_file(tmp_path / "way" / "table.csv", within=tmp_path / "other")


def test_a_path_that_climbs_out_of_the_folder_is_refused(table: Path) -> None:
    (table.parent / "deep").mkdir()
    with pytest.raises(SourceError, match="lies outside"):
        read_file(table.parent / "deep" / ".." / "table.csv", within=table.parent / "deep")


def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path, "a folder"), (tmp_path / "pipe", "a pipe"), (Path("/dev/zero"), "a device")):
        with pytest.raises(SourceError, match=f"is {kind}, and a file with a table is needed"):
            read_file(path)
    with pytest.raises(SourceError, match="does not exist: check the path"):
        read_file(tmp_path / "nowhere")
    for odd in ("zero\0byte", "x" * 5000):
        with pytest.raises(SourceError, match="cannot be read"):
            read_file(tmp_path / odd)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 1 << 20)
    os.truncate(table, (1 << 20) + 1)
    with pytest.raises(SourceError, match="has more than 1 MiB: split it into several files"):
        read_file(table)


def test_paths_of_contracts_lie_below_the_home_or_are_absolute(tmp_path: Path) -> None:
    assert below_home("data/own.csv", tmp_path) == tmp_path / "data" / "own.csv"
    assert below_home("/data/own.csv", tmp_path) == below_home("/data/own.csv", None) == Path("/data/own.csv")
    for path in ("../own.csv", "data/../../own.csv"):
        with pytest.raises(SourceError, match=r"leads out of the home .*: give an absolute path"):
            below_home(path, tmp_path)
    with pytest.raises(SourceError, match="there is none here: give an absolute path"):
        below_home("own.csv", None)
