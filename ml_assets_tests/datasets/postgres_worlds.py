"""A PostgreSQL server for a test, made in a folder of its own and gone with it. Asking it belongs in the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

USER = "shop"
SECRET = "p@ss word/1"
START_SECONDS = 60.0


@dataclass(frozen=True)
class Server:
    """A running server: the folder of its socket, and its process."""

    folder: Path
    pid: int

    @property
    def address(self) -> str:
        """Its address without a password."""
        return f"postgresql://{USER}@/postgres?host={self.folder}"

    @property
    def secret_address(self) -> str:
        """Its address with the password that it asks for."""
        return f"postgresql://{USER}:p%40ss%20word%2F1@/postgres?host={self.folder}"

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """A connection that may write."""
        return psycopg.connect(host=str(self.folder), user=USER, password=SECRET, dbname="postgres", autocommit=True)


def binaries() -> Path | None:
    """Folder with PostgreSQL's programs: what the search path has, or the newest that is installed."""
    named = shutil.which("initdb")
    folders = [Path(named).resolve().parent] if named else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((f for f in folders if (f / "initdb").is_file() and (f / "postgres").is_file()), None)


@contextmanager
def running_server(programs: Path) -> Iterator[Server]:
    """A fresh server that listens on a socket in its own folder, until the end of the block."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        somebody = _somebody(folder)
        data, password = folder / "data", folder / "password"
        password.write_text(SECRET)
        password.chmod(0o644)
        made = [
            programs / "initdb",
            "-D",
            data,
            "-U",
            USER,
            "-A",
            "scram-sha-256",
            "--pwfile",
            password,
            "-N",
            "-E",
            "UTF8",
        ]
        subprocess.run(list(map(str, made)), check=True, capture_output=True, cwd=folder, **somebody)
        options = ["-k", str(folder), "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=10"]
        with (folder / "log").open("wb") as log:
            command = [str(programs / "postgres"), "-D", str(data), *options]
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **somebody)
        server = Server(folder, process.pid)
        try:
            _wait_until_it_answers(server, process)
            yield server
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
    finally:
        shutil.rmtree(folder)


def _somebody(folder: Path) -> dict[str, Any]:
    """Whom to run PostgreSQL as, which refuses to be run by root: then `folder` is given to another user."""
    if os.geteuid() != 0:
        return {}
    users = {user.pw_name: user for user in pwd.getpwall()}
    user = users.get("postgres") or users["nobody"]
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _wait_until_it_answers(server: Server, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            server.connect().close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > until:
                raise AssertionError((server.folder / "log").read_text()) from None
            time.sleep(0.05)
        else:
            return
