"""The `ml-assets` command: what people type. Each command's work belongs in its own module or in the core."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence

import click

from ml_assets import __version__
from ml_assets.cli.add import add
from ml_assets.cli.card import card
from ml_assets.cli.check import check
from ml_assets.cli.data import data, gc
from ml_assets.cli.explain import explain
from ml_assets.cli.inspect import env, leaderboard, status
from ml_assets.cli.nested import nested
from ml_assets.cli.predict import predict
from ml_assets.cli.promote import promote
from ml_assets.cli.quarantine import quarantine
from ml_assets.cli.rebuild import rebuild
from ml_assets.cli.remove import remove
from ml_assets.cli.run import run
from ml_assets.cli.serve import serve
from ml_assets.cli.ui import ui
from ml_assets.errors import MlAssetsError, StorageError, database_error

INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ml-assets")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def cli(debug: bool) -> None:
    """Machine learning on tables, every step an asset.

    Exit codes: 0 done, 1 something failed, 2 the input or the command has to change, 130 stopped by Ctrl-C.

    \b
    Examples:
      ml-assets add plants.csv --target height  your own table
      ml-assets run                             every dataset, all families
      ml-assets run iris --budget 30            one dataset, half a minute from first row to champion
      ml-assets leaderboard iris
      ml-assets predict iris flowers.csv -o predictions.csv
    """


COMMANDS = (
    add,
    check,
    run,
    status,
    leaderboard,
    card,
    predict,
    explain,
    serve,
    ui,
    quarantine,
    data,
    promote,
    nested,
    rebuild,
    gc,
    remove,
    env,
)
for command in COMMANDS:
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command and leaves with its exit code; errors are one message, a traceback only with `--debug`."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        cli.main(words, prog_name="ml-assets", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped; what was finished is kept, and `ml-assets run` goes on from there", err=True)
        sys.exit(INTERRUPTED)
    except MlAssetsError as error:
        _fail(error, debug=debug)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        _fail(StorageError(f"{error.strerror}: {error.filename or 'a file in the home'}"), debug=debug)
    except _database_errors() as error:
        _fail(database_error(str(error)), debug=debug)


def _database_errors() -> tuple[type[Exception], ...]:
    """What SQLite raises when its file cannot be used; evaluated only once something was raised."""
    import sqlite3

    from sqlalchemy.exc import OperationalError

    return (sqlite3.OperationalError, OperationalError)


def _fail(error: MlAssetsError, *, debug: bool) -> None:
    if debug:
        traceback.print_exception(error)
    click.echo(f"error: {error}", err=True)
    sys.exit(error.exit_code)
