"""What may lie in incoming: tables of every format, files that are none, and things that are no files at all."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import openpyxl
import polars as pl
import pytest

from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.incoming.batches import batches
from ml_assets.home import Home
from ml_assets.validation.entries import entries, find_entry
from ml_assets_tests.intake_world import IRIS_HEADER, accepted_rows, hand_in, iris_rows, leftovers, take

IRIS = load_contract("iris")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def parquet(text: str) -> bytes:
    sink = io.BytesIO()
    pl.read_csv(text.encode()).write_parquet(sink)
    return sink.getvalue()


def workbook(text: str) -> bytes:
    book, sink = openpyxl.Workbook(), io.BytesIO()
    assert book.active is not None
    for number, line in enumerate(text.splitlines()):
        cells = line.split(",")
        book.active.append(cells if not number else [*map(float, cells[:4]), cells[4]])
    book.save(sink)
    return sink.getvalue()


def zipped(text: str) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.csv", text)
    return sink.getvalue()


FORMATS: dict[str, Callable[[str], bytes]] = {
    "a.csv": str.encode,
    "a.CSV": lambda text: text.replace(",", ";").encode("utf-16"),
    "a.tsv": lambda text: text.replace(",", "\t").encode(),
    "a.txt": lambda text: text.replace(",", "|").replace("\n", "\r\n").encode("utf-8-sig"),
    "a.csv.gz": lambda text: gzip.compress(text.encode()),
    "a.csv.bz2": lambda text: bz2.compress(text.encode()),
    "a.zip": zipped,
    "a.parquet": parquet,
    "a.jsonl": lambda text: pl.read_csv(text.encode()).write_ndjson().encode(),
    "a.xlsx": workbook,
}


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_flowers_are_read_from_files_of_any_kind(name: str, home: Home) -> None:
    hand_in(IRIS, home, name, FORMATS[name](iris_rows(20)))
    (report,) = take(IRIS, home).files
    assert report.outcome == "accepted", report.message
    (rows,) = batches(IRIS, home).values()
    assert rows["species"].to_list() == ["Iris-setosa"] * 20
    assert rows["sepal_length"].to_list() == [5 + at % 10 / 10 for at in range(20)]


BROKEN: dict[str, tuple[bytes, str]] = {
    "empty.csv": (b"", "empty"),
    "header.csv": (f"{IRIS_HEADER}\n".encode(), "no rows"),
    "other.csv": (b"a,b\n1,2\n", "'sepal_length' is missing"),
    "typo.csv": (iris_rows(3, header=IRIS_HEADER.replace("petal_width", "petal_widht")).encode(), "petal_widht"),
    "extra.csv": (iris_rows(3).replace("species\n", "species,x\n").replace("setosa\n", "setosa,1\n").encode(), "'x'"),
    "picture.png": (b"\x89PNG\r\n", "does not end like a table"),
    "torn.csv.gz": (gzip.compress(iris_rows(9).encode())[:40], "gzip"),
    "torn.parquet": (b"PAR1 and nothing", "Parquet"),
    "bomb.csv.gz": (gzip.compress(b"0" * (200 << 20), 9), "unpacks to more than"),
    "two\nlines.csv": (iris_rows(3).encode(), "characters that no file name should have"),
    "a\\..\\evil.csv": (iris_rows(3).encode(), "characters that no file name should have"),
    "\u202egnp.csv": (iris_rows(3).encode(), "characters that no file name should have"),
}


@pytest.mark.parametrize("name", BROKEN, ids=ascii)
def test_file_that_is_no_such_table_is_kept_whole_and_told(name: str, home: Home) -> None:
    content, told = BROKEN[name]
    hand_in(IRIS, home, name, content)
    hand_in(IRIS, home, "zz good.csv", iris_rows(5))
    report = take(IRIS, home)
    (refused,), (good,) = report.of("refused"), report.of("accepted")
    assert good.accepted == 5, "the rest goes on"
    assert told in refused.message
    (entry,) = entries(home)
    assert entry.original is not None
    assert entry.original.read_bytes() == content
    assert entry.original.name.isprintable()
    assert told in str(entry.reason["summary"])
    assert all(line.isprintable() for line in (entry.folder / "reason.txt").read_text().splitlines())
    assert leftovers(home, "iris") == []


def test_what_is_no_file_is_moved_itself_and_never_followed(home: Home, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text(iris_rows(3))
    folder = hand_in(IRIS, home, "good.csv", iris_rows(5, start=9)).parent
    (folder / "link.csv").symlink_to(secret)
    (folder / "dangling.csv").symlink_to("/nowhere/at all")
    (folder / "nest.csv").mkdir()
    (folder / "nest.csv" / "inner.csv").write_text("kept")
    os.mkfifo(folder / "pipe.csv")
    report = take(IRIS, home)
    assert len(report.of("refused")) == 4
    assert len(report.of("accepted")) == 1
    assert list(folder.iterdir()) == []
    found = {entry.reason["file"]: entry for entry in entries(home)}
    assert os.readlink(found["link.csv"].folder / "original" / "link.csv") == str(secret)  # noqa: PTH115
    assert os.readlink(found["dangling.csv"].folder / "original" / "dangling.csv") == "/nowhere/at all"  # noqa: PTH115
    assert (found["nest.csv"].folder / "original" / "nest.csv" / "inner.csv").read_text() == "kept"
    assert (found["pipe.csv"].folder / "original" / "pipe.csv").is_fifo()
    assert secret.read_text() == iris_rows(3)
    assert accepted_rows(IRIS, home) == 5


@pytest.fixture
def other_disk(home: Home) -> Iterator[Path]:
    """Incoming on another file system than the rest of the home."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as place:
        home.data.mkdir(parents=True)
        if Path(place).stat().st_dev == home.data.stat().st_dev:
            pytest.skip("there is one file system only")
        home.incoming.symlink_to(place)
        yield Path(place)


def test_incoming_may_lie_on_another_disk(other_disk: Path, home: Home) -> None:
    folder = hand_in(IRIS, home, "good.csv", iris_rows(5)).parent
    hand_in(IRIS, home, "bad.csv", "nonsense")
    (folder / "link.csv").symlink_to("/nowhere")
    (folder / "nest").mkdir()
    (folder / "nest" / "inner.csv").write_text("kept")
    os.mkfifo(folder / "pipe")
    report = take(IRIS, home)
    assert accepted_rows(IRIS, home) == 5
    assert {entry.reason["file"] for entry in entries(home)} == {"bad.csv", "link.csv", "nest"}
    nest = find_entry(home, "nest").original
    assert nest is not None
    assert (nest / "inner.csv").read_text() == "kept"
    (pipe,) = report.of("left")
    assert (pipe.file, [path.name for path in folder.iterdir()]) == ("pipe", ["pipe"])
    assert "cannot be moved" in pipe.message
    assert leftovers(home, "iris") == []
