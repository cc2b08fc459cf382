"""Later rows of a key: whose place they take, and what they leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_worlds import contract

from ml_assets.datasets.raw import raw_schema
from ml_assets.datasets.tables import assemble
from ml_assets.errors import ContractViolation

COLUMNS = {
    "id": {"dtype": "integer"},
    "part": {"dtype": "category"},
    "size": {"dtype": "float", "missing_share": 1.0},
    "label": {"dtype": "category", "missing_share": 1.0},
}
SPEC = contract(COLUMNS, key=["id", "part"])
NAMES = tuple(COLUMNS)


def part(*rows: tuple[Any, ...], names: tuple[str, ...] = NAMES) -> pl.DataFrame:
    kinds = raw_schema(SPEC)
    return pl.DataFrame(rows, schema={name: kinds[name] for name in names}, orient="row")


FIRST = part((1, "a", 1.0, "x"), (2, "a", 2.0, None), (3, "a", 3.0, "z"))


def test_a_later_row_takes_the_place_of_the_earlier_one() -> None:
    table = assemble(
        SPEC, {"source": FIRST}, {"batch": part((4, "a", 4.0, "w"), (2, "a", 2.5, "y"), (1, "b", 9.0, "x"))}
    )
    assert dict(table.schema) == raw_schema(SPEC)
    assert table.rows() == [
        (1, "a", 1.0, "x", "source"),
        (2, "a", 2.5, "y", "batch"),
        (3, "a", 3.0, "z", "source"),
        (4, "a", 4.0, "w", "batch"),
        (1, "b", 9.0, "x", "batch"),
    ]


def test_an_empty_target_never_takes_a_known_label_away_and_other_gaps_do() -> None:
    table = assemble(SPEC, {"source": FIRST}, {"batch": part((1, "a", None, None), (2, "a", 7.0, None))})
    assert table.rows()[:2] == [(1, "a", None, "x", "batch"), (2, "a", 7.0, None, "batch")]


def test_late_labels_bring_the_key_and_the_target_alone() -> None:
    labels = part((2, "a", "late"), (9, "a", "early"), (3, "a", None), names=("id", "part", "label"))
    table = assemble(SPEC, {"source": FIRST}, {"labels": labels})
    assert table.rows() == [(1, "a", 1.0, "x", "source"), (2, "a", 2.0, "late", "labels"), (3, "a", 3.0, "z", "labels")]
    whole = assemble(SPEC, {"source": FIRST}, {"labels": labels, "rows": part((9, "a", 9.0, None))})
    assert whole.rows()[-1] == (9, "a", 9.0, "early", "rows")


def test_rows_without_a_whole_key_stand_for_themselves() -> None:
    table = assemble(SPEC, {"source": part((None, "a", 1.0, "x"), (None, "a", 2.0, "x"), (1, None, 3.0, "x"))})
    assert table.height == 3


def test_without_a_key_nothing_is_replaced_and_no_column_may_be_left_out() -> None:
    spec = contract(COLUMNS)
    assert assemble(spec, {"source": FIRST}, {"batch": FIRST}).height == 6
    with pytest.raises(ContractViolation, match="batch: column 'label' is missing"):
        assemble(spec, {"source": FIRST}, {"batch": FIRST.drop("label")})


def test_with_a_key_a_batch_without_it_is_refused() -> None:
    with pytest.raises(ContractViolation, match="batch: column 'id' is missing"):
        assemble(SPEC, {"source": FIRST}, {"batch": FIRST.drop("id")})


def one_by_one(parts: Mapping[str, pl.DataFrame]) -> list[tuple[Any, ...]]:
    """The rule applied a row at a time."""
    places: dict[object, dict[str, Any]] = {}
    for batch, frame in parts.items():
        for at, row in enumerate(frame.iter_rows(named=True)):
            whole_key = row["id"] is not None and row["part"] is not None
            key = (row["id"], row["part"]) if whole_key else (batch, at)
            known = places.setdefault(key, dict.fromkeys([*NAMES, "has"]) | {"has": set()})
            label = known["label"]
            known |= row
            known["label"] = row["label"] if row.get("label") is not None else label
            known["batch"] = batch
            known["has"] |= row.keys()
            places[key] = known
    return [tuple(row[n] for n in (*NAMES, "batch")) for row in places.values() if row["has"] >= set(NAMES)]


ROW = st.tuples(
    st.one_of(st.none(), st.integers(0, 4)),
    st.sampled_from(["a", "b", None]),
    st.one_of(st.none(), st.floats(0, 9)),
    st.sampled_from(["x", "y", None]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.lists(ROW, max_size=7), st.booleans()), min_size=1, max_size=4))
def test_whole_columns_at_a_time_give_what_rows_one_by_one_do(
    batches: list[tuple[list[tuple[Any, ...]], bool]],
) -> None:
    parts = {"source": part((0, "a", 0.0, "x"))}
    for at, (rows, late) in enumerate(batches):
        frame = part(*rows)
        parts[f"batch {at}"] = frame.select("id", "part", "label") if late else frame
    table = assemble(SPEC, {"source": parts.pop("source")}, parts)
    assert table.rows() == one_by_one({"source": part((0, "a", 0.0, "x")), **parts})
