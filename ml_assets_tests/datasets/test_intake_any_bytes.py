"""Whatever bytes are handed in, they are accepted, refused or left, and every row is where the report says."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.incoming.batches import batch_records, batches, batches_folder
from ml_assets.datasets.incoming.intake import IntakeReport, pending_files
from ml_assets.home import Home
from ml_assets.validation.entries import entries
from ml_assets_tests.intake_world import IRIS_HEADER, hand_in, iris_rows, leftovers, take

IRIS = load_contract("iris")
UNHURRIED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

endings = st.sampled_from([".csv", ".txt", ".tsv", ".csv.gz", ".parquet", ".jsonl", ".xlsx", ".zip", ".zst", ".xz", ""])
stems = st.text(min_size=1, max_size=20).filter(lambda s: "/" not in s and "\0" not in s and s[0] not in ".~#")
names = st.builds(lambda stem, ending: stem.encode("utf-8", "replace").decode() + ending, stems, endings)

cells = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True).map(str),
    st.sampled_from(["", "5.1", "NA", "Iris-setosa", "Iris-virginica", "=1+1", "-1", "1e999", "٣", "x" * 200, "5,1"]),
    st.text(
        st.characters(exclude_characters='\r\n"\v\f\x1c\x1d\x1e\x85\u2028\u2029', exclude_categories=["Cs"]), max_size=8
    ),
)
good_row = st.just("5.1,3.5,1.4,0.2,Iris-setosa")
any_row = st.lists(cells, min_size=1, max_size=6).map(",".join).filter(lambda line: line.strip())
tables = st.lists(st.one_of(good_row, good_row, good_row, any_row), min_size=1, max_size=12)
valid = iris_rows(6).encode()
mutated = st.builds(
    lambda at, cut, put: valid[:at] + put + valid[at + cut :],
    st.integers(0, len(valid)),
    st.integers(0, 40),
    st.binary(max_size=12),
)


@contextmanager
def taken(name: str, content: bytes) -> Iterator[tuple[Home, IntakeReport]]:
    with tempfile.TemporaryDirectory() as place:
        home = Home(Path(place))
        hand_in(IRIS, home, name, content)
        yield home, take(IRIS, home)


def assert_nothing_is_lost(home: Home, report: IntakeReport, content: bytes) -> None:
    (file,) = report.files
    assert file.outcome in ("accepted", "refused")
    assert pending_files(IRIS, home) == ()
    assert leftovers(home, "iris") == []
    there = entries(home)
    if file.outcome == "refused":
        (entry,) = there
        assert entry.original is not None
        assert entry.original.read_bytes() == content
        assert entry.reason["summary"]
        assert batches(IRIS, home) == {}
        return
    (record,) = batch_records(IRIS, home)
    (rows,) = batches(IRIS, home).values()
    assert record.rows == record.accepted + record.refused
    assert rows.height == record.accepted == file.accepted > 0
    assert sum(int(entry.reason["refused"]) for entry in there) == record.refused == file.refused
    (original,) = (batches_folder(IRIS, home) / f"000001-{record.id}" / "original").iterdir()
    kept = original.read_bytes()
    assert content in (kept, gzip.decompress(kept) if kept.startswith(b"\x1f\x8b") else b"")


@UNHURRIED
@given(names, st.binary(max_size=300))
def test_any_bytes_under_any_name_are_refused_or_taken_and_kept(name: str, content: bytes) -> None:
    with taken(name, content) as (home, report):
        assert_nothing_is_lost(home, report, content)


@UNHURRIED
@given(mutated)
def test_a_damaged_file_is_refused_or_taken_and_kept(content: bytes) -> None:
    with taken("a.csv", content) as (home, report):
        assert_nothing_is_lost(home, report, content)


@UNHURRIED
@given(tables)
@example(["5.1,3.5,1.4,0.2,Iris-setosa"] * 9 + ["5.1,3.5"])
def test_rows_handed_in_are_those_accepted_and_those_refused(lines: list[str]) -> None:
    content = "\n".join([IRIS_HEADER, *lines, ""]).encode()
    with taken("a.csv", content) as (home, report):
        assert_nothing_is_lost(home, report, content)
        for record in batch_records(IRIS, home):
            assert record.rows == len(lines)
            kept = [len((entry.folder / "rows.csv").read_text().splitlines()) - 1 for entry in entries(home)]
            assert sum(kept) == record.refused
