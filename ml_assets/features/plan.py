"""The feature plan: from a contract's raw rows to an all-number table. What a family adds belongs there.

How one column of labels, dates or text becomes numbers is in the modules named after them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from ml_assets.features.dates import DateParts
from ml_assets.features.labels import LabelColumns, TargetMeans, as_targets
from ml_assets.features.names import Names
from ml_assets.features.texts import TextTopics, most_topics

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ml_assets.datasets.spec import DatasetSpec

MOST_LABELS: Final = 30
"""Labels a column has in training up to which each gets a column of its own."""

CROSS_FITTING_FOLDS: Final = 5
LARGEST: Final = float(np.finfo(np.float32).max)
"""Trees compute in float32: a larger number would be an infinity to them."""


class Part(Protocol):
    """What makes columns of one column, once it is fitted."""

    names_: tuple[str, ...]

    def transform(self, X: pd.Series[Any]) -> NDArray[np.float64]:
        """Columns (n, names) of values (n,)."""


class Step(Protocol):
    """What makes further columns of the table that the plan makes first; a scikit-learn transformer."""

    lineage: dict[str, tuple[str, ...]]
    """For each output column the columns of that table that it is made of; known before it is fitted."""

    def fit_transform(self, X: pd.DataFrame, y: ArrayLike, folds: NDArray[np.int64] | None = None) -> pd.DataFrame:
        """Columns of training rows, in which no row's own target has a part."""

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Columns of rows."""


class FeaturePlan(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Numbers as they are (gaps stay gaps), ratios of columns, and numbers made of labels, dates and texts.

    A column of at most `MOST_LABELS` labels becomes one column for each; with more of them it becomes the mean target
    of rows with the same label (of rows in other folds, for training rows: hence `fit_transform` differs from `fit`
    and `transform`) and the label's frequency. Infinite numbers are gaps, too large ones are cut to float32.

    Args:
        numeric: columns that hold numbers, booleans as 0 and 1 among them.
        categorical: columns that hold labels; a label not seen in training gives zeros, or the mean of all rows.
        ratios: pairs of numerator and denominator; a zero denominator gives a gap.
        dates: columns that hold dates.
        texts: columns that hold free text.
        seed: of the topics of texts.
        steps: unfitted transformers that make further columns of those named so far, as `discovery` found them.

    Attributes:
        steps_: the steps, fitted.
        categories_: labels of each categorical column of few labels, as seen in training.
        parts_: what makes the columns of each column of labels, dates or text.
        lineage_: for each output column the raw columns it is made of.
    """

    steps: tuple[Any, ...] = ()
    steps_: tuple[Step, ...] = ()  # both here too, for plans that were stored before there were steps

    def __init__(
        self,
        numeric: tuple[str, ...] = (),
        categorical: tuple[str, ...] = (),
        ratios: tuple[tuple[str, str], ...] = (),
        dates: tuple[str, ...] = (),
        texts: tuple[str, ...] = (),
        seed: int = 0,
        steps: tuple[Any, ...] = (),
    ) -> None:
        self.numeric = numeric
        self.categorical = categorical
        self.ratios = ratios
        self.dates = dates
        self.texts = texts
        self.seed = seed
        self.steps = steps

    def fit(self, X: pd.DataFrame, y: ArrayLike | None = None) -> Self:
        """Learns from rows `X` and their target `y` (n,), numbers or labels; returns itself."""
        self._learn(X, y, folds=None)
        if self.steps:
            table = self._table(X, self._made(X))
            self.steps_ = tuple(clone(step).fit(table, np.asarray(y)) for step in self.steps)
        return self

    def fit_transform(
        self, X: pd.DataFrame, y: ArrayLike | None = None, folds: NDArray[np.int64] | None = None
    ) -> pd.DataFrame:
        """As `fit`; the features of the training rows `X`, in which no row's own target has a part.

        Args:
            X: training rows.
            y: their target.
            folds: number of the fold of each row (n,), such that rows which belong together are in one. Without it,
                or with a single one, rows with equal features are kept together.
        """
        usable = _usable(folds, X[[*self.raw_columns]])
        table = self._table(X, self._learn(X, y, folds=usable))
        self.steps_ = tuple(clone(step) for step in self.steps)
        return self._with(table, [step.fit_transform(table, np.asarray(y), folds=usable) for step in self.steps_])

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Feature table (n, columns of `lineage_`) of float64 with the index of `X`."""
        check_is_fitted(self, "lineage_")
        table = self._table(X, self._made(X))
        return self._with(table, [step.transform(table) for step in self.steps_])

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names of the output columns."""
        check_is_fitted(self, "lineage_")
        return np.array(list(self.lineage_), dtype=object)

    @property
    def raw_columns(self) -> tuple[str, ...]:
        """Raw columns that the plan reads, each once."""
        pairs = (name for pair in self.ratios for name in pair)
        return tuple(dict.fromkeys([*self.numeric, *self.categorical, *self.dates, *self.texts, *pairs]))

    def width(self, X: pd.DataFrame, y: ArrayLike) -> int:
        """How many columns it makes, fitted on training rows `X`; those of a text at their most."""
        rest = clone(self).set_params(texts=(), steps=()).fit(X, y)
        more = sum(len(step.lineage) for step in self.steps)
        return len(rest.lineage_) + len(self.texts) * (most_topics(len(X)) + 2) + more

    def _learn(
        self, X: pd.DataFrame, y: ArrayLike | None, *, folds: NDArray[np.int64] | None
    ) -> dict[str, NDArray[np.float64]]:
        """Fits the parts; with `folds` gives what each makes of the training rows."""
        targets, made = as_targets(y, len(X)), {}
        self.parts_: dict[str, Part] = {}
        for name in (*self.categorical, *self.dates, *self.texts):
            part = self._part(name, X[name])
            if isinstance(part, TargetMeans) and folds is not None:
                made[name] = part.fit_transform(X[name], targets, folds)
            else:
                part.fit(X[name], targets)
                made |= {} if folds is None else {name: part.transform(X[name])}
            self.parts_[name] = part
        self.categories_ = {name: p.labels_ for name, p in self.parts_.items() if isinstance(p, LabelColumns)}
        self.lineage_ = self._lineage()
        self.feature_names_in_ = np.array(self.raw_columns, dtype=object)
        self.n_features_in_ = len(self.feature_names_in_)
        return made

    def _part(self, name: str, values: pd.Series[Any]) -> Any:
        if name in self.dates:
            return DateParts()
        if name in self.texts:
            return TextTopics(seed=self.seed)
        return LabelColumns() if values.nunique() <= MOST_LABELS else TargetMeans()

    def _lineage(self) -> dict[str, tuple[str, ...]]:
        names = Names()
        first = {
            **{names.give(name): (name,) for name in self.numeric},
            **{names.give(f"{a}_per_{b}"): (a, b) for a, b in self.ratios},
            **{names.give(f"{name}{of}"): (name,) for name, part in self.parts_.items() for of in part.names_},
        }
        further = {
            names.give(name): tuple(dict.fromkeys(raw for column in of for raw in first[column]))
            for step in self.steps
            for name, of in step.lineage.items()
        }
        return first | further

    @property
    def _first_columns(self) -> list[str]:
        """Names of the columns that no step makes."""
        further = sum(len(step.lineage) for step in self.steps)
        return list(self.lineage_)[: len(self.lineage_) - further]

    def _made(self, X: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
        return {name: part.transform(X[name]) for name, part in self.parts_.items()}

    def _with(self, table: pd.DataFrame, further: list[pd.DataFrame]) -> pd.DataFrame:
        """`table` and the columns of the steps beside it."""
        if not further:
            return table
        values = np.hstack([part.to_numpy(dtype=np.float64) for part in further])
        values[np.isinf(values)] = np.nan
        names = list(self.lineage_)[table.shape[1] :]
        made = pd.DataFrame(np.clip(values, -LARGEST, LARGEST), index=table.index, columns=names)
        return pd.concat([table, made], axis=1)

    def _table(self, X: pd.DataFrame, made: dict[str, NDArray[np.float64]]) -> pd.DataFrame:
        above, below = (_numbers(X, tuple(pair[side] for pair in self.ratios)) for side in (0, 1))
        with np.errstate(over="ignore", invalid="ignore"):
            ratios = np.divide(above, below, out=np.full(above.shape, np.nan), where=below != 0)
        table = np.hstack([_numbers(X, self.numeric), ratios, *made.values()])
        table[np.isinf(table)] = np.nan
        return pd.DataFrame(np.clip(table, -LARGEST, LARGEST), index=X.index, columns=self._first_columns)


def _numbers(X: pd.DataFrame, names: tuple[str, ...]) -> NDArray[np.float64]:
    """Columns `names` (n, names) as float64, NaN where missing."""
    return X[list(names)].to_numpy(dtype=np.float64, na_value=np.nan)


def _usable(folds: NDArray[np.int64] | None, X: pd.DataFrame) -> NDArray[np.int64]:
    """`folds` if there are two at least; else folds by the content of the rows."""
    if folds is not None and len(np.unique(folds)) > 1:
        return folds
    content = pd.util.hash_pandas_object(X, index=False).to_numpy()
    return (content % CROSS_FITTING_FOLDS).astype(np.int64)


def plan_for(spec: DatasetSpec, *, seed: int = 0, steps: tuple[Any, ...] = ()) -> FeaturePlan:
    """Unfitted feature plan that a contract asks for, and the `steps` that were found for its table."""
    return FeaturePlan(
        numeric=spec.numeric_features,
        categorical=spec.categorical_features,
        ratios=spec.features.ratios,
        dates=spec.date_features,
        texts=spec.text_features,
        seed=seed,
        steps=steps,
    )
