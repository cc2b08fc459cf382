"""What the check on `deployment` says of each outcome: what stops a run, and what is only worth a look."""

from __future__ import annotations

from dataclasses import replace

import dagster as dg
import pandas as pd
import pytest

from ml_assets.assets.policy import promotion_version
from ml_assets.assets.promotion import check_result, check_spec, verdict_metadata
from ml_assets.datasets.contracts import load_contract
from ml_assets.datasets.judging import Promotion
from ml_assets.datasets.spec import Limits
from ml_assets.evaluation.gate import GateEntry, decide
from ml_assets.evaluation.verdict import Verdict
from ml_assets.resources.registry import Origin, Registration

IRIS = load_contract("iris")
ORIGIN = Origin("iris", "linear", "run", "1", "d", "s", "m", "models/x", "log_loss", 0.1, 0.1, (0.1, 0.2))
CHAMPION = Registration("1", "run", ORIGIN)
LOSSES = pd.Series(range(1, 41), dtype=float)


def refused(**more: object) -> Verdict:
    old = GateEntry("version 1", "linear", LOSSES, sha256="1")
    new = GateEntry("version 2", "linear", LOSSES + (LOSSES % 3 - 1) * 0.1, sha256="2")
    return replace(decide(dataset="iris", challenger=new, champion=old), **more)


def said(verdict: Verdict, champion: Registration | None = CHAMPION, let_in_by: str = "gate") -> dg.AssetCheckResult:
    return check_result(IRIS, verdict, champion, let_in_by=let_in_by)


def test_the_gate_is_a_blocking_check() -> None:
    assert check_spec(IRIS).blocking


def test_a_refused_challenger_is_a_warning_that_stops_nothing() -> None:
    found = said(refused())
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "version 1 (linear) stays" in (found.description or "")


def test_a_promotion_and_a_champion_that_is_judged_again_pass() -> None:
    assert said(refused(promoted=True)).passed
    assert said(refused(challenger="version 1")).passed


def test_a_champion_that_no_verdict_let_through_is_an_error_with_the_remedy() -> None:
    found = said(refused(), let_in_by="")
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "was the alias moved by hand? `ml-assets promote iris --version 1 --force" in (found.description or "")


def test_a_champion_that_breaks_a_limit_and_stays_is_an_error() -> None:
    found = said(refused(breaches=("megabytes of the stored model: 30, and the limit is at most 10",)))
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "megabytes" in (found.description or "")


@pytest.mark.parametrize(("champion", "let_in_by"), [(None, ""), (CHAMPION, "force")])
def test_no_champion_and_a_forced_one_are_warnings(champion: Registration | None, let_in_by: str) -> None:
    found = said(refused(), champion, let_in_by)
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)


def test_the_verdicts_parts_and_hashes_are_shown() -> None:
    shown = verdict_metadata(refused(inputs={"data": "abc"}), CHAMPION)
    assert shown["inputs"] == {"data": "abc"}
    assert "better overall" in shown["parts"].value
    assert shown["champion_version"] == "1"


def test_rules_of_promotion_and_limits_change_the_version_of_the_deployment_only_where_there_are_any() -> None:
    assert promotion_version(IRIS, "2") == "2"
    ruled = IRIS.model_copy(update={"promotion": Promotion(power=0.9)})
    limited = IRIS.model_copy(update={"limits": Limits(megabytes=1)})
    assert len({promotion_version(spec, "2") for spec in (IRIS, ruled, limited)}) == 3
