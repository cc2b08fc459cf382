"""A notebook in a kernel of its own: what comes back, how it fails, and that nothing of the user's is touched."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from ml_assets.errors import NotebookError
from ml_assets.notebook_runs import notebook_file, page, pictures, run_notebook

PARAMETERS = new_code_cell("said = 'nothing'", id="parameters", metadata={"tags": ["parameters"]})
PIXEL = """
import base64
from IPython.display import HTML, Image, display
png = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==")
display(Image(png, alt="one pixel"))
"""


def written(folder: Path, *sources: str) -> Path:
    """A notebook of these code cells, each with the id of its number."""
    cells = [PARAMETERS, *(new_code_cell(source, id=f"cell-{n}") for n, source in enumerate(sources))]
    file = folder / "some.ipynb"
    notebook = new_notebook(
        cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    nbformat.write(notebook, file)
    return file


def printed(notebook: nbformat.NotebookNode) -> list[str]:
    return [output.text.strip() for cell in notebook.cells for output in cell.get("outputs", []) if "text" in output]


def test_parameters_reach_the_cells_of_this_interpreter(tmp_path: Path) -> None:
    ran = run_notebook(written(tmp_path, "import sys; print(said, sys.executable)"), {"said": "a 'quoted' word"})
    assert printed(ran) == [f"a 'quoted' word {sys.executable}"]
    assert [cell.id for cell in ran.cells] == ["parameters", "injected-parameters", "cell-0"]


def test_equal_runs_give_equal_notebooks_and_pages_without_a_path_of_this_machine(tmp_path: Path) -> None:
    file = written(tmp_path, "print(said)", PIXEL)
    first, second = (run_notebook(file, {"said": "x"}) for _ in range(2))
    assert nbformat.writes(first) == nbformat.writes(second)
    html = page(first, title="A page")
    assert html == page(second, title="A page")
    assert str(tmp_path) not in html
    assert str(tmp_path) not in nbformat.writes(first)
    assert "papermill" not in nbformat.writes(first)


def test_nothing_of_the_users_jupyter_is_read_or_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A startup file and a kernel of that name that would fail are there; neither counts."""
    home, temporary = tmp_path / "user", tmp_path / "t"
    startup = home / ".ipython" / "profile_default" / "startup" / "00.py"
    startup.parent.mkdir(parents=True)
    startup.write_text("raise SystemExit('the startup file ran')")
    kernel = home / ".local" / "share" / "jupyter" / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text('{"argv": ["/bin/false"], "display_name": "x", "language": "python"}')
    temporary.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    before, environment = sorted(home.rglob("*")), dict(os.environ)
    ran = run_notebook(written(tmp_path, "print(said)"), {"said": "fine"})
    page(ran, title="x")
    assert printed(ran) == ["fine"]
    assert sorted(home.rglob("*")) == before
    assert list(temporary.iterdir()) == []
    assert dict(os.environ) == environment


def test_a_failing_cell_is_an_error_with_notebook_cell_and_cause(tmp_path: Path) -> None:
    file = written(tmp_path, "x = 1", "x / 0", "print('never')")
    with pytest.raises(
        NotebookError, match=r"notebook some\.ipynb, cell 'cell-1' failed: ZeroDivisionError: division by"
    ):
        run_notebook(file, {})


def test_a_cell_that_takes_too_long_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match=r"some\.ipynb did not end: .*1 seconds"):
        run_notebook(written(tmp_path, "import time; time.sleep(60)"), {}, seconds=1)


def test_a_kernel_that_dies_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match=r"some\.ipynb did not end: Kernel died"):
        run_notebook(written(tmp_path, "import os; os._exit(1)"), {})


def test_a_page_shows_what_cells_said_without_code_or_what_is_meant_for_who_runs_it(tmp_path: Path) -> None:
    file = written(tmp_path, "secret = 1 + 1\nprint(said)", PIXEL, "display(HTML('<b>bold</b>'))")
    notebook = nbformat.read(file, as_version=4)
    notebook.cells.insert(0, new_markdown_cell("Run me", metadata={"tags": ["not-in-page"]}))
    notebook.cells.append(new_markdown_cell("## A *heading*"))
    nbformat.write(notebook, file)
    ran = run_notebook(file, {"said": "hello <script>"})
    html = page(ran, title="A & B")
    assert "<h1>A &amp; B</h1>" in html
    assert "<title>A &amp; B</title>" in html
    assert "hello &lt;script&gt;" in html
    assert "<b>bold</b>" in html
    assert "<h2" in html
    assert 'alt="one pixel"' in html
    assert "default-src 'none'" in html
    for absent in ("secret", "Run me", "<script", "http://", "https://"):
        assert absent not in html
    assert set(pictures(ran)) == {"cell-1"}
    assert pictures(ran)["cell-1"].startswith(b"\x89PNG")


def run_in_child(file: Path, answers: multiprocessing.SimpleQueue[list[str]]) -> None:
    answers.put(printed(run_notebook(file, {"said": "from a child"})))


def test_a_process_of_a_fork_server_runs_a_notebook(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    answers = context.SimpleQueue()
    child = context.Process(target=run_in_child, args=(written(tmp_path, "print(said)"), answers))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert answers.get() == ["from a child"]


def test_a_kernel_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    mark = tmp_path / "kernel.pid"
    source = f"import os, pathlib, time; pathlib.Path({str(mark)!r}).write_text(str(os.getpid())); time.sleep(120)"
    program = "import sys, pathlib; from ml_assets.notebook_runs import run_notebook; "
    program += "run_notebook(pathlib.Path(sys.argv[1]), {})"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", program, str(written(tmp_path, source))], env=environment)
    kernel = int(waited(lambda: mark.exists() and mark.read_text()))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert waited(
        lambda: not Path(f"/proc/{kernel}").exists() or "Z" in Path(f"/proc/{kernel}/stat").read_text().split()
    )


def waited(condition: object, seconds: float = 30.0) -> str:
    """What `condition` gives once it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():  # type: ignore[operator]
            return str(found)
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def test_the_notebooks_of_a_checkout_are_found() -> None:
    assert notebook_file("data_profile.ipynb").is_file()
