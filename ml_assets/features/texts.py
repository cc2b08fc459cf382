"""Columns made of free text: a few topics, the length, and whether there is a text. Other kinds are next door."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from threadpoolctl import threadpool_limits

from ml_assets.features.labels import as_texts

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from sklearn.feature_extraction.text import TfidfVectorizer

MOST_TOPICS: Final = 32
ROWS_A_TOPIC: Final = 10
MOST_TERMS: Final = 20_000
READ_CHARACTERS: Final = 2_000
"""Of a longer text the beginning is read."""
LEARNED_CHARACTERS: Final = 2_000_000
"""Characters that the terms are learned from; of a larger column a sample of the rows."""

WORD: Final = r"(?u)\b\w+\b"
FEWEST_WORDS: Final = 3.0
LONGEST_WORD: Final = 12.0


def most_topics(rows: int) -> int:
    """Topics that a text column of so many training rows gets at most."""
    return max(1, min(MOST_TOPICS, rows // ROWS_A_TOPIC))


class TextTopics(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """TF-IDF weights of the terms of a text, reduced to a few topics by a truncated singular value decomposition.

    The reduction is that of Deerwester et al. (1990), "Indexing by latent semantic analysis". Terms are words and pairs
    of words; where texts are codes, names or written without blanks (few words, or long ones) they are runs of two to
    four characters. A missing text has zero topics and no length. Where terms are fewer than topics would be they are
    taken as they are.

    Args:
        seed: of the sample that terms are learned from, and of the decomposition.

    Attributes:
        topics_: number of topic columns.
        has_gaps_: whether some texts were missing in training, and some were not.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, X: pd.Series[Any], y: Any = None) -> Self:
        """Learns terms and topics from texts `X` (n,); returns itself."""
        from sklearn.decomposition import TruncatedSVD

        texts, missing = as_texts(X), X.isna().to_numpy()
        self.has_gaps_ = bool(missing.any() and not missing.all())
        self.vectorizer_ = self.svd_ = None
        self.topics_ = 0
        read = _sample([text[:READ_CHARACTERS] for text in texts[~missing]], self.seed)
        vectorizer = _vectorizer(read)
        analyse = vectorizer.build_analyzer()
        if not any(analyse(text) for text in read):
            return self
        weights = vectorizer.fit_transform(read)
        self.vectorizer_ = vectorizer
        self.topics_ = min(most_topics(len(texts)), weights.shape[1], len(read))
        if self.topics_ < weights.shape[1]:
            svd = TruncatedSVD(self.topics_, random_state=self.seed)
            with np.errstate(all="ignore"), threadpool_limits(1):
                self.svd_ = svd.fit(weights)
        return self

    @property
    def names_(self) -> tuple[str, ...]:
        """What each column is, after the name of the column it is made of."""
        topics = (f" (topic {number})" for number in range(1, self.topics_ + 1))
        return (*topics, " (length)", *([" (missing)"] if self.has_gaps_ else []))

    def transform(self, X: pd.Series[Any]) -> NDArray[np.float64]:
        """Topics, number of characters and, where training had gaps, whether the text is missing: (n, columns)."""
        texts, missing = as_texts(X), X.isna().to_numpy()
        length = np.array([np.nan if text is None else len(text) for text in texts], dtype=np.float64)
        columns = [self._topics(texts), length[:, None]]
        return np.hstack([*columns, missing.astype(np.float64)[:, None]] if self.has_gaps_ else columns)

    def __getstate__(self) -> dict[str, Any]:
        """Without the address in memory that scikit-learn's vectorizer keeps, so that equal plans are equal bytes."""
        state = dict(super().__getstate__())
        if state.get("vectorizer_") is not None:
            state["vectorizer_"] = copy(state["vectorizer_"])
            state["vectorizer_"].__dict__.pop("_stop_words_id", None)
        return state

    def _topics(self, texts: NDArray[np.object_]) -> NDArray[np.float64]:
        if self.vectorizer_ is None or not len(texts):
            return np.zeros((len(texts), self.topics_))
        weights = self.vectorizer_.transform([(text or "")[:READ_CHARACTERS] for text in texts])
        return np.asarray(weights.toarray() if self.svd_ is None else self.svd_.transform(weights), dtype=np.float64)


def _sample(texts: list[str], seed: int) -> list[str]:
    """`texts`, or so many of them, drawn without replacement, that about `LEARNED_CHARACTERS` are read."""
    total = sum(map(len, texts))
    if total <= LEARNED_CHARACTERS:
        return texts
    share = LEARNED_CHARACTERS / total
    kept = np.random.default_rng(seed).random(len(texts)) < share
    return [text for text, keep in zip(texts, kept, strict=True) if keep]


def _vectorizer(texts: list[str]) -> TfidfVectorizer:
    """Reads words, or characters where words say little; counts are damped to 1 + ln n."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    settings = {"max_features": MOST_TERMS, "sublinear_tf": True, "dtype": np.float32}
    words = TfidfVectorizer(token_pattern=WORD, ngram_range=(1, 2), **settings)
    tokenise, first = words.build_tokenizer(), texts[:1000]
    lengths = [len(word) for text in first for word in tokenise(text)]
    if len(lengths) >= FEWEST_WORDS * len(first) and sum(lengths) <= LONGEST_WORD * len(lengths):
        return words
    return TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), **settings)
