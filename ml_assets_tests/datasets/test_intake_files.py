"""Files in incoming as the operating system has them: what is seen, what is still written, what is never followed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.incoming.arrivals import (
    CLAIMED,
    NotTaken,
    Unreadable,
    claim,
    give_back,
    handed_in,
    incoming_folder,
    open_for_writing,
    pending_files,
    seconds_to_settle,
)
from ml_assets.home import Home
from ml_assets_tests.intake_world import written

IRIS = load_contract("iris")
RESTLESS = """
import sys, time
print("writing", flush=True)
end = time.monotonic() + 1
while time.monotonic() < end:
    open(sys.argv[1], "ab").close()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = incoming_folder(IRIS, Home(tmp_path))
    place.mkdir(parents=True)
    return place


def names(home: Path) -> list[str]:
    return [path.name for path in pending_files(IRIS, Home(home))]


def test_hidden_and_unfinished_names_are_nobodys(folder: Path, tmp_path: Path) -> None:
    assert pending_files(load_contract("wine_quality"), Home(tmp_path)) == ()
    for name in (".a.csv", "~a.csv", "#a.csv", "a.csv.part", "a.tmp", "a.csv.CRDOWNLOAD", ".a.csv.swp", "a.swp"):
        (folder / name).write_text("x")
    for name in ("b.csv", "a b.csv", "a.png", "part.csv"):
        (folder / name).write_text("x")
    assert names(tmp_path) == ["a b.csv", "a.png", "b.csv", "part.csv"]


def test_file_that_a_killed_process_had_claimed_is_seen_before_a_new_one_of_its_name(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "a.csv").write_text("old")
    claimed = claim(folder / "a.csv")
    assert claimed == folder / CLAIMED / "a.csv"
    (folder / "a.csv").write_text("new")
    assert [path.read_text() for path in pending_files(IRIS, Home(tmp_path))] == ["old", "new"]
    assert claim(folder / "a.csv") is None, "a claimed file is never written over"
    assert claim(claimed) == claimed
    give_back(claimed)
    assert claimed.read_text() == "old", "nor is a new one"
    (folder / "a.csv").unlink()
    give_back(claimed)
    assert [path.read_text() for path in pending_files(IRIS, Home(tmp_path))] == ["old"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who writes")
def test_file_that_a_process_has_open_for_writing_is_not_taken_however_old_it_is(folder: Path) -> None:
    file = folder / "a.csv"
    file.write_text("first\n")
    os.utime(file, (1, 1))
    with written(file, "more\n"), pytest.raises(NotTaken, match="still open for writing"), handed_in(file):
        pass
    with handed_in(file) as read:
        assert read.content == b"first\nmore\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who writes")
def test_writer_that_comes_while_a_file_is_judged_is_noticed(folder: Path) -> None:
    file = folder / "a.csv"
    file.write_text("first\n")
    with handed_in(file) as read:
        assert read.unchanged(file)
        with written(file, "more\n"):
            assert not read.unchanged(file)
        assert not read.unchanged(file)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who writes")
def test_writers_that_come_in_the_very_moment_do_not_end_the_process_that_looks(folder: Path) -> None:
    file = folder / "a.csv"
    file.write_text("first\n")
    descriptor = os.open(file, os.O_RDONLY)
    command = [sys.executable, "-c", RESTLESS, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        seen = set()
        while writer.poll() is None:
            seen.add(open_for_writing(descriptor, file))
    os.close(descriptor)
    assert seen == {True, False}


def test_another_file_under_the_same_name_is_not_the_one_that_was_read(folder: Path) -> None:
    file = folder / "a.csv"
    file.write_text("first\n")
    changed = file.stat().st_mtime
    with handed_in(file) as read:
        (folder / "b").write_text("other\n")
        os.utime(folder / "b", (changed, changed))
        (folder / "b").replace(file)
        assert not read.unchanged(file)
        file.unlink()
        assert not read.unchanged(file)
    with pytest.raises(NotTaken, match="taken away"), handed_in(file):
        pass


def test_what_is_no_file_is_neither_followed_nor_waited_for(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("secret")
    (folder / "link.csv").symlink_to(secret)
    (folder / "dangling.csv").symlink_to(tmp_path / "nothing")
    (folder / "folder.csv").mkdir()
    os.mkfifo(folder / "pipe.csv")
    for name, kind in (("link", "link"), ("dangling", "link"), ("folder", "folder"), ("pipe", "named pipe")):
        with pytest.raises(Unreadable, match=kind), handed_in(folder / f"{name}.csv"):
            pass


def test_settling_counts_from_the_last_change_and_forgives_a_clock_that_is_ahead(folder: Path) -> None:
    file = folder / "a.csv"
    file.write_text("x")
    os.utime(file, (1000, 1000))
    assert seconds_to_settle(file, now=1000.5, settle_seconds=2) == 1.5
    assert seconds_to_settle(file, now=999.0, settle_seconds=2) > 0
    assert seconds_to_settle(file, now=1002.0, settle_seconds=2) == 0
    assert seconds_to_settle(file, now=900.0, settle_seconds=2) == 0
    assert seconds_to_settle(folder / "gone.csv", now=time.time(), settle_seconds=2) == 0
