"""The promotion verdict as it is kept: every part of it, its figures and its inputs' hashes.

Reaching one belongs in `gate`, its words for a page in `verdict_words`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from ml_assets.evaluation.documents import as_float, plain, read_document, write_document

if TYPE_CHECKING:
    from pathlib import Path

FILE = "verdict.json"
NAN = math.nan

State = Literal["passed", "failed", "cannot be said", "not asked"]
SliceState = Literal["no worse", "worse", "not shown", "unclear", "too few rows"]


@dataclass(frozen=True)
class Part:
    """One question of the gate, and its answer in words."""

    name: str
    state: State
    words: str

    @property
    def holds(self) -> bool:
        """Whether this part lets the challenger pass."""
        return self.state in ("passed", "not asked")


@dataclass(frozen=True)
class SliceResult:
    """Champion and challenger on rows that have something in common.

    Attributes:
        column: what the slice is of.
        named: whether the contract names the column, or it is sensitive.
        rows: that neither model saw.
        change: of the score, as a share of the champion's; above 0 is worse.
        worst_change: upper end of its one-sided interval.
        p_no_worse: that it is worse by the margin or more; small shows that it is not.
        p_worse: that it is worse by no more than the margin, by Holm's method over the slices; small shows it is.
    """

    column: str
    name: str
    named: bool
    rows: int
    champion_score: float
    challenger_score: float
    change: float
    worst_change: float
    p_no_worse: float
    p_worse: float
    state: SliceState


@dataclass(frozen=True)
class LimitResult:
    """A limit of the contract and what was measured; `value` is NaN where nothing was."""

    name: str
    limit: float
    value: float
    state: State
    words: str


@dataclass(frozen=True)
class Force:
    """Who overruled the gate, when (ISO 8601, UTC), and why."""

    by: str
    at: str
    reason: str


@dataclass(frozen=True)
class Verdict:
    """What the gate decided, and the numbers it went by; older documents lack what has a default here.

    Numbers that do not exist, as for a first champion, are NaN.

    Attributes:
        improvement: the champion's mean loss minus the challenger's per row (squared error, negative log likelihood),
            so positive is better.
        p_value: the larger of Student's and the bootstrap's.
        n: rows that were compared.
        clusters: groups that they fall into; as many as rows where rows are independent.
        metric: the primary metric, which the scores and effects are of.
        score_change: champion's score minus challenger's, with the interval of confidence 1 - alpha.
        share: the same as a share of the champion's score.
        detectable: smallest improvement of the score that the gate could have seen with `power`, and its share.
        smallest_share: improvement the contract asks to see; NaN where it asks for none.
        looks: challengers judged on these test rows so far, this one included.
        inputs: hash by name of everything the verdict was made from.
        notes: what could not be said, and what to keep in mind.
        breaches: limits of the contract that the champion breaks which stays.
        forced: set where a person overruled the gate.
    """

    dataset: str
    promoted: bool
    method: str
    reason: str
    challenger: str
    champion: str | None
    improvement: float
    standard_error: float
    p_value: float
    alpha: float
    n: int
    clusters: int = 0
    metric: str = ""
    p_t: float = NAN
    p_bootstrap: float = NAN
    champion_score: float = NAN
    challenger_score: float = NAN
    score_change: float = NAN
    score_low: float = NAN
    score_high: float = NAN
    share: float = NAN
    share_low: float = NAN
    share_high: float = NAN
    power: float = NAN
    detectable: float = NAN
    detectable_share: float = NAN
    smallest_share: float = NAN
    margin: float = NAN
    looks: int = 1
    parts: tuple[Part, ...] = ()
    slices: tuple[SliceResult, ...] = ()
    limits: tuple[LimitResult, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    breaches: tuple[str, ...] = ()
    forced: Force | None = None
    decided_at: str = ""

    @property
    def is_same_model(self) -> bool:
        """Whether challenger and champion are one registered version, so that there was nothing to decide."""
        return self.champion is not None and self.champion == self.challenger

    def to_dict(self) -> dict[str, Any]:
        """The verdict in JSON's own types; NaN is None."""
        content: dict[str, Any] = plain(asdict(self))
        return content

    def save(self, folder: Path) -> None:
        """Write `verdict.json`."""
        write_document(folder / FILE, self.to_dict())

    @classmethod
    def load(cls, folder: Path) -> Verdict:
        """Read `verdict.json`."""
        return cls.of(read_document(folder / FILE))

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Verdict:
        """The verdict that `to_dict` made a document of; keys that it does not know are passed over."""
        content = _known(cls, document)
        content["parts"] = tuple(Part(**part) for part in content.get("parts", ()))
        content["slices"] = tuple(SliceResult(**_known(SliceResult, one)) for one in content.get("slices", ()))
        content["limits"] = tuple(LimitResult(**_known(LimitResult, one)) for one in content.get("limits", ()))
        content["notes"], content["breaches"] = (tuple(content.get(name, ())) for name in ("notes", "breaches"))
        content["forced"] = Force(**content["forced"]) if content.get("forced") else None
        return cls(**content)


def _known(kind: Any, document: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a document by the names of a dataclass's fields, its floats with null as NaN."""
    return {
        f.name: as_float(document[f.name]) if f.type == "float" else document[f.name]
        for f in fields(kind)
        if f.name in document
    }
