"""The canonical files of a dataset as verified bytes, embedded or downloaded.

A person's own files belong in `files`, their databases in `database`, making tables of any of them in `tables`.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import tempfile
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from ml_assets import home
from ml_assets.datasets.download import Patience, Progress, download
from ml_assets.errors import SourceError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ml_assets.datasets.spec import DatasetSpec, SourceFile

Mode = Literal["embedded", "download"]
SOURCE_VARIABLE: Final = "ML_ASSETS_SOURCE"
GZIP_MAGIC: Final = b"\x1f\x8b"


def fetch_sources(
    spec: DatasetSpec,
    *,
    mode: Mode,
    cache: Path,
    progress: Progress | None = None,
    patience: Patience | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, bytes]:
    """The decompressed bytes of every canonical file of `spec`, by file name; each passed its hash pin.

    Args:
        spec: the contract, with addresses and pins.
        mode: `embedded` takes the copies that come with the project, `download` the addresses, in their
            order.
        cache: folder for downloaded files; it is made when needed, and a copy in it that passes its pin is
            used.
        progress: called during a download with file name, bytes so far, and bytes in all if known.
        patience: limits of a download.
        sleep: waits between attempts.

    Raises:
        SourceError: a file cannot be had, or has another hash; names file, address, expected and found.
        StorageError: `cache` cannot be written.
    """
    return {
        file.name: fetch_source(spec, file, mode=mode, cache=cache, progress=progress, patience=patience, sleep=sleep)
        for file in spec.sources
        if file.embedded is not None
    }


def fetch_source(
    spec: DatasetSpec,
    file: SourceFile,
    *,
    mode: Mode,
    cache: Path,
    progress: Progress | None = None,
    patience: Patience | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> bytes:
    """The decompressed bytes of one canonical file; as `fetch_sources`."""
    if mode == "embedded":
        return _embedded(spec, file)
    if mode != "download":
        raise SourceError(f"{SOURCE_VARIABLE}='{mode}' is no source: set it to 'embedded' or 'download'")
    return _downloaded(spec, file, cache, patience=patience or Patience(), progress=progress, sleep=sleep)


def sha256(content: bytes) -> str:
    """SHA-256 of `content`, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def gunzip(content: bytes, *, largest: int) -> bytes:
    """What a gzip file holds, at most `largest` bytes.

    Raises:
        SourceError: no gzip file, cut short, or more than `largest` bytes inside.
    """
    inflate = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        plain = inflate.decompress(content, largest + 1)
    except zlib.error as error:
        raise SourceError(f"is no intact gzip file ({error})") from error
    if len(plain) > largest:
        raise SourceError(f"holds more than the {largest} bytes allowed")
    if not inflate.eof:
        raise SourceError("is a gzip file that was cut short")
    return plain


def _embedded(spec: DatasetSpec, file: SourceFile) -> bytes:
    path = home.embedded_folder() / str(file.embedded)
    remedy = "restore the file from version control, or set ML_ASSETS_SOURCE=download"
    try:
        content = gunzip(path.read_bytes(), largest=Patience.largest)
    except OSError as error:
        raise SourceError(f"{spec.name}: embedded file {path} cannot be read ({error.strerror}); {remedy}") from error
    except SourceError as error:
        raise SourceError(f"{spec.name}: embedded file {path} {error}; {remedy}") from error
    if sha256(content) != file.sha256:
        raise SourceError(
            f"{spec.name}: {file.name} from {path} has the wrong hash: "
            f"expected {file.sha256}, found {sha256(content)}; {remedy}"
        )
    return content


def _downloaded(
    spec: DatasetSpec,
    file: SourceFile,
    cache: Path,
    *,
    patience: Patience,
    progress: Progress | None,
    sleep: Callable[[float], None],
) -> bytes:
    copy = cache / f"{str(file.sha256)[:16]}-{Path(file.name).name}"
    if copy.is_file() and sha256(kept := copy.read_bytes()) == file.sha256:
        return kept
    failures = []
    for address in file.addresses:
        try:
            body = download(address, label=file.name, patience=patience, progress=progress, sleep=sleep)
            content = _member(body, file.member, patience.largest) if file.member else body
        except SourceError as error:
            failures.append(f"{address} {error}")
            continue
        if (found := sha256(content)) == file.sha256:
            _keep(copy, content)
            return content
        failures.append(f"{address} has the wrong hash: expected {file.sha256}, found {found}")
    raise SourceError(
        f"{spec.name}: {file.name} cannot be downloaded: {'; '.join(failures) or 'no address is known'}; "
        f"check the network, or set {SOURCE_VARIABLE}=embedded to use the copy that comes with the project"
    )


def _member(archive: bytes, member: str, largest: int) -> bytes:
    plain = gunzip(archive, largest=largest) if archive.startswith(GZIP_MAGIC) else archive
    try:
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as tar:
            entry = tar.getmember(member)
            stream = tar.extractfile(entry) if entry.isreg() else None
            if stream is None:
                raise SourceError(f"has a member {member} that is no plain file")
            return stream.read(largest + 1)
    except KeyError as error:
        raise SourceError(f"is an archive without a member {member}") from error
    except tarfile.TarError as error:
        raise SourceError(f"is no tar archive ({error})") from error


def _keep(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".part", delete=False) as part:
            part.write(content)
        Path(part.name).replace(path)
    except OSError as error:
        raise StorageError(f"{path.parent} cannot keep {path.name}: {error.strerror}; make it writable") from error
