"""Runs started from a command, in this process's name, and what went wrong in them. Showing it belongs in `cli`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

from ml_assets import errors
from ml_assets.families import model_names

if TYPE_CHECKING:
    from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
    from dagster_shared.error import SerializableErrorInfo

INVOCATION = "ml_assets/invocation"
ASSET_CHECK_EVALUATION = dg.DagsterEventType.ASSET_CHECK_EVALUATION


@dataclass(frozen=True)
class StepProblem:
    """Why a step failed.

    Attributes:
        exit_code: 2 if the input has to change, 1 if something failed.
        trace: the traceback, for those who ask.
    """

    step: str
    message: str
    exit_code: int
    trace: str


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        warnings: what checks found that stops nothing, a sentence each.
    """

    run_id: str
    success: bool
    problems: tuple[StepProblem, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunPart:
    """Assets of one Dagster run, and the families it covers: a Dagster run takes neighbours in the registry only."""

    keys: tuple[dg.AssetKey, ...]
    families: tuple[str, ...]


def pipeline_job() -> dg.JobDefinition:
    """The job over every asset; step processes find it by this function's name."""
    from ml_assets.definitions import defs

    return defs.resolve_job_def("ml_pipeline")


def plan_parts(graph: AssetGraph, keys: Sequence[dg.AssetKey], families: Sequence[str]) -> list[RunPart]:
    """The runs that make `keys` for `families`: one, or one for each stretch of neighbouring families.

    What has no families is made in the first run if the families need it, in the last if it needs them.
    """
    by_family = {key for key in keys if graph.get(key).is_partitioned}
    if not by_family:
        return [RunPart(tuple(keys), ())]
    downstream: set[dg.AssetKey] = set()
    for key in graph.toposorted_asset_keys:
        if graph.get(key).parent_keys & (by_family | downstream):
            downstream.add(key)
    stretches = _stretches(families)
    parts = []
    for number, stretch in enumerate(stretches):
        first, last = number == 0, number == len(stretches) - 1
        chosen = [k for k in keys if k in by_family or (last if k in downstream else first)]
        parts.append(RunPart(tuple(chosen), tuple(stretch)))
    return parts


def _stretches(families: Sequence[str]) -> list[list[str]]:
    order = model_names()
    stretches: list[list[str]] = []
    for family in sorted(families, key=order.index):
        if stretches and order.index(stretches[-1][-1]) + 1 == order.index(family):
            stretches[-1].append(family)
        else:
            stretches.append([family])
    return stretches


def execute(instance: dg.DagsterInstance, part: RunPart, *, settings: Mapping[str, Any], invocation: str) -> RunOutcome:
    """Runs `part` to its end; a failed step is told, not raised."""
    tags = {INVOCATION: invocation}
    if part.families:
        tags["dagster/asset_partition_range_start"] = part.families[0]
        tags["dagster/asset_partition_range_end"] = part.families[-1]
    with dg.execute_job(
        dg.reconstructable(pipeline_job),
        instance=instance,
        asset_selection=list(part.keys),
        run_config={"resources": {"settings": {"config": dict(settings)}}},
        tags=tags,
        raise_on_error=False,
    ) as result:
        problems = tuple(
            _problem(event.step_key or "", event.step_failure_data.error)
            for event in result.all_events
            if event.is_step_failure
        )
        return RunOutcome(result.run_id, result.success, problems, _warnings(result.all_events))


def _warnings(events: Iterable[dg.DagsterEvent]) -> tuple[str, ...]:
    """Failed checks that only warn, in the order in which they ended."""
    of_checks = (e.asset_check_evaluation_data for e in events if e.event_type is ASSET_CHECK_EVALUATION)
    return tuple(
        f"{found.asset_key.path[0]}: {found.check_name}: {found.description}"
        for found in of_checks
        if not found.passed and found.severity is dg.AssetCheckSeverity.WARN
    )


def _problem(step: str, error: SerializableErrorInfo | None) -> StepProblem:
    if error is None:
        return StepProblem(step, "the step's process ended without a word; was it killed?", 1, "")
    chain = [error]
    while chain[-1].cause is not None:
        chain.append(chain[-1].cause)
    for told in chain:
        ours = getattr(errors, told.cls_name or "", None)
        if isinstance(ours, type) and issubclass(ours, errors.MlAssetsError):
            return StepProblem(step, _text(told), ours.exit_code, error.to_string())
    cause, message = chain[-1], _text(chain[-1])
    if cause.cls_name == "OperationalError":
        return StepProblem(step, str(errors.database_error(message)), 1, error.to_string())
    return StepProblem(step, f"{cause.cls_name}: {message}", 1, error.to_string())


def _text(error: SerializableErrorInfo) -> str:
    """The message without the name of its class."""
    message = error.message.strip()
    return message.partition(": ")[2] or message
