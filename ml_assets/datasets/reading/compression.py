"""Compressed bytes to plain ones, a block at a time and never more than a bomb's worth. What they mean: `formats`.

The first bytes tell how something is compressed; a file's name counts for nothing.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, Final, Literal

import pyarrow as pa

from ml_assets.errors import SourceError

Compression = Literal["gzip", "bz2", "xz", "zstd", "zip"]

MAX_PLAIN_BYTES: Final = 2 << 30
HARMLESS_BYTES: Final = 128 << 20
LARGEST_RATIO: Final = 250
"""What tables grow to on unpacking, several times over; text that compresses better than this is made to."""
DICTIONARY_BYTES: Final = 256 << 20
BLOCK_BYTES: Final = 1 << 20
WORKBOOK_MEMBER: Final = "[Content_Types].xml"

_MAGIC: Final[tuple[tuple[Compression, re.Pattern[bytes]], ...]] = (
    ("gzip", re.compile(rb"\x1f\x8b")),
    ("bz2", re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)")),
    ("xz", re.compile(rb"\xfd7zXZ\x00")),
    ("zstd", re.compile(rb"\x28\xb5\x2f\xfd")),
    ("zip", re.compile(rb"PK(\x03\x04|\x05\x06|\x07\x08)")),
)


def allowance(packed: int) -> int:
    """How many bytes `packed` bytes may become: 250 times as many, at least 128 MiB and at most 2 GiB."""
    return min(MAX_PLAIN_BYTES, max(HARMLESS_BYTES, LARGEST_RATIO * packed))


def compression_of(content: bytes) -> Compression | None:
    """How `content` is compressed, by its first bytes; None for plain bytes, which a workbook counts as."""
    for kind, magic in _MAGIC:
        if magic.match(content):
            return None if kind == "zip" and is_workbook(content) else kind
    return None


def is_workbook(content: bytes) -> bool:
    """Whether `content` is the zip archive that an Excel file is."""
    if not content.startswith(b"PK\x03\x04"):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return WORKBOOK_MEMBER in archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        return False


def plain_bytes(content: bytes, *, origin: str) -> bytes:
    """`content` itself where it is not compressed, else what it unpacks to.

    Raises:
        SourceError: cut short, damaged, larger than `allowance`, or a zip archive of anything but one file.
    """
    kind = compression_of(content)
    return content if kind is None else b"".join(_blocks(content, kind, origin))


def _blocks(content: bytes, kind: Compression, origin: str) -> Iterator[bytes]:
    limit, seen = allowance(len(content)), 0
    try:
        for block in _READERS[kind](content, origin):
            seen += len(block)
            if seen > limit:
                raise SourceError(
                    f"{origin} unpacks to more than {limit >> 20} MiB from {len(content)} bytes: hand in smaller files"
                )
            yield block
    except (OSError, EOFError, ValueError, NotImplementedError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as e:
        raise SourceError(f"{origin} is no intact {kind} file ({e}): pack it again") from e


def _read(stream: IO[bytes] | io.BufferedIOBase) -> Iterator[bytes]:
    while block := stream.read(BLOCK_BYTES):
        yield block


def _gzip(content: bytes, _: str) -> Iterator[bytes]:
    return _read(gzip.GzipFile(fileobj=io.BytesIO(content)))


def _bz2(content: bytes, _: str) -> Iterator[bytes]:
    return _read(bz2.BZ2File(io.BytesIO(content)))


def _zstd(content: bytes, _: str) -> Iterator[bytes]:
    return _read(pa.CompressedInputStream(pa.BufferReader(content), "zstd"))


def _xz(content: bytes, _: str) -> Iterator[bytes]:
    """By hand, as the module's own file object lets a file ask for gigabytes of dictionary."""
    while content:
        unpack = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=DICTIONARY_BYTES)
        block = unpack.decompress(content, BLOCK_BYTES)
        while not unpack.eof:
            if not block and unpack.needs_input:
                raise EOFError("it was cut short")
            yield block
            block = unpack.decompress(b"", BLOCK_BYTES)
        yield block
        content = unpack.unused_data.lstrip(b"\0")


def _zip(content: bytes, origin: str) -> Iterator[bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        if len(members) != 1:
            raise SourceError(f"{origin} is a zip archive of {len(members)} members: put one file into it")
        name = members[0].filename
        if members[0].is_dir() or re.search(r"[/\\:]|^\.\.?$", name):
            raise SourceError(f"{origin} is a zip archive with the path {name[:100]!r} in it: put one file at its top")
        if members[0].flag_bits & 0x1:
            raise SourceError(f"{origin} is encrypted: save it without a password")
        with archive.open(members[0]) as stream:
            yield from _read(stream)


_READERS: Final[dict[Compression, Callable[[bytes, str], Iterator[Any]]]] = {
    "gzip": _gzip,
    "bz2": _bz2,
    "xz": _xz,
    "zstd": _zstd,
    "zip": _zip,
}
