"""What all assets of a dataset share: key, group, owner, tags, partitions, code version. Nothing of a single stage."""

from __future__ import annotations

import hashlib
from typing import Any

import dagster as dg
from pydantic import BaseModel

from ml_assets.datasets.judging import Comparison, IntervalRules, Promotion
from ml_assets.datasets.spec import DatasetSpec, Decision, Limits
from ml_assets.families import family_names, load_family, model_names

FAMILIES = dg.StaticPartitionsDefinition(list(model_names()))
"""One partition a model family, the ensemble last; shared by every dataset, so that one run can hold them all."""


FITS = {"key": "ml_assets/fits", "value": "on all cores"}
"""Tag of the steps that fit models on all cores; the executor runs few of them at once."""

STAGES = ("ingestion", "preparation", "features", "training", "evaluation", "delivery", "monitoring")
"""Groups in the order the data flows; a step of a later stage goes first, so that datasets end one after another."""


def whole_range() -> dict[str, str]:
    """Run tags that select every family in one run."""
    first, last = model_names()[0], model_names()[-1]
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}


def key(spec: DatasetSpec, asset: str) -> dg.AssetKey:
    """`<dataset>/<asset>`."""
    return dg.AssetKey([spec.name, asset])


def of(spec: DatasetSpec, asset: str, **options: Any) -> dg.AssetIn:
    """Input from another asset of the same dataset."""
    return dg.AssetIn(key(spec, asset), **options)


def families_of(spec: DatasetSpec, asset: str) -> dg.AssetIn:
    """Input from every family of a partitioned asset that is there, as a dict by family."""
    return of(spec, asset, metadata={"allow_missing_partitions": True})


def policy(
    spec: DatasetSpec,
    stage: str,
    *,
    kinds: set[str],
    version: str = "1",
    by_family: bool = False,
    fits: bool = False,
    priority: int = 0,
) -> dict[str, Any]:
    """Arguments of `dg.asset` that do not depend on what the asset does.

    Args:
        spec: contract of the dataset.
        stage: group in the UI.
        kinds: at most three tools that the UI shows on the asset.
        version: code version; raise it when the same inputs give another result.
        by_family: whether there is one partition a model family.
        fits: whether the step fits models on all cores.
        priority: raise it where a step shall go before others of its stage.
    """
    return {
        "key_prefix": [spec.name],
        "group_name": stage,
        "kinds": kinds,
        "owners": [spec.owner],
        "tags": {"dataset": spec.name, "task": spec.task.value},
        "code_version": version,
        "op_tags": {
            "dagster/priority": str(10 * STAGES.index(stage) + priority),
            **({FITS["key"]: FITS["value"]} if fits else {}),
        },
        "backfill_policy": dg.BackfillPolicy.single_run(),
        "partitions_def": FAMILIES if by_family else None,
    }


def contract_version(spec: DatasetSpec, version: str = "1") -> str:
    """Code version that changes with the contract."""
    return f"{version}.{hashlib.sha256(spec.model_dump_json().encode()).hexdigest()[:12]}"


def decision_version(spec: DatasetSpec, version: str) -> str:
    """Code version that changes with the contract's costs, class weights, order of classes and rules of intervals."""
    if (spec.decision, spec.ordinal, spec.intervals) == (Decision(), False, IntervalRules()):
        return version
    order = ",".join(spec.labels) if spec.ordinal else ""
    content = f"{spec.decision.model_dump_json()} {spec.ordinal} {order} {spec.intervals.model_dump_json()}"
    return f"{version}.{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def limits_version(spec: DatasetSpec, version: str) -> str:
    """Code version that changes with the contract's limits of a model and its rules of comparison."""
    rules = [part for part in (spec.limits, spec.comparison) if part not in (Limits(), Comparison())]
    return _versioned(version, *rules)


def promotion_version(spec: DatasetSpec, version: str) -> str:
    """Code version that changes with the contract's limits of a model and its rules of promotion."""
    rules = [part for part in (spec.limits, spec.promotion) if part not in (Limits(), Promotion())]
    return _versioned(version, *rules)


def _versioned(version: str, *rules: BaseModel) -> str:
    """`version`, with a hash of the rules where there are any."""
    content = " ".join(rule.model_dump_json() for rule in rules)
    return f"{version}.{hashlib.sha256(content.encode()).hexdigest()[:12]}" if rules else version


def weights_version(spec: DatasetSpec, version: str) -> str:
    """Code version that changes with the contract's class weights."""
    weight = spec.decision.class_weight
    return version if weight == "none" else f"{version}-{weight}"


def families_version(version: str = "1") -> str:
    """Code version that changes when a family raises its own; a new family leaves the others as they are."""
    raised = [f"{name}.{v}" for name in family_names() if (v := load_family(name).version) != "1"]
    return "-".join([version, *raised])
