"""Contracts from their YAML files: the package's own and those of the home. What a contract may say belongs in `spec`.

A mistake is told by file, line, key and the nearest key there is.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from ml_assets.datasets.spec import ContractMistake, DatasetSpec
from ml_assets.errors import ContractError, UnknownNameError
from ml_assets.home import Home

SCHEMA_FILE = "contract.schema.json"
SUFFIX = ".yaml"

Path_ = tuple[str | int, ...]
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse_contract(text: str, *, origin: str) -> DatasetSpec:
    """The contract that YAML `text` spells; `origin` names the file in errors.

    Raises:
        ContractError: the text is no YAML, or names an unknown or doubled key, column or value; each mistake with its
            line and the nearest valid key.
    """
    try:
        root = yaml.compose(text, Loader=_Loader)
        if (twice := _doubled_key(root)) is not None:
            raise ContractError(f"{origin}, line {twice[1]}: key '{twice[0]}' is there twice: keep one of them")
        document = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ContractError(f"{origin}: not valid YAML: {error}") from error
    if not isinstance(document, dict):
        raise ContractError(f"{origin}: a contract is a mapping of keys; see {SCHEMA_FILE}")
    try:
        return DatasetSpec.model_validate(document)
    except ValidationError as error:
        raise ContractError("; ".join(_told(e, root, origin) for e in _causes(error))) from error


def load_contracts() -> Mapping[str, DatasetSpec]:
    """Every contract by dataset name, in alphabetical order: the package's, and those in `datasets/` of the home.

    One of the home takes the place of the package's of the same name.

    Raises:
        ContractError: a contract has a mistake, or its name is not that of its file.
    """
    package = resources.files("ml_assets.datasets")
    files = {Path(f.name).stem: Path(str(f)) for f in package.iterdir() if f.name.endswith(SUFFIX)}
    own = {path.stem: path for path in home_contracts()}
    specs = {name: _load(path) for name, path in sorted((files | own).items())}
    for name, spec in specs.items():
        if spec.name != name:
            raise ContractError(
                f"{(files | own)[name]}, line 1: the contract is named '{spec.name}': name the file "
                f"{spec.name}{SUFFIX}, or the contract '{name}'"
            )
    return specs


def load_contract(name: str) -> DatasetSpec:
    """The contract of dataset `name`.

    Raises:
        UnknownNameError: there is none of that name; the message offers the nearest.
    """
    contracts = load_contracts()
    if name not in contracts:
        raise UnknownNameError("dataset", name, contracts)
    return contracts[name]


def home_contracts() -> tuple[Path, ...]:
    """Contract files of the home, by name."""
    folder = Home.current().contracts
    if not folder.is_dir():
        return ()
    return tuple(sorted(p for p in folder.glob(f"*{SUFFIX}") if p.is_file() and not p.name.startswith(".")))


def contract_schema() -> str:
    """The JSON schema of a contract, for editors that complete and check YAML.

    Dates are texts of any form in it: a day will do in a contract, which the schema's `date-time` does not allow.
    """
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **DatasetSpec.model_json_schema()}
    return json.dumps(_without_date_time(schema), indent=1, ensure_ascii=False) + "\n"


def _without_date_time(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {k: _without_date_time(v) for k, v in schema.items() if (k, v) != ("format", "date-time")}
    return [_without_date_time(item) for item in schema] if isinstance(schema, list) else schema


def _load(path: Path) -> DatasetSpec:
    status = path.stat()
    return _parsed(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=256)
def _parsed(path: Path, changed: int, size: int) -> DatasetSpec:  # noqa: ARG001  they tell one state from another
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ContractError(f"{path} cannot be read ({error}): save it as UTF-8, or take it away") from error
    packaged = path.parent == Path(str(resources.files("ml_assets.datasets")))
    return parse_contract(text, origin=path.name if packaged else str(path))


def _causes(error: ValidationError) -> list[Any]:
    """Mistakes, without those that only follow from one further inside."""
    errors = error.errors()
    places = [tuple(e["loc"]) for e in errors]
    follows = [any(len(p) > len(place) and p[: len(place)] == place for p in places) for place in places]
    return [e for e, following in zip(errors, follows, strict=True) if not following]


def _told(error: Any, root: yaml.Node | None, origin: str) -> str:
    """One mistake as a sentence: file, line, key, what is wrong, the nearest valid key or value."""
    raised = error.get("ctx", {}).get("error")
    path: Path_ = (*error["loc"], *raised.path) if isinstance(raised, ContractMistake) else tuple(error["loc"])
    message = str(raised) if raised is not None else str(error["msg"])
    if error["type"] == "extra_forbidden":
        message = "unknown key" + _nearest(str(path[-1]), _keys_at(path[:-1]))
    elif error["type"] in ("literal_error", "enum"):
        message += _nearest(str(error["input"]), _quoted(str(error["ctx"]["expected"])))
    elif error["type"] == "missing":
        message = "is missing"
    key = ".".join(map(str, path)) or "contract"
    return f"{origin}, line {_line(root, path)}: {key}: {message}"


def _nearest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f": did you mean '{close[0]}'?" if close else f": known are {', '.join(known)}" if known else ""


def _quoted(expected: str) -> list[str]:
    return expected.split("'")[1::2]


def _keys_at(path: Path_) -> list[str]:
    """Keys that a contract may have at `path`."""
    kind: Any = DatasetSpec
    for step in path:
        model = next((k for k in _unwrapped(kind) if isinstance(k, type) and issubclass(k, BaseModel)), None)
        if model is not None and isinstance(step, str) and step in model.model_fields:
            kind = model.model_fields[step].annotation
        elif model is None:
            kind = get_args(kind)[-1] if isinstance(step, str) else get_args(kind)[0]
    model = next((k for k in _unwrapped(kind) if isinstance(k, type) and issubclass(k, BaseModel)), None)
    return list(model.model_fields) if model is not None else []


def _unwrapped(kind: Any) -> list[Any]:
    """A type itself, or the members of a union."""
    members = get_args(kind)
    return [kind, *members] if type(None) in members else [kind]


def _line(root: yaml.Node | None, path: Path_) -> int:
    """Line of the deepest part of `path` that the document has, from 1."""
    node, line = root, 1
    for step in path:
        found = _child(node, step)
        if found is None:
            break
        line, node = found
    return line


def _child(node: yaml.Node | None, step: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark.line + 1, node.value[step]
    return None


def _doubled_key(node: yaml.Node | None) -> tuple[str, int] | None:
    """The first key that a mapping has twice, and its line."""
    for key, line in _doubled_keys(node):
        return key, line
    return None


def _doubled_keys(node: yaml.Node | None) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    yield key.value, key.start_mark.line + 1
                seen.add(key.value)
            yield from _doubled_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _doubled_keys(value)
