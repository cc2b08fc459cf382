"""Asks the server that a record names whether, and with which versions, it answers. No verdict on them."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Literal

from ml_assets.errors import IntegrityError
from ml_assets.serving.record import ServerRecord

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

START = "start one with `ml-assets serve`"


@dataclass(frozen=True)
class ProbeResult:
    """What a look at the server found.

    Attributes:
        state: "answers"; "no server" (none was started, or it is gone); "broken" (something is there, but it
            does not answer as our server does).
        message: the same in a sentence, with the remedy.
        versions: by dataset the version that answers, None where there is none.
        errors: by dataset why its champion could not be taken; no entry where all is well.
    """

    state: Literal["answers", "no server", "broken"]
    message: str
    url: str | None = None
    versions: Mapping[str, str | None] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


def probe(record: Path, *, timeout: float) -> ProbeResult:
    """The state of the server that `record` names, found out in at most about `timeout` seconds."""
    try:
        server = ServerRecord.read(record)
    except IntegrityError as error:
        return ProbeResult("broken", str(error))
    if server is None:
        return ProbeResult("no server", f"no server runs for this home: {START}")
    try:
        health = _health(server.url, timeout)
    except (OSError, HTTPException, ValueError) as error:
        return _silent(server, record, error)
    if health.get("pid") != server.pid:
        return ProbeResult(
            "no server",
            f"the server that {record} names (process {server.pid}) is gone, another program answers at "
            f"{server.url}: {START}",
        )
    return _answering(server, health)


def _answering(server: ServerRecord, health: Mapping[str, Any]) -> ProbeResult:
    datasets: Mapping[str, Mapping[str, Any]] = health["datasets"]
    versions = {name: found["version"] for name, found in datasets.items()}
    errors = {name: found["error"] for name, found in datasets.items() if found["error"]}
    listed = ", ".join(f"{name} {version or '-'}" for name, version in versions.items())
    message = f"{server.url} answers (process {server.pid}); versions: {listed or 'none'}"
    for name, error in errors.items():
        message += f"; {name}: {error}"
    failures = health["log"]["failures"]
    if failures:
        message += f"; {failures} writes to the prediction log failed, the last: {health['log']['last_failure']}"
    return ProbeResult("answers", message, server.url, versions, errors)


def _health(url: str, timeout: float) -> dict[str, Any]:
    """The document at `/health`, asked directly whatever proxy the environment names."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{url}/health", timeout=timeout) as response:
        document = json.loads(response.read())
    if not isinstance(document, dict) or not {"datasets", "log", "pid"} <= set(document):
        raise ValueError("it does not answer like a server of ml_assets")
    return document


def _silent(server: ServerRecord, record: Path, error: Exception) -> ProbeResult:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if not isinstance(cause, ConnectionRefusedError):
        return ProbeResult(
            "broken",
            f"{server.url} (process {server.pid}) does not answer as it should: {cause}; restart the server",
            server.url,
        )
    state = "runs, but serves no more" if _is_alive(server.pid) else "was killed"
    return ProbeResult(
        "no server",
        f"no server runs for this home: process {server.pid}, which {record} names, {state}: {START}",
    )


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
