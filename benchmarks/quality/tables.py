"""The tables that systems are compared on, each as a frame with a target; how they are split is in `splits`.

Four are this project's own files, four come with scikit-learn, and the rest is read, as data, out of the packages that
`tables.txt` names: pandas reads their files, none of them is imported.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

EMBEDDED = Path(__file__).resolve().parents[2] / "data" / "embedded"

Task = Literal["regression", "classification"]


@dataclass(frozen=True)
class Table:
    """A table: errors of its target are told in `unit`, which is `scale` of the target's own units."""

    name: str
    frame: pd.DataFrame
    target: str
    task: Task
    unit: str = ""
    scale: float = 1.0

    @property
    def features(self) -> pd.DataFrame:
        """All columns but the target."""
        return self.frame.drop(columns=self.target)

    @property
    def has_duplicates(self) -> bool:
        """Whether two rows have the same features."""
        return bool(self.features.duplicated().any())


def load(names: Iterable[str], packages: Path) -> list[Table]:
    """The tables of these names; `packages` is where those of `tables.txt` are installed."""
    return [TABLES[name](packages) for name in names]


def _regression(name: str, frame: pd.DataFrame, target: str, unit: str, scale: float = 1.0) -> Table:
    return _known(Table(name, frame, target, "regression", unit, scale))


def _classes(name: str, frame: pd.DataFrame, target: str) -> Table:
    return _known(Table(name, frame, target, "classification", "nats"))


def _known(table: Table) -> Table:
    """The table without rows that have no target."""
    frame = table.frame.dropna(subset=[table.target]).reset_index(drop=True)
    return Table(table.name, frame, table.target, table.task, table.unit, table.scale)


def _california(_: Path) -> Table:
    names = ["longitude", "latitude", "age", "rooms", "bedrooms", "population", "households", "income", "value"]
    frame = pd.read_csv(EMBEDDED / "cal_housing.data.gz", header=None, names=names)
    return _regression("california_housing", frame, "value", "100 000 USD", 100_000.0)


def _wine_quality(_: Path) -> Table:
    parts = [
        pd.read_csv(EMBEDDED / f"winequality-{colour}.csv.gz", sep=";").assign(colour=colour)
        for colour in ("red", "white")
    ]
    return _regression("wine_quality", pd.concat(parts, ignore_index=True), "quality", "points")


def _boston(_: Path) -> Table:
    names = ["crim", "zn", "indus", "chas", "nox", "rm", "age", "dis", "rad", "tax", "ptratio", "b", "lstat", "medv"]
    frame = pd.read_csv(EMBEDDED / "housing.data.gz", sep=r"\s+", header=None, names=names)
    return _regression("boston_housing", frame, "medv", "1000 USD")


def _iris(_: Path) -> Table:
    names = ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
    return _classes("iris", pd.read_csv(EMBEDDED / "iris.data.gz", header=None, names=names), "species")


def _diabetes(_: Path) -> Table:
    from sklearn.datasets import load_diabetes

    frame: Any = load_diabetes(as_frame=True, scaled=False).frame
    return _regression("diabetes", frame, "target", "points")


def _breast_cancer(_: Path) -> Table:
    from sklearn.datasets import load_breast_cancer

    return _classes("breast_cancer", _named_classes(load_breast_cancer(as_frame=True)), "target")


def _digits(_: Path) -> Table:
    from sklearn.datasets import load_digits

    frame: Any = load_digits(as_frame=True).frame
    return _classes("digits", frame, "target")


def _wine(_: Path) -> Table:
    from sklearn.datasets import load_wine

    return _classes("wine", _named_classes(load_wine(as_frame=True)), "target")


def _named_classes(bunch: Any) -> pd.DataFrame:
    frame: pd.DataFrame = bunch.frame
    return frame.assign(target=[str(bunch.target_names[code]) for code in frame["target"]])


def _penguins(packages: Path) -> Table:
    """Categories and missing values."""
    frame = pd.read_csv(packages / "palmerpenguins" / "data" / "penguins.csv")
    return _regression("penguins", frame, "body_mass_g", "g")


def _cars(packages: Path) -> Table:
    """Names, a date, a category and missing values."""
    frame = pd.read_json(packages / "vega_datasets" / "_data" / "cars.json")
    return _regression("cars", frame, "Miles_per_Gallon", "miles a gallon")


def _seattle_weather(packages: Path) -> Table:
    """Dates, and five classes of which the rarest has one row in sixty."""
    frame = pd.read_csv(packages / "vega_datasets" / "_data" / "seattle-weather.csv")
    return _classes("seattle_weather", frame.assign(date=frame["date"].str.replace("/", "-")), "weather")


def _diamonds(packages: Path) -> Table:
    """Fifty thousand rows and three categories."""
    return _regression("diamonds", _from_r(packages, "ggplot2/diamonds"), "price", "USD")


def _computers(packages: Path) -> Table:
    """Yes-or-no columns."""
    return _regression("computers", _from_r(packages, "Ecdat/Computers"), "price", "USD")


def _chile(packages: Path) -> Table:
    """Categories, missing values and four classes."""
    return _classes("chile", _from_r(packages, "car/Chile"), "vote")


def _treatment(packages: Path) -> Table:
    """Two classes, seven rows in a hundred of the one, and many equal rows."""
    frame = _from_r(packages, "Ecdat/Treatment")
    return _classes("treatment", frame.assign(treat=frame["treat"].map({True: "treated", False: "not"})), "treat")


def _mortgages(packages: Path) -> Table:
    """Two classes, twelve rows in a hundred of the one, and categories."""
    return _classes("mortgages", _from_r(packages, "Ecdat/Hdma"), "deny")


def _from_r(packages: Path, name: str) -> pd.DataFrame:
    with tarfile.open(packages / "pydataset" / "resources.tar.gz") as archive:
        member = archive.extractfile(f"resources/rdata/csv/{name}.csv")
        if member is None:
            raise FileNotFoundError(f"pydataset has no table {name}")
        return pd.read_csv(member, index_col=0)


TABLES: dict[str, Callable[[Path], Table]] = {
    "california_housing": _california,
    "wine_quality": _wine_quality,
    "boston_housing": _boston,
    "iris": _iris,
    "diabetes": _diabetes,
    "breast_cancer": _breast_cancer,
    "digits": _digits,
    "wine": _wine,
    "penguins": _penguins,
    "cars": _cars,
    "seattle_weather": _seattle_weather,
    "diamonds": _diamonds,
    "computers": _computers,
    "chile": _chile,
    "treatment": _treatment,
    "mortgages": _mortgages,
}
OWN_OR_SCIKIT_LEARN = tuple(TABLES)[:8]
"""Tables that need none of the packages of `tables.txt`."""
