"""Runs the application under uvicorn and keeps its record meanwhile. What it answers belongs in `app`."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import time
from typing import TYPE_CHECKING

import uvicorn

from ml_assets.errors import ServingError, SettingError
from ml_assets.serving.probe import probe
from ml_assets.serving.record import ServerRecord

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fastapi import FastAPI

PROBE_SECONDS = 2.0
GRACE_SECONDS = 10


class RecordedServer(uvicorn.Server):  # type: ignore[misc]
    """A uvicorn server that writes its record when it listens and removes it before it stops listening."""

    def __init__(
        self,
        app: FastAPI,
        listener: socket.socket,
        record: Path,
        *,
        on_ready: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app, log_level="warning", access_log=False, ws="none", timeout_graceful_shutdown=GRACE_SECONDS
            )
        )
        self._listener = listener
        self._path = record
        self._record = ServerRecord(_url(listener), os.getpid(), clock())
        self._on_ready = on_ready

    @property
    def url(self) -> str:
        """Where it listens, with the port the system gave."""
        return self._record.url

    def serve_until_stopped(self) -> None:
        """Answers until a signal, or until `should_exit` is set."""
        try:
            self.run(sockets=[self._listener])
        except KeyboardInterrupt:
            return
        finally:
            self._listener.close()
            self._record.remove(self._path)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens, then writes the record."""
        await super().startup(sockets=sockets)
        if self.started:
            self._record.write(self._path)
            self._on_ready(self.url)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Removes the record, then finishes the requests under way."""
        self._record.remove(self._path)
        await super().shutdown(sockets=sockets)


def build_server(
    app: FastAPI,
    *,
    host: str = "127.0.0.1",
    port: int,
    record: Path,
    allow_remote: bool = False,
    on_ready: Callable[[str], None] = lambda url: None,  # noqa: ARG005
    clock: Callable[[], float] = time.time,
) -> RecordedServer:
    """A server that holds its port already; see `serve`."""
    _check_address(host, port, allow_remote=allow_remote)
    running = probe(record, timeout=PROBE_SECONDS)
    if running.state == "answers":
        raise ServingError(f"a server of this home runs already: {running.message}; stop it first")
    return RecordedServer(app, _listen(host, port), record, on_ready=on_ready, clock=clock)


def serve(
    app: FastAPI,
    *,
    host: str = "127.0.0.1",
    port: int,
    record: Path,
    allow_remote: bool = False,
    on_ready: Callable[[str], None] = lambda url: None,  # noqa: ARG005
    clock: Callable[[], float] = time.time,
) -> None:
    """Serves `app` until Ctrl-C or SIGTERM; while it listens, the file `record` has its address and process.

    Args:
        app: made by `create_app`.
        host: address to listen on.
        port: 0 lets the system choose.
        record: file that `probe` reads.
        allow_remote: has to be set for an address that other machines can reach; there is no authentication.
        on_ready: called with the address once it listens.
        clock: seconds since the epoch.

    Raises:
        SettingError: the port is no port, or the address is not loopback and `allow_remote` is not set.
        ServingError: the port is taken, the address is not ours, or a server of this home runs already.
        StorageError: the record cannot be written.
    """
    build_server(
        app, host=host, port=port, record=record, allow_remote=allow_remote, on_ready=on_ready, clock=clock
    ).serve_until_stopped()


def _check_address(host: str, port: int, *, allow_remote: bool) -> None:
    if not 0 <= port <= 65535:
        raise SettingError(f"port {port} is none: give 1 to 65535, or 0 to let the system choose")
    if not allow_remote and not _is_loopback(host):
        raise SettingError(
            f"'{host}' can be reached from other machines, and the server asks nobody who they are: "
            "use 127.0.0.1, or allow remote access explicitly behind a proxy that authenticates"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        remedies = {
            errno.EADDRINUSE: f"port {port} is taken: choose another (0 lets the system choose)",
            errno.EACCES: f"port {port} needs privileges: choose one above 1023",
            errno.EADDRNOTAVAIL: "this machine has no such address",
        }
        why = remedies.get(error.errno or 0, str(error))
        raise ServingError(f"cannot listen on {host}:{port}: {why}") from error


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
