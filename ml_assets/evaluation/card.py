"""The model card, one self-contained HTML page; its words are in `card_content` and `card_data`, its looks in `.j2`."""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined, Template

from ml_assets.errors import IntegrityError
from ml_assets.evaluation import card_content as content
from ml_assets.evaluation import card_data
from ml_assets.evaluation.contract_tables import corrections_table
from ml_assets.evaluation.slices import error_slices

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.evaluation.baseline import Baseline
    from ml_assets.evaluation.comparison import Leaderboard
    from ml_assets.evaluation.record import Evaluation

FILE = "model_card.html"

PLOT_WORDS: Mapping[str, tuple[str, str]] = {
    "leaderboard": ("Scores of the families", "One dot a family with its standard error, best on top."),
    "residuals": (
        "Errors on the test rows",
        "Left, actual against predicted values: a perfect model is on the line. Right, the errors by size.",
    ),
    "confusion_matrix": (
        "Right and wrong answers on the test rows",
        "Rows of the table are actual classes, columns are answers; right answers are on the diagonal.",
    ),
    "calibration": (
        "Whether answers mean what they say",
        "Where the dots are on the dashed line, the model is neither too sure nor too hesitant.",
    ),
    "importances": (
        "What the answers depend on",
        "How much worse the score on test rows gets when one column is shuffled.",
    ),
    "search": (
        "The search for settings",
        "Each dot is one trial; the lines are the best so far of each family.",
    ),
    "parameters": (
        "What made the difference",
        "What each parameter counts in telling good trials from all: the winner's, or those of its weightiest member.",
    ),
    "learning_curve": ("The winner's search", "Each dot is one trial; the line is the best so far."),
    "target_distribution": ("The target", "How often each value of the target occurs in the data."),
    "feature_distributions": ("The features", "How often each value of a feature occurs in the data."),
    "correlation": ("Correlations", "Rank correlation between the numeric columns, from -1 to 1."),
}
RESULT_PLOTS = ("residuals", "confusion_matrix", "calibration", "importances")
DATA_PLOTS = ("target_distribution", "feature_distributions", "correlation")
SEARCH_PLOTS = ("search", "learning_curve", "parameters")


@dataclass(frozen=True)
class Card:
    """A page that needs nothing but itself."""

    html: str

    def save(self, folder: Path) -> None:
        """Write `model_card.html`."""
        (folder / FILE).write_text(self.html, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Card:
        """Read `model_card.html`."""
        try:
            return cls((folder / FILE).read_text(encoding="utf-8"))
        except OSError as error:
            raise IntegrityError(
                f"{folder / FILE} cannot be read ({error}); materialize the model card again"
            ) from error


@dataclass(frozen=True)
class Picture:
    """An embedded plot with the words around it."""

    title: str
    caption: str
    alt: str
    address: str
    width: int
    height: int


def model_card(
    spec: DatasetSpec,
    leaderboard: Leaderboard,
    evaluations: Mapping[str, Evaluation],
    *,
    table: pd.DataFrame,
    plots: Mapping[str, bytes],
    lineage: Mapping[str, str],
    baseline: Baseline,
) -> Card:
    """The card of a dataset's winner.

    Args:
        spec: the dataset's contract.
        leaderboard: of the families.
        evaluations: by family; the winner's is what the card is about.
        table: the clean table, for the quirks in it and the errors by slice of its sensitive columns.
        plots: PNG bytes by name, as `plots.card_plots` makes them; unknown names come last.
        lineage: what the model came from, label to value, such as run, version and hashes.
        baseline: the simplest guess on the same folds and rows.
    """
    winner = evaluations[leaderboard.winner]
    known = {*RESULT_PLOTS, *DATA_PLOTS, *SEARCH_PLOTS, "leaderboard"}
    other = [name for name in plots if name not in known]
    page = _template().render(
        spec=spec,
        words=content.words,
        winner=winner,
        purpose=content.purpose(spec),
        headline=content.headline(spec, winner, baseline),
        standing=content.standing(leaderboard),
        result=content.result_table(winner, baseline),
        scores=content.scores_table(spec, winner, baseline),
        answering=content.answering(spec, winner),
        costs=content.costs_table(winner),
        families=content.leaderboard_table(leaderboard),
        left_out=leaderboard.left_out,
        columns=content.columns_table(spec),
        sensitive=content.sensitive_table(spec),
        slices=card_data.slices(spec, error_slices(spec, table, winner), metric=winner.metric),
        duplicates=card_data.duplicates_sentence(spec, table),
        caps=card_data.caps(spec, table),
        corrections=corrections_table(spec),
        limits=content.limits(spec, winner),
        params=content.pairs_table("Settings of the winner", content.flat(winner.params), ("Setting", "Value")),
        lineage=content.pairs_table("Where it came from", _whole_lineage(lineage, winner), ("What", "Value")),
        leaderboard_pictures=_pictures(plots, ["leaderboard"], spec),
        result_pictures=_pictures(plots, RESULT_PLOTS, spec),
        data_pictures=_pictures(plots, DATA_PLOTS, spec),
        search_pictures=_pictures(plots, [*SEARCH_PLOTS, *other], spec),
    )
    return Card(page)


def _whole_lineage(lineage: Mapping[str, str], winner: Evaluation) -> dict[str, str]:
    """What the caller knows, then the hashes that the evaluation carries."""
    hashes = {
        "Model, SHA-256": winner.model_sha256,
        "Data, hash": winner.data_hash,
        "Splits, hash": winner.splits_hash,
    }
    return {**lineage, **{label: value for label, value in hashes.items() if value not in lineage.values()}}


def _pictures(plots: Mapping[str, bytes], names: Sequence[str], spec: DatasetSpec) -> list[Picture]:
    return [_picture(name, plots[name], spec) for name in names if name in plots]


def _picture(name: str, png: bytes, spec: DatasetSpec) -> Picture:
    title, caption = PLOT_WORDS.get(name, (content.words(name).capitalize(), ""))
    width, height = struct.unpack(">II", png[16:24])
    return Picture(
        title=title,
        caption=caption,
        alt=f"Plot for {spec.title}: {title.lower()}. {caption}".strip(),
        address="data:image/png;base64," + base64.b64encode(png).decode("ascii"),
        width=width,
        height=height,
    )


def _template() -> Template:
    source = resources.files("ml_assets.evaluation").joinpath("card.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(source)
