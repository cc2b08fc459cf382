"""Columns made of labels: one for each of a few, or what the target is like where labels are many.

Which of the two a column gets is decided in `plan`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

PRIOR_ROWS: Final = 10.0
"""Rows that the mean of all rows counts for in the mean of a label."""

MOST_CLASSES: Final = 10
"""Classes whose share is told by label: the commonest."""


def as_texts(values: pd.Series[Any]) -> NDArray[np.object_]:
    """Labels as an object array (n,) of str, None where missing."""
    absent = values.isna().to_numpy()
    texts = values.astype(str).to_numpy(dtype=object)
    texts[absent] = None
    return texts


class LabelColumns(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """One column of zeros and ones for each label of training; an unknown label and a gap give zeros.

    Attributes:
        labels_: sorted.
    """

    def fit(self, X: pd.Series[Any], y: Any = None) -> Self:
        """Learns the labels in `X` (n,); returns itself."""
        self.labels_ = tuple(sorted({text for text in as_texts(X) if text is not None}))
        return self

    @property
    def names_(self) -> tuple[str, ...]:
        """What each column is, after the name of the column it is made of."""
        return tuple(f"={label}" for label in self.labels_)

    def transform(self, X: pd.Series[Any]) -> NDArray[np.float64]:
        """Zeros and ones (n, labels)."""
        places = pd.Index(self.labels_, dtype=object).get_indexer(as_texts(X))
        return np.asarray(places[:, None] == np.arange(len(self.labels_)), dtype=np.float64)


class Targets(NamedTuple):
    """The target as numbers: a name for each column, and the columns (n, k)."""

    names: tuple[str, ...]
    columns: NDArray[np.float64]


def as_targets(y: ArrayLike | None, rows: int) -> Targets:
    """The target `y` (n,) itself where it is a number; of labels, whether a row is of a class.

    Of two classes the second in sorted order is told, of more the `MOST_CLASSES` commonest; without `y` nothing is.
    """
    if y is None:
        return Targets((), np.empty((rows, 0)))
    target = np.asarray(y)
    if target.dtype.kind in "fiub":
        return Targets(("target mean",), target.astype(np.float64)[:, None])
    codes, classes = pd.factorize(target, sort=True)
    common = np.argsort(-np.bincount(codes), kind="stable")[:MOST_CLASSES]
    told = np.array([1]) if len(classes) == 2 else np.sort(common)
    return Targets(tuple(f"share of {classes[i]}" for i in told), (codes[:, None] == told).astype(np.float64))


class TargetMeans(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """For each row the mean target of training rows with its label, and the share of rows that have it.

    The mean is drawn towards that of all rows, which counts for `PRIOR_ROWS` rows (Micci-Barreca 2001, "A preprocessing
    scheme for high-cardinality categorical attributes"); for classes there is one column each, the share of the class.
    Missing is a label too. A label that one row has is as good as unknown: unknown labels get the mean of all rows.

    Training rows are given means over the other folds (`fit_transform`), so that no row sees its own target.
    scikit-learn's `TargetEncoder` does the same, but draws the folds at random, so that copies of a row and rows of a
    group see each other's target, and draws towards the mean of the other folds, which tells a row's fold.

    Attributes:
        labels_: labels that two rows or more have, sorted.
    """

    def fit(self, X: pd.Series[Any], y: Targets) -> Self:
        """Learns the means of `y` by the labels `X` (n,); returns itself."""
        texts = as_texts(X)
        counts = pd.Series(texts, dtype=object).value_counts()
        self.labels_ = tuple(sorted(counts.index[counts > 1]))
        self.knows_missing_ = len(texts) - int(counts.sum()) > 1
        self.targets_ = y.names
        self.prior_ = y.columns.mean(axis=0)
        codes = self._codes(X)
        self.mean_ = self._means(codes, y.columns)
        self.share_ = self._counts(codes) / len(codes)
        return self

    def fit_transform(self, X: pd.Series[Any], y: Targets, folds: NDArray[np.int64]) -> NDArray[np.float64]:
        """As `fit`; what `transform` gives, but with each row's means over the rows of the other `folds` (n,)."""
        codes = self.fit(X, y)._codes(X)
        means = np.empty(y.columns.shape)
        for fold in np.unique(folds):
            inside = folds == fold
            means[inside] = self._means(codes[~inside], y.columns[~inside])[codes[inside]]
        return np.column_stack([means, self.share_[codes]])

    def transform(self, X: pd.Series[Any]) -> NDArray[np.float64]:
        """Means and share (n, targets + 1) by the labels `X` (n,)."""
        codes = self._codes(X)
        return np.column_stack([self.mean_[codes], self.share_[codes]])

    @property
    def names_(self) -> tuple[str, ...]:
        """What each column is, after the name of the column it is made of."""
        return (*(f" ({target})" for target in self.targets_), " (frequency)")

    def _codes(self, X: pd.Series[Any]) -> NDArray[np.int64]:
        """Place of each label in what was learned; the last place but one is for missing, the last for unknown."""
        codes = pd.Index(self.labels_, dtype=object).get_indexer(as_texts(X))
        missing, unknown = X.isna().to_numpy() & self.knows_missing_, len(self.labels_) + 1
        return np.where(missing, unknown - 1, np.where(codes < 0, unknown, codes))

    def _counts(self, codes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Rows by place, (places,); none are of unknown label."""
        counts = np.bincount(codes, minlength=len(self.labels_) + 2).astype(np.float64)
        counts[-1] = 0
        return counts

    def _means(self, codes: NDArray[np.int64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean of each target by place, (places, targets)."""
        counts = self._counts(codes)
        means = np.empty((len(counts), targets.shape[1]))
        for column, values in enumerate((targets - self.prior_).T):
            sums = np.bincount(codes, weights=values, minlength=len(counts))
            means[:, column] = self.prior_[column] + sums / (counts + PRIOR_ROWS)
        means[-1] = self.prior_
        return means
