"""Compressed bytes, told by what they begin with, and unpacked no further than is sane."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tracemalloc
import zipfile

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_assets.datasets.reading.compression import HARMLESS_BYTES, compression_of, plain_bytes
from ml_assets.errors import SourceError

PLAIN = b"a,b\n1,2\n" * 50_000


def zipped(*names: str, content: bytes = PLAIN) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, content)
    return packed.getvalue()


PACKED = {
    "gzip": gzip.compress(PLAIN),
    "bz2": bz2.compress(PLAIN),
    "xz": lzma.compress(PLAIN),
    "zstd": pa.compress(PLAIN, codec="zstd", asbytes=True),
    "zip": zipped("table.csv"),
}


@pytest.mark.parametrize("kind", PACKED)
def test_every_kind_is_told_by_its_first_bytes_and_unpacked(kind: str) -> None:
    assert compression_of(PACKED[kind]) == kind
    assert plain_bytes(PACKED[kind], origin="x") == PLAIN


@pytest.mark.parametrize("kind", ["gzip", "bz2", "xz", "zstd"])
def test_packed_parts_one_after_another_are_one_file(kind: str) -> None:
    assert plain_bytes(PACKED[kind] * 2, origin="x") == PLAIN * 2


def test_plain_bytes_are_left_alone() -> None:
    assert plain_bytes(PLAIN, origin="x") is PLAIN
    assert compression_of(b"BZh1,name\n") is None


@pytest.mark.parametrize("kind", PACKED)
def test_a_file_cut_short_is_refused(kind: str) -> None:
    with pytest.raises(SourceError, match=rf"x is no intact {kind} file \(.+\): pack it again"):
        plain_bytes(PACKED[kind][: len(PACKED[kind]) // 2], origin="x")


BOMB = bytes(HARMLESS_BYTES + 1)


@pytest.mark.parametrize(
    "bomb",
    [
        bz2.compress(BOMB),
        lzma.compress(BOMB, preset=0),
        zipped("a.csv", content=BOMB),
        pa.compress(BOMB, codec="zstd", asbytes=True),
    ],
    ids=["bz2", "xz", "zip", "zstd"],
)
def test_unpacking_stops_where_a_table_would(bomb: bytes) -> None:
    assert len(bomb) < 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(SourceError, match="unpacks to more than 128 MiB from"):
            plain_bytes(bomb, origin="x")
        assert tracemalloc.get_traced_memory()[1] < 2.5 * HARMLESS_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ((), "of 0 members"),
        (("a.csv", "b.csv"), "of 2 members: put one file into it"),
        (("../a.csv",), r"with the path '\.\./a\.csv' in it: put one file at its top"),
        (("/etc/passwd",), "with the path"),
        (("folder/a.csv",), "with the path"),
        (("folder/",), "with the path"),
        (("C:a.csv",), "with the path"),
        (("..",), "with the path"),
    ],
)
def test_an_archive_of_anything_but_one_file_is_refused(names: tuple[str, ...], reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        plain_bytes(zipped(*names, content=b"x"), origin="x")


def test_an_encrypted_archive_is_refused() -> None:
    locked = bytearray(zipped("a.csv"))
    locked[6] |= 1
    locked[locked.rindex(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(SourceError, match="is encrypted: save it without a password"):
        plain_bytes(bytes(locked), origin="x")


@settings(max_examples=100, deadline=None)
@given(kind=st.sampled_from(sorted(PACKED)), at=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_a_damaged_file_is_refused_or_still_whole(kind: str, at: float, byte: int) -> None:
    damaged = bytearray(PACKED[kind])
    damaged[int(at * len(damaged))] = byte
    try:
        found = plain_bytes(bytes(damaged), origin="x")
    except SourceError:
        return
    assert found in (PLAIN, bytes(damaged)) or kind == "zstd", "zstd alone has no checksum here"
