"""One address to bytes over HTTP(S): time-outs, retries, size limit. What the bytes mean is `sources`.

urllib does it: nothing to install, and an opener built by hand leaves out the file, ftp and data handlers.
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ml_assets.errors import SourceError

Progress = Callable[[str, int, int | None], None]

TRANSIENT_STATUS: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
CHUNK_BYTES: Final = 1 << 16


@dataclass(frozen=True)
class Patience:
    """How long and how often an address is tried, and how much it may send."""

    timeout: float = 20.0
    """seconds one network operation may take"""
    deadline: float = 300.0
    """seconds one attempt may take altogether"""
    attempts: int = 3
    pause: float = 1.0
    """seconds before the second attempt; doubled each time"""
    largest: int = 64 << 20
    """bytes a download, or what it decompresses to, may have"""


class _PassingError(Exception):
    """The address may answer when asked again."""


def download(
    address: str,
    *,
    label: str,
    patience: Patience,
    progress: Progress | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> bytes:
    """The body that `address` answers with.

    Args:
        address: http or https.
        label: what `progress` calls the file.
        patience: limits on time, attempts and size.
        progress: called with label, bytes so far, and bytes in all where the server says so.
        sleep: waits between attempts.
        clock: seconds that only ever grow.

    Raises:
        SourceError: no answer within the limits; the message says why, without naming the file.
    """
    if urllib.parse.urlsplit(address).scheme not in {"http", "https"}:
        raise SourceError("refused: only http and https addresses are read")
    reason = "not tried"
    for attempt in range(max(1, patience.attempts)):
        if attempt:
            sleep(patience.pause * 2 ** (attempt - 1))
        try:
            return _attempt(address, label, patience, progress, clock)
        except _PassingError as error:
            reason = str(error)
    raise SourceError(f"{reason} ({max(1, patience.attempts)} attempts)")


def _attempt(
    address: str, label: str, patience: Patience, progress: Progress | None, clock: Callable[[], float]
) -> bytes:
    request = urllib.request.Request(address, headers={"User-Agent": "ml-assets", "Accept-Encoding": "identity"})
    until = clock() + patience.deadline
    try:
        with _opener().open(request, timeout=patience.timeout) as response:
            return _body(response, label=label, patience=patience, progress=progress, clock=clock, until=until)
    except urllib.error.HTTPError as error:
        error.close()
        reason = f"answered {error.code} {error.reason}"
        if error.code in TRANSIENT_STATUS:
            raise _PassingError(reason) from error
        raise SourceError(reason) from error
    except TimeoutError as error:
        raise _PassingError(f"timed out after {patience.timeout:g} s") from error
    except urllib.error.URLError as error:
        raise _PassingError(f"could not be reached: {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise _PassingError(f"broke off: {error!r}") from error
    except ValueError as error:
        raise SourceError(f"is no address that can be asked: {error}") from error


def _body(
    response: http.client.HTTPResponse,
    *,
    label: str,
    patience: Patience,
    progress: Progress | None,
    clock: Callable[[], float],
    until: float,
) -> bytes:
    announced = response.headers.get("Content-Length", "")
    total = int(announced) if announced.isascii() and announced.isdigit() else None
    if total is not None and total > patience.largest:
        raise SourceError(f"would send {total} bytes, more than the {patience.largest} allowed")
    body = bytearray()
    while chunk := response.read1(CHUNK_BYTES):
        body += chunk
        if len(body) > patience.largest:
            raise SourceError(f"sent more than the {patience.largest} bytes allowed")
        if clock() > until:
            raise _PassingError(f"was not through after {patience.deadline:g} s ({len(body)} bytes)")
        if progress is not None:
            progress(label, len(body), total)
    if total is not None and len(body) < total:
        raise _PassingError(f"broke off after {len(body)} of {total} bytes")
    return bytes(body)


def _opener() -> urllib.request.OpenerDirector:
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener
