"""What the documents tell a reader to type works: commands, options, make targets, examples."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from ml_assets.cli import cli
from ml_assets.datasets.contracts import load_contracts, parse_contract
from ml_assets.datasets.spec import DatasetSpec, Task
from ml_assets.families import model_names
from ml_assets.families.base import ProblemShape

CHECKOUT = Path(__file__).resolve().parents[2]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = {
    name: (CHECKOUT / name).read_text(encoding="utf-8")
    for name in ("README.md", "CONTRIBUTING.md", "docs/data.md", "docs/model_card.md", "docs/models.md")
}


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def commands() -> Iterator[list[str]]:
    """Every shell line of the documents, as words."""
    for text in DOCUMENTS.values():
        for block in blocks(text, "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                yield shlex.split(line.removeprefix('eval "$(').removesuffix(')"'))


def calls_of(name: str) -> list[list[str]]:
    return [words[1:] for words in commands() if Path(words[0]).name == name]


@pytest.mark.parametrize("words", calls_of("ml-assets"), ids=" ".join)
def test_documented_call_of_ml_assets_parses(words: list[str]) -> None:
    command = cli.commands[words[0]]
    context = command.make_context(words[0], words[1:])
    context.close()
    for name in context.params.get("datasets") or [context.params.get("dataset") or "iris"]:
        assert name in load_contracts().keys() | {documented_contract().name}
    assert CliRunner().invoke(cli, [words[0], "--help"]).exit_code == 0


def test_readme_shows_every_command_people_need() -> None:
    assert {words[0] for words in calls_of("ml-assets")} >= {
        *("run", "status", "leaderboard", "predict", "env"),
        *("add", "check", "quarantine", "data", "rebuild", "gc"),
    }


def test_documented_make_targets_exist() -> None:
    made = set(re.findall(r"^([a-z-]+):.*## ", (CHECKOUT / "Makefile").read_text(), flags=re.MULTILINE))
    named = {words[0] for words in calls_of("make")}
    named |= {target for text in DOCUMENTS.values() for target in re.findall(r"`make ([a-z-]+)`", text)}
    assert {"run", "test", "check"} <= named
    assert named <= made


def test_documented_partition_range_is_all_families() -> None:
    first, last = re.findall(r"--partition-range '([a-z_]+)\.\.\.([a-z_]+)'", README)[0]
    assert (first, last) == (model_names()[0], model_names()[-1])


def documented_contract() -> DatasetSpec:
    return parse_contract(blocks(README, "yaml")[0], origin="README.md")


def test_documented_contract_is_one() -> None:
    assert documented_contract().feature_columns == ("light", "soil")


@pytest.mark.parametrize("task", Task)
def test_documented_family_learns(task: Task) -> None:
    names: dict[str, Any] = {}
    exec(blocks(README, "python")[0], names)
    family = names["FAMILY"]
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(60, 2))
    target = rows[:, 0] * 10 if task is Task.REGRESSION else np.where(rows[:, 0] > 0, "high", "low")
    shape = ProblemShape(task, rows=60, columns=2, classes=2)
    estimator = family.estimator(family.defaults(shape), shape, seed=0).fit(rows, target)
    assert estimator.score(rows, target) > 0.7


def test_links_between_documents_lead_somewhere() -> None:
    for name, text in DOCUMENTS.items():
        for target in re.findall(r"\]\((?!http)([^)]+)\)", text):
            file, _, heading = target.partition("#")
            assert (CHECKOUT / name).parent.joinpath(file).exists(), target
            assert heading in {"", *headings(text)}, target


def headings(text: str) -> set[str]:
    """Anchors of the headings of a document, as hosts of Markdown make them."""
    return {title.lower().replace(" ", "-") for title in re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)}


def test_every_embedded_table_has_its_licence_and_hash_stated() -> None:
    stated = (CHECKOUT / "DATA_LICENSES").read_text(encoding="utf-8")
    files = [file for spec in load_contracts().values() for file in spec.sources]
    assert {file.embedded for file in files} == {file.name for file in (CHECKOUT / "data" / "embedded").iterdir()}
    assert [file.name for file in files if file.embedded not in stated or file.sha256 not in stated] == []
