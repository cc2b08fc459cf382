"""How often test rows were looked at: counted once each, by several processes at once, and told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from ml_assets.errors import IntegrityError
from ml_assets.evaluation.ledger import FILE, Look, looks_at, looks_section, record_look

EVALUATION = Look("2026-11-25T06:00:00+00:00", "d" * 64, "s" * 64, "evaluation", {"linear": "a", "svm": "b"}, 30, "run")
GATE = replace(EVALUATION, purpose="gate", models={"challenger": "a", "champion": "c"})


def test_a_look_is_a_line_and_the_same_again_is_none(tmp_path: Path) -> None:
    assert looks_at(tmp_path, EVALUATION.data_hash, EVALUATION.splits_hash).count == 0
    for look in (EVALUATION, GATE, EVALUATION, replace(GATE, at="later", run_id="another")):
        found = record_look(tmp_path, look)
    assert (found.count, found.models, found.challengers) == (2, 3, 1)
    assert len((tmp_path / FILE).read_text().splitlines()) == 2
    assert found == looks_at(tmp_path, EVALUATION.data_hash, EVALUATION.splits_hash)


def test_another_model_is_another_look_and_other_rows_count_for_themselves(tmp_path: Path) -> None:
    record_look(tmp_path, GATE)
    assert record_look(tmp_path, replace(GATE, models={"challenger": "z"})).challengers == 2
    assert record_look(tmp_path, replace(GATE, splits_hash="t" * 64)).challengers == 1
    assert record_look(tmp_path, replace(EVALUATION, models={"linear": "a"})).count == 3
    assert record_look(tmp_path, EVALUATION).count == 4, "one of its models is new"


def test_looks_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: record_look(tmp_path, replace(GATE, models={"challenger": str(i)})), range(24)))
    assert looks_at(tmp_path, GATE.data_hash, GATE.splits_hash).challengers == 24


def test_a_damaged_ledger_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"at": "half a li\n')
    with pytest.raises(IntegrityError, match=r"test_looks\.jsonl was damaged .* move it away to count from here on"):
        record_look(tmp_path, GATE)


def test_the_count_and_what_it_means_are_told(tmp_path: Path) -> None:
    for sha in "xyz":
        found = record_look(tmp_path, replace(GATE, models={"challenger": sha}))
    section = looks_section(found)
    assert section.paragraphs[0].startswith("These test rows were scored 3 times, 3 different models in all.")
    assert "chance of up to 14.3 %" in section.paragraphs[1]
    assert len(section.tables[0].rows) == 3
    nothing = looks_section(looks_at(tmp_path, "other", "rows"))
    assert (nothing.paragraphs, nothing.tables) == (("No look at these test rows was recorded.",), ())
