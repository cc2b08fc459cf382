from hypothesis import given
from hypothesis import strategies as st

from ml_assets.features.names import LONGEST, Names


@given(
    wanted=st.lists(st.one_of(st.text(max_size=8), st.sampled_from(["a", "a (2)", "a (3)", "x" * 300])), max_size=30)
)
def test_names_are_unique_printable_short_and_free_of_what_xgboost_refuses(wanted: list[str]) -> None:
    names = Names()
    given_out = [names.give(name) for name in wanted]
    assert len(set(given_out)) == len(given_out)
    for name in given_out:
        assert name
        assert name.isprintable()
        assert len(name) <= LONGEST + 8
        assert not set("[]<") & set(name)


def test_ordinary_names_stay_as_they_are() -> None:
    names = Names()
    for name in ("total_rooms_per_households", "colour=red", "size (m²), net", '"quoted" {name}: 1'):
        assert names.give(name) == name


def test_a_name_that_is_taken_is_numbered() -> None:
    names = Names()
    assert [names.give(n) for n in ("a\nb", "a b", "a b (2)", "a b", "[a]", "(a)")] == [
        "a b",
        "a b (2)",
        "a b (2) (2)",
        "a b (3)",
        "(a)",
        "(a) (2)",
    ]
