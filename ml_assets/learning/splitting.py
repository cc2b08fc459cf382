"""Which rows train and which are held back, decided by the rows' own content. Scoring on them belongs elsewhere."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ml_assets.datasets.spec import Task
from ml_assets.errors import ContractViolation
from ml_assets.learning.near_duplicates import near_groups

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ml_assets.datasets.spec import Column, DatasetSpec

REGRESSION_STRATA = 10
TEST = -1
"""What stands for a fold on the test side."""
REPEATS_APART = 7919
"""Between the seeds of repeated folds."""
CALIBRATION = "calibration"
"""Part of the rows that train nothing and test nothing, and show how far off the model is."""


def split(spec: DatasetSpec, table: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Splits indexed by row_id: `part` (train, test or calibration) and `fold` (0 … k-1 for training rows, else -1).

    Rows with equal features form a group and stay on one side and in one fold. Within strata (class, or tenth of the
    target) groups are ordered by a seeded hash of their content; the first go to the test side, the others to the
    folds in turn. So the order of the rows does not matter, and a row lands on the same side again when rows are
    added, but for the few at a stratum's border. Every class trains, in every fold if it has as many groups.

    With `near_duplicates` in the contract, rows that are nearly the same are in one group too.

    Where the contract calls copies independent, each row is a group of its own.

    With `group` in the contract, rows of one value of that column are the group, whatever their features; rows without
    a value are grouped by their features. A group's stratum is its rarest class, or the tenth of its mean target.

    With `time`, test rows are the latest and folds are blocks of time, one after another; rows of the same time stay
    together. Rows without a time train.

    With both, groups are ordered by their latest time: no training row is later than the latest row of any test group,
    and a test group's early rows are test rows too.

    Where the contract keeps rows to calibrate intervals on (`intervals.calibration: split`), they are taken from the
    training rows as test rows are from all: with `time` they are the latest before the test rows.

    In either case a class that only the test side would have trains instead, with its rows, or its groups.

    With `repeats` in the contract, the training rows are shared out to folds so many times, each time by other hashes
    (groups of different sizes: in another order), in columns `fold_2`, `fold_3`, …

    Raises:
        ContractViolation: there are too few different rows, groups or times for a test side and the folds, or all rows
            outside a fold are of one class.
    """
    fold = _folds(spec, table, seed)
    part = np.where(fold == TEST, "test", "train").astype(object)
    if spec.intervals.calibration == "split":
        training = np.flatnonzero(fold != TEST)
        share = spec.intervals.calibration_share / (1 - spec.test_share)
        fold[training] = _folds(spec.model_copy(update={"test_share": share}), table.iloc[training], seed)
        part[training] = np.where(fold[training] == TEST, CALIBRATION, "train")
    made = pd.DataFrame({"part": part, "fold": fold}, index=table.index)
    return made.assign(**{name: _shared_anew(spec, table, made, at, seed) for at, name in _repeats(spec)})


def without_fold(spec: DatasetSpec, table: pd.DataFrame, splits: pd.DataFrame, fold: int, *, seed: int) -> pd.DataFrame:
    """Splits as `split` makes them in which one fold of `splits` is the test side, and the other folds' rows train.

    Test rows and rows kept to calibrate on are left out.

    Raises:
        ContractViolation: too few different rows, groups or times are left for the folds.
    """
    training = splits[splits["part"] == "train"]
    part = np.where(training["fold"] == fold, "test", "train").astype(object)
    made, rows = pd.DataFrame({"part": part, "fold": TEST}, index=training.index), table.loc[training.index]
    columns = {name: _shared_anew(spec, rows, made, at, seed) for at, name in [(0, "fold"), *_repeats(spec)]}
    return made.assign(**columns)


def _repeats(spec: DatasetSpec) -> list[tuple[int, str]]:
    """Number and column of each further repeat of the cross-validation."""
    return [(at, f"fold_{at + 1}") for at in range(1, spec.repeats)]


