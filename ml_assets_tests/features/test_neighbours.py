import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from ml_assets.features.derived import Differences, Ratios, Rotations
from ml_assets.features.neighbours import NeighbourStatistics

RNG = np.random.default_rng(0)
ROWS = 300
TABLE = pd.DataFrame(RNG.normal(size=(ROWS, 3)), columns=["x", "y", "other"], index=[f"r{i}" for i in range(ROWS)])
TARGET = TABLE["x"].to_numpy() * 3 + RNG.normal(size=ROWS)


def near(**options: object) -> NeighbourStatistics:
    return NeighbourStatistics(("x", "y"), ("other",), neighbours=(3, 10), **options)  # type: ignore[arg-type]


def by_hand(row: int, k: int, *, known: np.ndarray) -> np.ndarray:
    """Targets of the `k` rows nearest to a row among those that are known."""
    spread = TABLE[["x", "y"]].to_numpy()
    distances = np.linalg.norm(spread[known] - spread[row], axis=1)
    return TARGET[known][np.argsort(distances)[:k]]


def test_mean_and_spread_are_those_of_the_nearest_other_rows() -> None:
    made = near().fit_transform(TABLE, TARGET)
    for row in (0, 17, 299):
        others = np.delete(np.arange(ROWS), row)
        for k in (3, 10):
            wanted = by_hand(row, k, known=others)
            assert made.iloc[row][f"target, mean of {k} near in x & y"] == pytest.approx(wanted.mean())
            assert made.iloc[row][f"target, spread of {k} near in x & y"] == pytest.approx(wanted.std())


def test_no_row_sees_its_own_target_nor_that_of_its_copies() -> None:
    table = pd.concat([TABLE, TABLE.iloc[:40]], ignore_index=True)
    target = np.concatenate([TARGET, TARGET[:40]])
    before = near().fit_transform(table, target).iloc[[5, ROWS + 5]]
    changed = target.copy()
    changed[[5, ROWS + 5]] = 1e6
    after = near().fit_transform(table, changed).iloc[[5, ROWS + 5]]
    pd.testing.assert_frame_equal(before, after)


def test_with_folds_apart_no_row_sees_a_target_of_its_fold() -> None:
    folds = np.arange(ROWS) % 5
    before = near(apart=True).fit_transform(TABLE, TARGET, folds=folds)
    changed = np.where(folds == 2, 1e6, TARGET)
    after = near(apart=True).fit_transform(TABLE, changed, folds=folds)
    pd.testing.assert_frame_equal(before[folds == 2], after[folds == 2])
    assert not before[folds == 1].equals(after[folds == 1])
    assert list(before.index) == list(TABLE.index)


def test_new_rows_are_told_by_all_that_were_fitted_and_one_alone_as_among_others() -> None:
    fitted = near().fit(TABLE.iloc[:200], TARGET[:200])
    made = fitted.transform(TABLE.iloc[200:])
    wanted = by_hand(250, 3, known=np.arange(200))
    assert made.loc["r250", "target, mean of 3 near in x & y"] == pytest.approx(wanted.mean())
    pd.testing.assert_frame_equal(fitted.transform(TABLE.iloc[[250]]), made.loc[["r250"]])


def test_a_local_fit_follows_a_plane_exactly_where_a_mean_cannot() -> None:
    table = TABLE.assign(other=RNG.normal(size=ROWS))
    step = NeighbourStatistics(("x", "y"), ("other",), neighbours=(60,))
    made = step.fit_transform(table, 7 * table["other"].to_numpy())
    truth = 7 * table["other"]
    local, mean = made["target, local fit of 60 near in x & y"], made["target, mean of 60 near in x & y"]
    assert (local - truth).std() < 0.35 * (mean - truth).std()


def test_classes_get_their_shares() -> None:
    labels = np.where(TABLE["x"] > 0, "right", "left").astype(object)
    made = near(classes=("left", "right")).fit_transform(TABLE, labels)
    shares = made[["target is left, mean of 10 near in x & y", "target is right, mean of 10 near in x & y"]]
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (shares.iloc[:, 1] > 0.5)[TABLE["x"] > 1].all()


def test_rows_without_a_place_get_gaps_and_are_nobodys_neighbours() -> None:
    table = TABLE.copy()
    table.iloc[3, 0] = np.nan
    made = near().fit_transform(table, np.where(np.arange(ROWS) == 3, 1e9, TARGET))
    assert made.iloc[3].isna().all()
    assert made["target, mean of 3 near in x & y"].drop("r3").max() < 100


def test_columns_are_those_foretold_whatever_the_rows() -> None:
    for step in (near(), near(classes=("a", "b")), NeighbourStatistics(("x", "y"), neighbours=(2,))):
        target = np.array(["a", "b"] * (ROWS // 2), dtype=object) if step.classes else TARGET
        made = clone(step).fit_transform(TABLE, target)
        assert list(made.columns) == list(step.lineage) == list(step.get_feature_names_out())
        assert set().union(*step.lineage.values()) <= {"x", "y", "other"}


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_a_handful_of_rows_is_enough(rows: int) -> None:
    made = near().fit_transform(TABLE.iloc[:rows], TARGET[:rows])
    assert made.shape == (rows, len(near().lineage))
    assert made.isna().all(axis=None) == (rows == 1)


def test_ratios_differences_and_rotations_by_hand() -> None:
    table = pd.DataFrame({"a": [6.0, 1.0, np.nan], "b": [3.0, 0.0, 1.0]})
    assert Ratios((("a", "b"),)).fit_transform(table)["a / b"].tolist()[0] == 2
    assert Ratios((("a", "b"),)).transform(table)["a / b"].isna().tolist() == [False, True, True]
    assert Differences((("a", "b"),)).transform(table)["a − b"].tolist()[:2] == [3.0, 1.0]
    turned = Rotations(("a", "b")).transform(table)
    assert turned.shape == (3, 10)
    half = np.sqrt(0.5)
    assert turned.iloc[0]["a & b turned by 45°"] == pytest.approx(half * 6 + half * 3)
    assert turned.iloc[0]["a & b turned by 135°"] == pytest.approx(half * 3 - half * 6)
