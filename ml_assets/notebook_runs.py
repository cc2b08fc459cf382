"""Running a notebook of ours in a kernel of its own, and the page made of what it showed. Knows no dataset.

Nothing of the user's Jupyter is read or written: the kernel is this interpreter, and its files and sockets lie in a
temporary folder that goes when it ends. What a notebook shows belongs in the notebook and the core.
"""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from ml_assets.errors import NotebookError
from ml_assets.home import CHECKOUT

KERNEL: Final = "python3"
MOST_SECONDS: Final = 300
INJECTED: Final = "injected-parameters"
NOT_IN_PAGE: Final = "not-in-page"
"""Tag of cells that speak to who runs the notebook, not to who reads the page."""


def notebook_file(name: str) -> Path:
    """A notebook by the name of its file: that of a checkout, or its copy in the package."""
    folder = CHECKOUT / "notebooks"
    return (folder if folder.is_dir() else Path(str(resources.files("ml_assets") / "notebooks"))) / name


def run_notebook(file: Path, parameters: Mapping[str, Any], *, seconds: int = MOST_SECONDS) -> Any:
    """The notebook node after every cell ran, without times and paths of the run.

    Args:
        file: the notebook; one of its cells has the tag `parameters`.
        parameters: take the place of the values in that cell.
        seconds: after which a cell counts as failed.

    Raises:
        NotebookError: a cell failed or took too long, or the kernel died; names notebook, cell and cause.
    """
    import nbformat
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    notebook = nbformat.read(file, as_version=4)
    try:
        with _own_kernel() as (folder, kernel_options):
            ran = papermill.execute_notebook(
                notebook,
                None,
                parameters=dict(parameters),
                kernel_name=KERNEL,
                progress_bar=False,
                cwd=folder,
                execution_timeout=seconds,
                record_timing=False,
                shutdown_kernel="immediate",
                ipython_hist_file=":memory:",
                config=kernel_options,
            )
    except PapermillExecutionError as error:
        cell = next((cell.id for cell in notebook.cells if cell.source == error.source), INJECTED)
        cause = f"{error.ename}: {error.evalue}" if error.evalue else error.ename
        raise NotebookError(f"notebook {file.name}, cell '{cell}' failed: {cause}") from error
    except (DeadKernelError, CellTimeoutError) as error:
        cause = str(error).strip().splitlines()[0]
        raise NotebookError(f"notebook {file.name} did not end: {cause}") from error
    return _plain(ran)


def pictures(notebook: Any) -> dict[str, bytes]:
    """The last PNG that each cell of a run notebook showed, by the cell's id; cells without one are left out."""
    return {
        cell.id: base64.b64decode(output["data"]["image/png"])
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    }


def page(notebook: Any, *, title: str) -> str:
    """What a run notebook says and shows, without its code, as one HTML page under `title` that loads nothing."""
    from jinja2 import Environment, StrictUndefined
    from nbconvert.exporters.html import HTMLExporter

    exporter = HTMLExporter(
        template_name="basic",
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )
    shown = deepcopy(notebook)
    shown.cells = [cell for cell in shown.cells if NOT_IN_PAGE not in cell.metadata.get("tags", [])]
    with _own_folder():
        body, _ = exporter.from_notebook_node(shown)
    source = resources.files("ml_assets").joinpath("notebook_page.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(source).render(title=title, body=body)


@contextmanager
def _own_kernel() -> Iterator[tuple[Path, Any]]:
    """The folder a kernel starts in, and options that keep its files and sockets there."""
    import json

    import zmq
    from traitlets.config import Config

    with _own_folder() as folder:
        spec = folder / "kernels" / KERNEL / "kernel.json"
        spec.parent.mkdir(parents=True)
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec.write_text(json.dumps({"argv": command, "display_name": "Python 3", "language": "python"}))
        options = Config()
        options.ConnectionFileMixin.connection_file = str(folder / "kernel.json")
        if zmq.has("ipc"):
            options.ConnectionFileMixin.transport = "ipc"
        yield folder, options


@contextmanager
def _own_folder() -> Iterator[Path]:
    """A temporary folder in which Jupyter looks for everything and keeps everything."""
    with TemporaryDirectory(prefix="ml-assets-") as name:
        names = ("JUPYTER_PATH", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
        before = {variable: os.environ.get(variable) for variable in names}
        os.environ.update(dict.fromkeys(names, name))
        try:
            yield Path(name)
        finally:
            for variable, value in before.items():
                if value is None:
                    del os.environ[variable]
                else:
                    os.environ[variable] = value


def _plain(notebook: Any) -> Any:
    """The notebook without what papermill notes of a run, so that equal runs give equal files."""
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        if INJECTED in cell.metadata.get("tags", []):
            cell.id = INJECTED
    return notebook
