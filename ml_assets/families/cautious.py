"""Classifiers that count rows, kept from saying "never" of what they have merely not met."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Cautious:
    """Probabilities as if one training row more, of each class in equal parts, had been near every row asked about.

    Where none of the neighbours, or of the rows in a leaf, is of a class, its share is zero, and a single row that is
    of it all the same costs an infinite log loss. n rows without it do not say that it is rarer than about one in n
    (after Laplace's rule of succession).
    """

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities (n, k) in the order of `classes_`, none of them zero."""
        shares = np.asarray(super().predict_proba(X))  # type: ignore[misc]
        doubt = 1 / (self._rows_seen() + 1)
        return np.asarray((1 - doubt) * shares + doubt / shares.shape[1])

    def _rows_seen(self) -> float:
        raise NotImplementedError


class CautiousNeighbours(Cautious, KNeighborsClassifier):  # type: ignore[misc]
    """Nearest neighbours."""

    def _rows_seen(self) -> float:
        return float(self.n_samples_fit_)


class _CautiousTrees(Cautious):
    estimators_: list[Any]

    def _rows_seen(self) -> float:
        """Weight of the rows in the first tree's root, which a bootstrap leaves as it is."""
        return float(self.estimators_[0].tree_.weighted_n_node_samples[0])


class CautiousForest(_CautiousTrees, RandomForestClassifier):  # type: ignore[misc]
    """A random forest."""


class CautiousExtraTrees(_CautiousTrees, ExtraTreesClassifier):  # type: ignore[misc]
    """Extra trees."""
