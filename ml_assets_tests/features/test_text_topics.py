import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from ml_assets.features import texts
from ml_assets.features.texts import MOST_TOPICS, TextTopics, most_topics

THINGS = ("apple pie with cream", "motor oil for old cars", "a song for the evening", "bread and butter and jam")


def _column(values: list[str | None]) -> pd.Series:
    return pd.Series(values, dtype=object)


def _talk(rows: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [f"{' '.join(rng.permutation(THINGS[i % 4].split()))} number {rng.integers(1000)}" for i in range(rows)]


@settings(deadline=None, max_examples=60)
@given(
    training=st.lists(st.one_of(st.none(), st.text(max_size=20)), min_size=1, max_size=25),
    later=st.lists(st.one_of(st.none(), st.text(max_size=20)), max_size=5),
)
def test_any_texts_become_finite_topics_lengths_and_flags(training: list[str | None], later: list[str | None]) -> None:
    topics = TextTopics().fit(_column(training))
    for values in (training, later, [None], [""]):
        made = pd.DataFrame(topics.transform(_column(values)), columns=list(topics.names_))
        assert len(made) == len(values)
        for value, length in zip(values, made[" (length)"], strict=True):
            assert np.isnan(length) if value is None else length == len(value)
        assert np.isfinite(made.drop(columns=" (length)").to_numpy()).all()
        if " (missing)" in made:
            assert made[" (missing)"].tolist() == [float(value is None) for value in values]
    assert topics.topics_ <= most_topics(len(training))
    assert (" (missing)" in topics.names_) == (None in training and training.count(None) < len(training))


def test_topics_are_few_and_tell_what_texts_are_about() -> None:
    said, about = _talk(600), [i % 4 for i in range(600)]
    topics = TextTopics().fit(_column(said[:400]))
    assert topics.topics_ == MOST_TOPICS
    training, later = (topics.transform(_column(part))[:, :-1] for part in (said[:400], said[400:]))
    assert LogisticRegression(C=100).fit(training, about[:400]).score(later, about[400:]) > 0.95


@pytest.mark.parametrize("values", [["北京市朝阳区", "上海市浦东新区"] * 20, [f"XK-{i:04}" for i in range(40)]])
def test_texts_that_are_no_words_are_read_by_their_characters(values: list[str]) -> None:
    assert TextTopics().fit(_column(values)).vectorizer_.analyzer == "char_wb"
    assert TextTopics().fit(_column(_talk(40))).vectorizer_.analyzer == "word"


def test_the_same_seed_learns_the_same_topics_from_a_sample_too(monkeypatch: pytest.MonkeyPatch) -> None:
    said = _column(_talk(300))
    whole = TextTopics().fit(said)
    monkeypatch.setattr(texts, "LEARNED_CHARACTERS", 2000)
    first, again, other = (TextTopics(seed).fit(said) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.transform(said), again.transform(said))
    assert set(first.vectorizer_.vocabulary_) != set(other.vectorizer_.vocabulary_)
    assert set(first.vectorizer_.vocabulary_) < set(whole.vectorizer_.vocabulary_)


STORE = """
import sys
import joblib
import pandas as pd
from ml_assets.features.texts import TextTopics
said = pd.Series([f"word {i % 7} and {i % 11} more" for i in range(99)], dtype=object)
topics = TextTopics().fit(said)
topics.transform(said)
joblib.dump(topics, sys.argv[1])
"""


def test_equal_topics_are_equal_bytes_in_any_process(tmp_path: Path) -> None:
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", STORE, str(tmp_path / seed)], env=environment, check=True)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_of_a_huge_text_the_beginning_is_read_and_the_whole_is_counted() -> None:
    said = _talk(50)
    topics = TextTopics().fit(_column(said))
    long = said[0] + " word" * 400_000
    made = topics.transform(_column([long, long[:2000]]))
    np.testing.assert_array_equal(made[0, :-1], made[1, :-1])
    assert made[0, -1] == len(long)
