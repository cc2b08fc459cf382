"""The promotion gate over registered versions: asking both, judging, keeping the verdict. The asset: `delivery`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
from filelock import FileLock

from ml_assets.artifacts import storage_errors, write_atomically
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.errors import IntegrityError
from ml_assets.home import Home
from ml_assets.resources import registry

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

    from ml_assets.evaluation.gate import GateEntry
    from ml_assets.evaluation.record import Evaluation
    from ml_assets.evaluation.verdict import Force, Verdict

HISTORY = "deployments.jsonl"
CHECK = "promotion_gate"
PROMOTED_BY = "promoted_by"
"""Tag of a version that became champion: `gate`, or `force`."""


def deployment_lock(dataset: str) -> FileLock:
    """Lock that makes the verdict on a dataset and the move of its alias one act."""
    folder = Home.current().locks
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / f"deploy-{dataset}.lock")


def judge(
    client: MlflowClient,
    spec: DatasetSpec,
    challenger: registry.Registration,
    *,
    table: pd.DataFrame,
    splits: pd.DataFrame,
    evaluation: Evaluation | None,
    alpha: float,
    seed: int,
    run_id: str = "",
    force: Force | None = None,
) -> Verdict:
    """The verdict on a registered version, acted on and kept; call it under the deployment lock.

    The alias moves if the gate lets the challenger pass, or a person forces it. Version tags, the history, the ledger
    of test looks and `verdict.json` beside the reports say so.

    Args:
        client: of the registry.
        spec: the contract.
        challenger: version that is judged.
        table: the clean table.
        splits: columns `part` and `fold`, by row id.
        evaluation: of the challenger, where there is one of today's rows; else it is asked now.
        alpha: level of the tests, where the contract names none.
        seed: of the bootstrap.
        run_id: of the Dagster run; empty for a command.
        force: who promotes it against the gate, and why.
    """
    from ml_assets.datasets.identity import table_hash
    from ml_assets.evaluation.clusters import clusters_of
    from ml_assets.evaluation.gate import decide
    from ml_assets.evaluation.gate_slices import slices_of
    from ml_assets.evaluation.ledger import Look, record_look

    now = datetime.now(UTC).isoformat(timespec="seconds")
    data_hash, splits_hash = table_hash(table), table_hash(splits)
    champion = registry.registered(client, spec.name, registry.CHAMPION)
    models = {"challenger": challenger.origin.model_sha256}
    if champion is not None and champion.version != challenger.version:
        models["champion"] = champion.origin.model_sha256
    tested = splits.index[splits["part"] == "test"]
    reports = Home.current().reports / spec.name
    looks = record_look(reports, Look(now, data_hash, splits_hash, "gate", models, len(tested), run_id))
    fresh = evaluation if evaluation is not None and _is_of(evaluation, challenger, data_hash, splits_hash) else None
    entry = (
        evaluated_entry(spec, challenger, fresh, table) if fresh else registered_entry(spec, challenger, table, splits)
    )
    old = registered_entry(spec, champion, table, splits) if champion is not None else None
    verdict = decide(
        dataset=spec.name,
        challenger=entry,
        champion=old,
        task=spec.task,
        rules=spec.promotion,
        limits=spec.limits,
        alpha=alpha,
        slices=slices_of(spec, table.loc[tested]),
        clusters=clusters_of(spec, table.loc[tested]),
        looks=max(looks.challengers, 1),
        seed=seed,
        inputs=_inputs(spec, entry, old, data_hash, splits_hash),
    )
    verdict = replace(verdict, decided_at=now)
    if force is not None:
        told = f"{entry.label} is champion by the decision of {force.by} ({force.reason}); the gate: {verdict.reason}"
        verdict = replace(verdict, promoted=True, forced=force, reason=told)
    if verdict.promoted:
        client.set_registered_model_alias(spec.name, registry.CHAMPION, challenger.version)
    _tag(client, spec, challenger, verdict)
    _remember(reports, verdict, run_id)
    return verdict


def _is_of(evaluation: Evaluation, version: registry.Registration, data_hash: str, splits_hash: str) -> bool:
    found = (evaluation.model_sha256, evaluation.data_hash, evaluation.splits_hash)
    return found == (version.origin.model_sha256, data_hash, splits_hash)


def evaluated_entry(
    spec: DatasetSpec, version: registry.Registration, evaluation: Evaluation, table: pd.DataFrame
) -> GateEntry:
    """An evaluated version as the gate sees it, by its answers for the test rows."""
    from ml_assets.evaluation.decisions import rule_of
    from ml_assets.evaluation.gate import GateEntry
    from ml_assets.evaluation.gate_limits import Answers, measured

    answers = Answers.of(evaluation)
    return GateEntry.of(
        answers,
        version=version.label,
        family=version.origin.family,
        sha256=version.origin.model_sha256,
        rule=rule_of(spec.decision.costs),
        measured=measured(spec, table, answers),
    )


def registered_entry(
    spec: DatasetSpec, version: registry.Registration, table: pd.DataFrame, splits: pd.DataFrame
) -> GateEntry:
    """A registered version as the gate sees it: what its pipeline says of today's test rows that it never saw.

    Raises:
        IntegrityError: its file is missing or was changed.
    """
    from ml_assets.evaluation.candidates import answers_of, why_not_askable
    from ml_assets.evaluation.decisions import rule_of
    from ml_assets.evaluation.gate import GateEntry
    from ml_assets.evaluation.gate_limits import measured
    from ml_assets.learning.decision import costs_of
    from ml_assets.learning.fitted_model import load_verified, read_record, read_training_rows

    origin, folder = version.origin, version.model_file.parent
    pipeline, record = load_verified(version.model_file, origin.model_sha256), read_record(folder)
    costs = costs_of(pipeline)
    known: dict[str, Any] = {
        "version": version.label,
        "family": origin.family,
        "sha256": origin.model_sha256,
        "rule": rule_of(costs),
    }
    if unable := why_not_askable(spec, table, pipeline, record.contract):
        return GateEntry(**known, unscorable=unable)
    unseen = splits.index[splits["part"] == "test"].difference(list(read_training_rows(folder)), sort=False)
    size = version.model_file.stat().st_size
    try:
        answers = answers_of(spec, table.loc[unseen], pipeline, contract=record.contract, costs=costs, model_bytes=size)
    except (KeyError, TypeError, ValueError) as error:
        return GateEntry(**known, unscorable=f"it fails on today's rows ({type(error).__name__}: {error})")
    return GateEntry.of(answers, **known, measured=measured(spec, table, answers))


def _inputs(
    spec: DatasetSpec, challenger: GateEntry, champion: GateEntry | None, data_hash: str, splits_hash: str
) -> dict[str, str]:
    rows = challenger.row_losses.index
    if champion is not None:
        rows = rows.intersection(champion.row_losses.index)
    ids = "\n".join(sorted(map(str, rows)))
    return {
        "data": data_hash,
        "splits": splits_hash,
        "rows_compared": hashlib.sha256(ids.encode()).hexdigest(),
        "challenger_model": challenger.sha256,
        "champion_model": champion.sha256 if champion is not None else "",
        "contract": hashlib.sha256(spec.model_dump_json().encode()).hexdigest(),
    }


def _tag(client: MlflowClient, spec: DatasetSpec, version: registry.Registration, verdict: Verdict) -> None:
    """Puts the verdict on the version in MLflow; one that says it is champion already leaves the earlier words."""
    if verdict.is_same_model and verdict.forced is None:
        return
    figures = {
        "p_value": verdict.p_value,
        "significance": verdict.alpha,
        "improvement_share": verdict.share,
        "detectable_share": verdict.detectable_share,
        "power": verdict.power,
    }
    tags = {
        "verdict": verdict.reason,
        "verdict_promoted": str(verdict.promoted).lower(),
        "verdict_at": verdict.decided_at,
        "verdict_rows": str(verdict.n),
        "verdict_looks": str(verdict.looks),
        "verdict_inputs": json.dumps(dict(verdict.inputs)),
        **{f"verdict_{name}": f"{value:.6g}" for name, value in figures.items() if value == value},  # noqa: PLR0124
    }
    if verdict.promoted:
        tags[PROMOTED_BY] = "force" if verdict.forced else "gate"
    if verdict.forced is not None:
        force = verdict.forced
        tags |= {"forced_by": force.by, "forced_at": force.at, "forced_reason": force.reason}
    for name, value in tags.items():
        client.set_model_version_tag(spec.name, version.version, name, value)


def _remember(reports: Any, verdict: Verdict, run_id: str) -> None:
    """Adds a line to the dataset's history of verdicts, in one write, and replaces its `verdict.json`."""
    document = verdict.to_dict()
    write_atomically(reports / "verdict.json", (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())
    line = json.dumps({**document, "dagster_run_id": run_id})
    with storage_errors(reports), (reports / HISTORY).open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def let_through(client: MlflowClient, spec: DatasetSpec, version: registry.Registration) -> str:
    """How a version became champion: `gate` or `force`; empty where no verdict says so."""
    tags = client.get_model_version(spec.name, version.version).tags
    if PROMOTED_BY in tags:
        return str(tags[PROMOTED_BY])
    return "gate" if any(_promotes(line, version) for line in _history(spec.name)) else ""


def _promotes(line: Mapping[str, Any], version: registry.Registration) -> bool:
    return bool(line.get("promoted")) and line.get("challenger") == version.label


def _history(dataset: str) -> list[Mapping[str, Any]]:
    file = Home.current().reports / dataset / HISTORY
    try:
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise IntegrityError(f"{file} was damaged ({error}): put it back from a copy") from error


def check_spec(spec: DatasetSpec) -> dg.AssetCheckSpec:
    """The blocking check on `deployment`."""
    return dg.AssetCheckSpec(
        CHECK,
        asset=[spec.name, "deployment"],
        blocking=True,
        description="What answers has passed the gate. A challenger that the gate refuses is a warning, and the "
        "champion stays; a champion that breaks a limit or never passed the gate is an error and stops what follows.",
    )


def check_result(
    spec: DatasetSpec, verdict: Verdict, champion: registry.Registration | None, *, let_in_by: str
) -> dg.AssetCheckResult:
    """What the check on `deployment` says.

    Args:
        spec: the contract.
        verdict: that was just reached.
        champion: as it is now.
        let_in_by: `gate` or `force`, how the champion became one; empty where nothing says so.
    """
    passed, severity, words = True, dg.AssetCheckSeverity.WARN, verdict.reason
    if champion is not None and not let_in_by:
        passed, severity = False, dg.AssetCheckSeverity.ERROR
        words = (
            f"{champion.label} is champion, and no verdict let it through: was the alias moved by hand? "
            f'`ml-assets promote {spec.name} --version {champion.version} --force --reason "…"` puts that on record'
        )
    elif verdict.breaches and not verdict.promoted:
        passed, severity = False, dg.AssetCheckSeverity.ERROR
        words = f"the champion breaks a limit of the contract: {'; '.join(verdict.breaches)}. {verdict.reason}"
    elif champion is None:
        passed = False
    elif let_in_by == "force":
        passed, words = False, f"{champion.label} answers because somebody overruled the gate. {verdict.reason}"
    elif not verdict.promoted and not verdict.is_same_model:
        passed = False
    metadata: dict[str, Any] = {"looks_at_the_test_rows": verdict.looks, "parts": verdict_parts(verdict)}
    return dg.AssetCheckResult(
        check_name=CHECK,
        asset_key=[spec.name, "deployment"],
        passed=passed,
        severity=severity,
        description=words,
        metadata=metadata,
    )


def verdict_parts(verdict: Verdict) -> dg.MetadataValue[Any]:
    """The parts of a verdict as Dagster's UI shows them."""
    from ml_assets.assets.metadata import records_table

    return records_table(verdict.parts)


def verdict_metadata(verdict: Verdict, champion: registry.Registration | None) -> dict[str, Any]:
    """A verdict as Dagster's UI shows it."""
    from ml_assets.assets.metadata import records_table

    document = verdict.to_dict()
    tables = {name: records_table(getattr(verdict, name)) for name in ("parts", "slices", "limits")}
    plain = {name: value for name, value in document.items() if name not in tables and value is not None}
    return {"champion_version": champion.version if champion else None, **plain, **tables}


def keep_outside_a_run(
    client: MlflowClient, home: Home, spec: DatasetSpec, verdict: Verdict, champion: registry.Registration | None
) -> None:
    """Stores a verdict that a command reached as the asset `deployment`, and tells Dagster of it and of its check.

    What Dagster knew of the asset's inputs stays, so that the asset is as fresh as it was and what follows it is not.
    """
    from dagster._core.definitions.data_version import DATA_VERSION_TAG

    from ml_assets.automation.instance import open_instance
    from ml_assets.resources.store import artifact_key, artifact_store

    key = dg.AssetKey([spec.name, "deployment"])
    stored = artifact_store().save(artifact_key(key), verdict)
    let_in_by = let_through(client, spec, champion) if champion is not None else ""
    found = check_result(spec, verdict, champion, let_in_by=let_in_by)
    with open_instance(home) as instance:
        last = instance.get_latest_materialization_event(key)
        before = last.asset_materialization if last is not None else None
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                key,
                metadata=verdict_metadata(verdict, champion),
                tags={**((before.tags if before is not None else None) or {}), DATA_VERSION_TAG: stored.sha256},
            )
        )
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=key,
                check_name=CHECK,
                passed=found.passed,
                metadata=found.metadata,
                severity=found.severity,
                description=found.description,
                blocking=True,
            )
        )
