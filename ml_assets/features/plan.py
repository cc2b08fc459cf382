"""The feature plan: from a contract's raw rows to an all-number table. What a family adds belongs there.

How one column of labels, dates or text becomes numbers is in the modules named after them.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from ml_assets.datasets.spec import DatasetSpec

MOST_LABELS: Final = 30
"""Labels a column has in training up to which each gets a column of its own."""

CROSS_FITTING_FOLDS: Final = 5
LARGEST: Final = float(np.finfo(np.float32).max)
"""Trees compute in float32: a larger number would be an infinity to them."""

PLAN_FILE: Final = "plan.joblib"


class Part(Protocol):
    """What makes columns of one column, once it is fitted."""

    names_: tuple[str, ...]

    def transform(self, X: pd.Series[Any]) -> NDArray[np.float64]:
        """Columns (n, names) of values (n,)."""


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

    Attributes:
        categories_: labels of each categorical column of few labels, as seen in training.
        parts_: what makes the columns of each column of labels, dates or text.
        lineage_: for each output column the raw columns it is made of.
    """

    def __init__(
        self,
        numeric: tuple[str, ...] = (),
        categorical: tuple[str, ...] = (),
        ratios: tuple[tuple[str, str], ...] = (),
        dates: tuple[str, ...] = (),
        texts: tuple[str, ...] = (),
        seed: int = 0,
    ) -> None:
        self.numeric = numeric
        self.categorical = categorical
        self.ratios = ratios
        self.dates = dates
        self.texts = texts
        self.seed = seed

    def fit(self, X: pd.DataFrame, y: ArrayLike | None = None) -> Self:
        """Learns from rows `X` and their target `y` (n,), numbers or labels; returns itself."""
        self._learn(X, y, folds=None)
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
        return self._table(X, self._learn(X, y, folds=_usable(folds, X[[*self.raw_columns]])))

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Feature table (n, columns of `lineage_`) of float64 with the index of `X`."""
        check_is_fitted(self, "lineage_")
        return self._table(X, {name: part.transform(X[name]) for name, part in self.parts_.items()})

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
        rest = clone(self).set_params(texts=()).fit(X, y)
        return len(rest.lineage_) + len(self.texts) * (most_topics(len(X)) + 2)

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
        return {
            **{names.give(name): (name,) for name in self.numeric},
            **{names.give(f"{a}_per_{b}"): (a, b) for a, b in self.ratios},
            **{names.give(f"{name}{of}"): (name,) for name, part in self.parts_.items() for of in part.names_},
        }

    def _table(self, X: pd.DataFrame, made: dict[str, NDArray[np.float64]]) -> pd.DataFrame:
        above, below = (_numbers(X, tuple(pair[side] for pair in self.ratios)) for side in (0, 1))
        with np.errstate(over="ignore", invalid="ignore"):
            ratios = np.divide(above, below, out=np.full(above.shape, np.nan), where=below != 0)
        table = np.hstack([_numbers(X, self.numeric), ratios, *made.values()])
        table[np.isinf(table)] = np.nan
        return pd.DataFrame(np.clip(table, -LARGEST, LARGEST), index=X.index, columns=list(self.lineage_))


def _numbers(X: pd.DataFrame, names: tuple[str, ...]) -> NDArray[np.float64]:
    """Columns `names` (n, names) as float64, NaN where missing."""
    return X[list(names)].to_numpy(dtype=np.float64, na_value=np.nan)


def _usable(folds: NDArray[np.int64] | None, X: pd.DataFrame) -> NDArray[np.int64]:
    """`folds` if there are two at least; else folds by the content of the rows."""
    if folds is not None and len(np.unique(folds)) > 1:
        return folds
    content = pd.util.hash_pandas_object(X, index=False).to_numpy()
    return (content % CROSS_FITTING_FOLDS).astype(np.int64)


def plan_for(spec: DatasetSpec, *, seed: int = 0) -> FeaturePlan:
    """Unfitted feature plan that a contract asks for."""
    return FeaturePlan(
        numeric=spec.numeric_features,
        categorical=spec.categorical_features,
        ratios=spec.features.ratios,
        dates=spec.date_features,
        texts=spec.text_features,
        seed=seed,
    )


@dataclass(frozen=True)
class FeatureSet:
    """A plan fitted on the training rows, and the table it makes of all rows."""

    plan: FeaturePlan
    table: pd.DataFrame

    @classmethod
    def of(cls, spec: DatasetSpec, table: pd.DataFrame, splits: pd.DataFrame, *, seed: int = 0) -> Self:
        """Fits the plan of `spec` on the training rows of a clean `table`."""
        training = splits[splits["part"] == "train"]
        rows, others = table.loc[training.index], table.loc[table.index.difference(training.index, sort=False)]
        plan = plan_for(spec, seed=seed)
        features = plan.fit_transform(rows, rows[spec.target].to_numpy(), folds=training["fold"].to_numpy())
        return cls(plan, pd.concat([features, plan.transform(others)]).loc[table.index])

    def save(self, folder: Path) -> None:
        """Writes `plan.joblib` and `features.parquet`."""
        import joblib

        joblib.dump(self.plan, folder / PLAN_FILE, compress=("zlib", 3))
        self.table.to_parquet(folder / "features.parquet")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads back what `save` wrote; only for folders whose bytes were verified."""
        import joblib

        return cls(joblib.load(folder / PLAN_FILE), pd.read_parquet(folder / "features.parquet"))