def _shared_anew(
    spec: DatasetSpec, table: pd.DataFrame, splits: pd.DataFrame, repeat: int, seed: int
) -> NDArray[np.int64]:
    """Fold of each row: the training rows of `splits` shared out once more; `TEST` for the others."""
    training = np.flatnonzero(splits["part"] == "train")
    folds = np.full(len(table), TEST)
    without_test = spec.model_copy(update={"test_share": 0.0})
    folds[training] = _folds(without_test, table.iloc[training], seed + repeat * REPEATS_APART)
    return folds


def repeated_folds(splits: pd.DataFrame) -> tuple[NDArray[np.int64], ...]:
    """Folds of all rows of `splits` (n,), once for each repeat of the cross-validation."""
    names = ["fold", *(name for name in splits.columns if name.startswith("fold_"))]
    return tuple(splits[name].to_numpy(dtype=np.int64) for name in names)


def _folds(spec: DatasetSpec, table: pd.DataFrame, seed: int) -> NDArray[np.int64]:
    """Fold of each row, or `TEST`."""
    if spec.time is not None:
        return _by_time(spec, table, seed)
    if spec.group is not None:
        return _by_group(spec, table, seed)
    return _by_content(spec, table, seed)


def _by_content(spec: DatasetSpec, table: pd.DataFrame, seed: int) -> NDArray[np.int64]:
    """Fold of each row, rows with equal features together unless copies are independent."""
    rows = pd.DataFrame({"group": _content_hash(spec, table, seed), "stratum": _strata(spec, table)})
    by_group = rows.groupby("group")["stratum"].agg(stratum="min", size="size").reset_index()
    ordered = by_group.sort_values(["stratum", "group"], ignore_index=True)
    training = ordered[~_is_test(ordered, spec.test_share)]
    turn = training.groupby("stratum").cumcount() + training["stratum"]
    folds = pd.Series((turn % spec.folds).to_numpy(), index=training["group"].to_numpy())
    fold = rows["group"].map(folds).fillna(TEST).to_numpy(dtype=np.int64)
    if not _is_complete(spec, fold):
        raise _too_few(spec, table, f"{len(by_group)} of them different")
    return fold


def _is_test(ordered: pd.DataFrame, test_share: float) -> pd.Series:
    """Whether a group lies in the first `test_share` of its stratum's rows; the last of each stratum never does."""
    by_stratum = ordered.groupby("stratum")
    middle = by_stratum["size"].cumsum() - ordered["size"] / 2
    is_last = by_stratum.cumcount(ascending=False) == 0
    return (middle < test_share * by_stratum["size"].transform("sum")) & ~is_last


def _by_group(spec: DatasetSpec, table: pd.DataFrame, seed: int) -> NDArray[np.int64]:
    """Fold of each row, rows of one group together; without strata where some have too few groups to be shared out."""
    key = _key(spec, table, seed)
    sizes = pd.Series(key).value_counts().sort_index()
    stratum = _group_strata(spec, table, key, len(sizes))
    for strata in (stratum, pd.Series(0, index=sizes.index)):
        groups = pd.DataFrame({"stratum": strata, "size": sizes})
        shared = _shared_out(groups, spec)[groups.index.get_indexer(pd.Index(key))]
        fold = _every_class_trains(spec, table, shared, key)
        if _is_complete(spec, fold):
            return _checked(spec, table, fold)
    raise _too_few(spec, table, f"in {len(sizes)} groups of '{spec.group}'")


def _shared_out(groups: pd.DataFrame, spec: DatasetSpec) -> NDArray[np.int64]:
    """Fold of each group (indexed by hash, in its order), strata shared out evenly by rows.

    To the test side go the first groups that fit into its share, so that one large group does not fill it alone; the
    others go to the fold that has the fewest rows: the largest first, or, without a test side, in their order.
    """
    sizes, stratum, by_size = groups["size"].to_numpy(), groups["stratum"].to_numpy(), spec.test_share > 0
    fold, filled = np.full(len(groups), TEST), [0] * spec.folds
    for places in (np.flatnonzero(stratum == s) for s in np.unique(stratum)):
        space, taken = spec.test_share * sizes[places].sum(), 0
        training = [places[-1]]
        for place in places[:-1]:
            if taken + sizes[place] / 2 < space:
                taken += sizes[place]
            else:
                training.append(place)
        heap = [(0, filled[k], k) for k in range(spec.folds)]
        for place in sorted(training, key=lambda at: (-sizes[at] if by_size else 0, at)):
            rows, before, k = heapq.heappop(heap)
            fold[place] = k
            heapq.heappush(heap, (rows + sizes[place], before + sizes[place], k))
        filled = [before for _, before, _ in sorted(heap, key=lambda entry: entry[2])]
    return fold


