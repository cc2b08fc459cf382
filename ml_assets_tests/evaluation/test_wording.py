from __future__ import annotations

import pytest

from ml_assets.evaluation import wording


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (47213.4, "47,213"),
        (1.23456, "1.235"),
        (0.05, "0.05000"),
        (-0.001234567, "-0.001235"),
        (0, "0"),
        (float("nan"), "not defined"),
        (1.5e-9, "1.5e-09"),
    ],
)
def test_numbers_have_four_digits_and_never_lose_whole_ones(value: float, text: str) -> None:
    assert wording.number(value) == text


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.13511, 0.02477, "0.135 ± 0.025"),
        (56091.63, 1594.03, "56,092 ± 1,594"),
        (12.0, 0.0, "12.00"),
        (12.0, float("nan"), "12.00"),
    ],
)
def test_a_value_is_written_to_the_second_digit_of_its_error(value: float, error: float, text: str) -> None:
    assert wording.with_error(value, error) == text


def test_durations_sizes_and_p_values_read_well() -> None:
    assert [wording.duration(s) for s in (0.04, 59.94, 59.96, 61, 3599.6)] == [
        "0.0 s",
        "59.9 s",
        "1 min 00 s",
        "1 min 01 s",
        "60 min 00 s",
    ]
    assert [wording.size(n) for n in (900, 123_456, 5_640_000)] == ["1 kB", "123 kB", "5.6 MB"]
    assert [wording.p_value(p) for p in (0.0001, 0.0312, float("nan"))] == [
        "p < 0.001",
        "p = 0.031",
        "no p-value",
    ]
    assert [wording.listed(n) for n in ([], ["a"], ["a", "b", "c"])] == ["none", "a", "a, b and c"]
