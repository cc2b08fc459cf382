"""`ml-assets ui`: Dagster's webserver and daemon and MLflow's UI, side by side until Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress

import click

from ml_assets.errors import ServingError
from ml_assets.home import Home

GRACE_SECONDS = 15.0


@click.command()
@click.option("--port", default=3000, show_default=True, help="Port of Dagster's UI.")
@click.option("--mlflow-port", default=5000, show_default=True, help="Port of MLflow's UI.")
def ui(port: int, mlflow_port: int) -> None:
    """Start Dagster's webserver and daemon and MLflow's UI on loopback; one Ctrl-C stops them all.

    \b
    Example:
      ml-assets ui
    """
    from ml_assets.automation.instance import prepare_dagster_home
    from ml_assets.resources.tracking import UI_ADDRESS_VARIABLE, mlflow_client

    home = Home.current()
    prepare_dagster_home(home)
    mlflow_client()
    os.environ[UI_ADDRESS_VARIABLE] = f"http://127.0.0.1:{mlflow_port}"
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")  # jobs are for language models
    python = [sys.executable, "-m"]
    dagster = [*python, "dagster", "dev", "-m", "ml_assets", "-h", "127.0.0.1", "-p", str(port)]
    mlflow = [*python, "mlflow", "server", "--host", "127.0.0.1", "--port", str(mlflow_port)]
    store = ["--backend-store-uri", home.tracking_uri, "--workers", "1"]
    artifacts = ["--default-artifact-root", (home.mlflow / "artifacts").as_uri()]
    click.echo(f"Dagster  http://127.0.0.1:{port}\nMLflow   http://127.0.0.1:{mlflow_port}\nCtrl-C stops both.")
    run_together({"Dagster": dagster, "MLflow": [*mlflow, *store, *artifacts]})


def run_together(commands: Mapping[str, list[str]]) -> None:
    """Runs the commands, each in a process group of its own, until one ends or Ctrl-C or SIGTERM comes.

    Raises:
        ServingError: one of them ended by itself.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    started: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in commands.items():
            started[name] = subprocess.Popen(command, start_new_session=True)
        while True:
            for name, process in started.items():
                if process.poll() is not None:
                    raise ServingError(f"{name}'s server ended with code {process.returncode}; its output is above")
            time.sleep(0.2)
    except KeyboardInterrupt:
        click.echo("stopping both")
    finally:
        _stop(list(started.values()))


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """Asks every process group to end, then ends what is left of them."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    for process in processes:
        _signal(process, signal.SIGINT)
    deadline = time.monotonic() + GRACE_SECONDS
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(deadline - time.monotonic(), 0.1))
        _signal(process, signal.SIGKILL)
        process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