def _group_strata(spec: DatasetSpec, table: pd.DataFrame, key: NDArray[np.uint64], groups: int) -> pd.Series:
    """Stratum of each group, indexed by hash: its rarest class, or the tenth of its mean target."""
    if spec.task is Task.REGRESSION:
        means = table[spec.target].groupby(key).mean()
        return pd.Series(_tenths(means, groups // (2 * spec.folds)), index=means.index)
    pairs = pd.DataFrame({"group": key, "class": _strata(spec, table)}).drop_duplicates()
    pairs["groups"] = pairs.groupby("class")["group"].transform("size")
    return pairs.sort_values(["groups", "class"]).drop_duplicates("group").set_index("group")["class"]


def _by_time(spec: DatasetSpec, table: pd.DataFrame, seed: int) -> NDArray[np.int64]:
    """Fold of each row: the latest are test rows, blocks of time before them the folds."""
    key = _key(spec, table, seed)
    rows = pd.DataFrame({"key": key, "time": table[spec.time].to_numpy(dtype="datetime64[us]")})
    atoms = rows.groupby("key")["time"].agg(time="max", size="size")
    timed = atoms[atoms["time"].notna()].reset_index().sort_values(["time", "key"], ignore_index=True)
    from_end = timed["size"][::-1].cumsum()[::-1] - timed["size"] / 2
    is_test = (from_end < spec.test_share * len(table)) | ((timed.index == len(timed) - 1) & (spec.test_share > 0))
    training = timed[~is_test]
    fold = pd.Series((atoms.index % spec.folds).astype("int64"), index=atoms.index)
    fold[timed.loc[is_test, "key"]] = TEST
    if len(training) >= spec.folds:
        fold[training["key"]] = _blocks(training["size"].to_numpy(), spec.folds)
        found = _every_class_trains(spec, table, np.asarray(fold[key], dtype=np.int64), key)
        if _is_complete(spec, found):
            return _checked(spec, table, found)
    of = f"groups of '{spec.group}' with a time" if spec.group else f"different times of '{spec.time}'"
    raise _too_few(spec, table, f"at {len(timed)} {of}")


def _blocks(sizes: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """Number of the block of each of at least `folds` sizes: consecutive, none empty, as even as whole sizes allow."""
    wanted = folds * (np.cumsum(sizes) - sizes / 2) // sizes.sum()
    block, blocks = -1, []
    for left, number in zip(range(len(sizes), 0, -1), wanted, strict=True):
        block = int(min(max(number, folds - left, block), block + 1))
        blocks.append(block)
    return np.array(blocks)


def _every_class_trains(
    spec: DatasetSpec, table: pd.DataFrame, fold: NDArray[np.int64], key: NDArray[np.uint64]
) -> NDArray[np.int64]:
    """`fold`, but rows (with `group`, whole groups) of classes that only the test side has go to the last fold."""
    if spec.task is Task.REGRESSION:
        return fold
    classes = table[spec.target].to_numpy()
    unknown = ~np.isin(classes, pd.unique(classes[fold != TEST]))
    moved = np.isin(key, key[unknown]) if spec.group is not None else unknown
    return np.where(moved, spec.folds - 1, fold)


def _checked(spec: DatasetSpec, table: pd.DataFrame, fold: NDArray[np.int64]) -> NDArray[np.int64]:
    """`fold`, once the rows outside each fold are known to be of two classes at least."""
    classes = table[spec.target][fold != TEST]
    if spec.task is Task.CLASSIFICATION and classes.nunique() > 1:
        inside = fold[fold != TEST]
        for k in range(spec.folds):
            found = classes[inside != k].unique()
            if len(found) < 2:
                where = f"`group: {spec.group}`" if spec.time is None else f"`time: {spec.time}`"
                raise ContractViolation(
                    f"{spec.name}: all training rows outside fold {k} are of class '{found[0]}', so nothing can be "
                    f"learned there: lower `folds`, or leave {where} out of the contract"
                )
    return fold


def _is_complete(spec: DatasetSpec, fold: NDArray[np.int64]) -> bool:
    return set(fold.tolist()) == set(range(TEST if spec.test_share else 0, spec.folds))


def _too_few(spec: DatasetSpec, table: pd.DataFrame, what: str) -> ContractViolation:
    return ContractViolation(
        f"{spec.name}: {len(table)} rows, {what}, are too few for a test side and {spec.folds} folds: add rows, or "
        "lower `folds` in the contract"
    )


def _key(spec: DatasetSpec, table: pd.DataFrame, seed: int) -> NDArray[np.uint64]:
    """Hash of what keeps a row with others: its group, or else its time; its features where that is missing."""
    name = spec.group if spec.group is not None else spec.time
    missing = table[name].isna().to_numpy()
    return np.where(missing, _content_hash(spec, table, seed), _hashes(spec, table[[name]], seed))


def _content_hash(spec: DatasetSpec, table: pd.DataFrame, seed: int) -> NDArray[np.uint64]:
    """One hash a row from features and seed; from its id, which copies do not share, where copies are independent."""
    if spec.duplicates == "independent":
        return _finished(pd.util.hash_array(table.index.to_numpy(dtype=object)), seed)
    own = _hashes(spec, table[list(spec.feature_columns)], seed)
    if not spec.near_duplicates:
        return own
    groups = near_groups(spec, table, spec.near_duplicates)
    return pd.Series(own).groupby(groups).transform("min").to_numpy(dtype=np.uint64)


def _hashes(spec: DatasetSpec, values: pd.DataFrame, seed: int) -> NDArray[np.uint64]:
    """One hash a row from values and seed.

    Numbers hash as floats, so that a column of whole numbers keeps its hashes when a gap comes in; minus zero is zero,
    and missing values are alike.
    """
    typed = pd.DataFrame({name: _hashable(spec.columns[name], values[name]) for name in values.columns}, copy=False)
    return _finished(np.asarray(pd.util.hash_pandas_object(typed, index=False), dtype=np.uint64), seed)


def _finished(content: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """Hashes with the seed in them, through the mixer of SplitMix64 so that order is arbitrary."""
    mixed: NDArray[np.uint64] = content + np.array((seed + 1) * 0x9E3779B97F4A7C15 % 2**64, dtype=np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _hashable(column: Column, values: pd.Series) -> NDArray[Any]:
    if column.is_number:
        return values.to_numpy(dtype=np.float64, na_value=np.nan) + 0.0
    return values.to_numpy(dtype="datetime64[us]" if column.dtype == "date" else object)


def _strata(spec: DatasetSpec, table: pd.DataFrame) -> NDArray[np.int64]:
    """Class of each row by number, or tenth of the target; fewer than tenths where they would have too few rows."""
    target = table[spec.target]
    if spec.task is Task.CLASSIFICATION:
        codes, _ = pd.factorize(target, sort=True)
        return np.asarray(codes, dtype=np.int64)
    return _tenths(target, len(target) // (2 * spec.folds))


def _tenths(target: pd.Series, most: int) -> NDArray[np.int64]:
    """Tenth of each target (n,), or a coarser part if `most` is less than ten."""
    count = min(REGRESSION_STRATA, most)
    if count < 2 or target.nunique() < 2:
        return np.zeros(len(target), dtype=np.int64)
    return pd.qcut(target, count, labels=False, duplicates="drop").to_numpy(dtype=np.int64)
