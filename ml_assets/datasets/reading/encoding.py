"""Bytes of a text file to UTF-8: the encoding that is named, or the one that explains them best.

Where lines and cells end belongs in `dialect` and `delimited`.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

import charset_normalizer
import pyarrow as pa

from ml_assets.errors import SourceError

SAMPLE_BYTES: Final = 64 << 10
BLOCK_BYTES: Final = 16 << 20
UTF8: Final = "utf-8"
LAST_RESORT: Final = "latin-1"

_MARKS: Final = (
    (codecs.BOM_UTF8, UTF8),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LATIN: Final = ("cp1252", "cp1250", "cp1257", "iso8859_2")
_FOREIGN_LINE: Final = re.compile(rb"[^\n]*[\x80-\xff][^\n]*\n?")
_AFTER_LETTER: Final = frozenset("²³°®™")
_BEFORE_LETTER: Final = frozenset("°µ§©€£¿¡«“‘„‚")
_RUN: Final = 3
_DOUBTFUL: Final = 0.2


def detected_encoding(content: bytes) -> str:
    """Python's name of the encoding of `content`: its byte-order mark's, UTF-8 where it is, else the likeliest.

    Short texts of one-byte encodings cannot be told for sure: the first of them in which letters make words is taken.
    """
    for mark, name in _MARKS:
        if content.startswith(mark):
            return name
    if (wide := _wide(content[:SAMPLE_BYTES])) is not None:
        return wide
    if _is_utf8(content):
        return UTF8
    sample = _foreign_lines(content)
    for name in _likeliest(sample):
        if _decodes(content, name):
            return name
    return LAST_RESORT


def utf8_body(content: bytes, encoding: str, *, origin: str) -> bytes:
    """`content` as UTF-8 without a byte-order mark, known to be text with something in it.

    Raises:
        SourceError: empty, not in that encoding, or not text; names the position of the first wrong byte.
    """
    name = _codec(encoding, origin)
    if name == UTF8:
        body = content.removeprefix(codecs.BOM_UTF8)
        if not _is_utf8(body):
            raise _undecodable(content, UTF8, origin)
    else:
        body = _recoded(content, name, origin).removeprefix(codecs.BOM_UTF8)
    if (at := body.find(b"\0")) >= 0:
        line = body.count(b"\n", 0, at) + 1
        raise SourceError(
            f"{origin}: line {line} has a zero byte (byte {at}), which no text has: save the file as UTF-8 text"
        )
    if not body[:SAMPLE_BYTES].strip() and not body.strip():
        raise SourceError(f"{origin} is empty: a header line and at least one row are needed")
    return body


def _codec(encoding: str, origin: str) -> str:
    try:
        return codecs.lookup(encoding).name.removesuffix("-sig")
    except (LookupError, ValueError) as error:
        raise SourceError(f"{origin}: '{encoding}' is no encoding: name one such as utf-8 or cp1252") from error


def _recoded(content: bytes, name: str, origin: str) -> bytes:
    try:
        decoder = codecs.getincrementaldecoder(name)()
        starts = range(0, len(content), BLOCK_BYTES)
        texts = (decoder.decode(content[at : at + BLOCK_BYTES], at + BLOCK_BYTES >= len(content)) for at in starts)
        return b"".join(text.encode() for text in texts)
    except (UnicodeError, LookupError, TypeError) as error:
        raise _undecodable(content, name, origin) from error


def _undecodable(content: bytes, name: str, origin: str) -> SourceError:
    shown = name.upper()
    if name == UTF8 and content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return SourceError(f"{origin}: byte 0 begins a UTF-16 file: save it as UTF-8, or name its encoding")
    try:
        content.decode(name)
    except UnicodeDecodeError as error:
        at, line = error.start, content.count(b"\n", 0, error.start) + 1
        found = f"byte {at} (0x{content[at]:02x}, line {line})" if at < len(content) else "the end"
        return SourceError(f"{origin}: {found} is not {shown}: save the file as UTF-8, or name its encoding")
    except (UnicodeError, LookupError, ValueError):
        pass
    return SourceError(f"{origin} is not {shown}: save the file as UTF-8, or name its encoding")


def _is_utf8(content: bytes) -> bool:
    """By Arrow, which looks at the bytes where they are; to decode them would make a second copy."""
    ends = pa.array([0, len(content)], type=pa.int64()).buffers()[1]
    one = pa.LargeBinaryArray.from_buffers(pa.large_binary(), 1, [None, ends, pa.py_buffer(content)])
    try:
        one.cast(pa.large_string())
    except pa.ArrowInvalid:
        return False
    return True


def _decodes(content: bytes, name: str) -> bool:
    try:
        _recoded(content, name, "")
    except SourceError:
        return False
    return True


def _wide(head: bytes) -> str | None:
    """UTF-16 without a mark: most of its line ends have their zero where the byte order puts it."""
    ends = head.count(b"\n")
    for name, end in (("utf-16-le", (ord("\n"), 0)), ("utf-16-be", (0, ord("\n")))):
        if ends and 2 * sum(pair == end for pair in zip(head[0::2], head[1::2], strict=False)) > ends:
            return name
    return None


def _foreign_lines(content: bytes) -> bytes:
    """The first lines with other than ASCII in them."""
    sample = bytearray()
    for match in _FOREIGN_LINE.finditer(content):
        sample += match.group()[:SAMPLE_BYTES]
        if len(sample) >= SAMPLE_BYTES:
            break
    return bytes(sample)


def _likeliest(sample: bytes) -> list[str]:
    """Encodings that explain `sample`, best first: Latin ones by how their words look, others by their letters."""
    latin = sorted((doubts, at) for at, name in enumerate(_LATIN) if (doubts := _doubts(sample, name)) is not None)
    names = [_LATIN[at] for _, at in latin]
    if latin and latin[0][0] <= _DOUBTFUL:
        return names
    others = [match.encoding for match in charset_normalizer.from_bytes(sample)]
    return [*sorted(others, key=lambda name: name.startswith("mac_")), *names]


def _doubts(sample: bytes, name: str) -> float | None:
    """Share of the letters beyond ASCII that stand where no word of a Latin script has them; None if not decodable."""
    try:
        text = sample.decode(name)
    except UnicodeDecodeError:
        return None
    foreign = [at for at, c in enumerate(text) if c >= "\x80"]
    return sum(_is_odd(text, at) for at in foreign) / max(1, len(foreign))


def _is_odd(text: str, at: int) -> bool:
    before, c, after = text[max(0, at - 1) : at], text[at], text[at + 1 : at + 2]
    if c.isalpha():
        runs = (text[start : start + _RUN] for start in range(max(0, at - _RUN + 1), at + 1))
        return (c.isupper() and before.islower()) or any(map(_is_foreign_run, runs))
    if after.isalpha():
        return before.isalpha() or c not in _BEFORE_LETTER
    return before.isalpha() and c not in _AFTER_LETTER and c.isalnum()


def _is_foreign_run(letters: str) -> bool:
    return len(letters) == _RUN and all(c >= "\x80" and c.isalpha() for c in letters)
