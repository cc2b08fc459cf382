"""The model card of a dataset's winner, put together and written; its parts are in `card_sections` and below it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from ml_assets.errors import IntegrityError
from ml_assets.evaluation import card_content as content
from ml_assets.evaluation.card_document import CardDocument, Picture, PlotWords, placed
from ml_assets.evaluation.card_figures import card_figures
from ml_assets.evaluation.card_html import html_page
from ml_assets.evaluation.card_markdown import markdown_page
from ml_assets.evaluation.card_sections import ORDER, PLACED, facts, own_sections, with_pictures
from ml_assets.evaluation.optimism import optimism_gap
from ml_assets.evaluation.plot_words import plot_words
from ml_assets.evaluation.selection import SelectionGap, selection_gap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.evaluation.baseline import Baseline
    from ml_assets.evaluation.card_document import Identity
    from ml_assets.evaluation.comparison import Leaderboard
    from ml_assets.evaluation.gate import Verdict
    from ml_assets.evaluation.record import Evaluation
    from ml_assets.evaluation.search_plots import Trials
    from ml_assets.evaluation.section import Section

STEM = "model_card"


@dataclass(frozen=True)
class Card:
    """A model card as it is kept: a page that needs nothing but itself, text, and figures.

    Cards of older versions of the program have no Markdown and no JSON; theirs are empty.
    """

    html: str
    markdown: str = ""
    json: str = ""

    @classmethod
    def of(cls, document: CardDocument) -> Card:
        """A document written in all three."""
        figures = json.dumps(document.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        return cls(html_page(document), markdown_page(document), figures)

    def files(self) -> dict[str, str]:
        """What is there, by ending."""
        parts = {"html": self.html, "md": self.markdown, "json": self.json}
        return {ending: text for ending, text in parts.items() if text}

    def save(self, folder: Path) -> None:
        """Write `model_card.html`, `.md` and `.json`."""
        for ending, text in self.files().items():
            (folder / f"{STEM}.{ending}").write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Card:
        """Read what `save` wrote."""
        page = folder / f"{STEM}.html"
        try:
            html = page.read_text(encoding="utf-8")
            others = [folder / f"{STEM}.{ending}" for ending in ("md", "json")]
            return cls(html, *(file.read_text(encoding="utf-8") if file.exists() else "" for file in others))
        except OSError as error:
            raise IntegrityError(f"{page} cannot be read ({error}); materialize the model card again") from error


def model_card(
    spec: DatasetSpec,
    leaderboard: Leaderboard,
    evaluations: Mapping[str, Evaluation],
    *,
    table: pd.DataFrame,
    plots: Mapping[str, bytes],
    identity: Identity,
    baseline: Baseline,
    trials: Trials | None = None,
    verdict: Verdict | None = None,
    sections: Sequence[Section] = (),
    words: Mapping[str, PlotWords] | None = None,
    figures: Mapping[str, Any] | None = None,
) -> CardDocument:
    """The card of a dataset's winner.

    Args:
        spec: the dataset's contract.
        leaderboard: of the families.
        evaluations: by family; the winner's is what the card is about.
        table: the clean table, for the quirks in it and the errors by slice of its sensitive columns.
        plots: PNG bytes by name: those of `plots.card_plots`, and those that `sections` name.
        identity: which version it is and what it came from; what the evaluation knows is filled in.
        baseline: the simplest guess on the same folds and rows.
        trials: of the search, for the words of its plot.
        verdict: of the promotion gate.
        sections: made elsewhere. One of a known key (`verdict`, `scores`, `slices`, `intervals`, `explanations`, …)
            takes that place, others go before the lineage.
        words: what is said with plots that `sections` name; without it a plot is told by its section's first sentence.
        figures: more numbers for the JSON document. `score_intervals`, a mapping of a metric of the test rows to
            `[low, high]`, lets a difference of two versions say what is beyond noise.
    """
    winner = evaluations[leaderboard.winner]
    known, gap = _filled_in(identity, winner), optimism_gap(winner)
    choice = _choice(trials, winner.folds_each)
    named = {name for section in sections for name in section.pictures}
    other = [name for name in plots if name not in PLACED | named]
    own = own_sections(
        spec,
        leaderboard,
        winner,
        table=table,
        baseline=baseline,
        gap=gap,
        choice=choice,
        verdict=verdict,
        identity=known,
        other_plots=other,
    )
    arranged = with_pictures(placed(list(own), sections, order=ORDER, before="lineage"), plots)
    numbers = card_figures(spec, leaderboard, winner, baseline, table=table, gap=gap, verdict=verdict)
    said = plot_words(spec, table, leaderboard, winner, trials=trials, baseline=baseline) | dict(words or {})
    return CardDocument(
        title=spec.title,
        kind=f"model card, version {known.version}" if known.version else "model card",
        purpose=content.purpose(spec),
        headline=content.headline(spec, winner, baseline),
        facts=facts(spec, winner, baseline, gap=gap, verdict=verdict, identity=known),
        sections=arranged,
        pictures=_pictures(arranged, plots, said),
        closing=f"Owner: {spec.owner}.",
        identity=known,
        figures={**numbers, "selection": asdict(choice) if choice is not None else None, **(figures or {})},
    )


def _choice(trials: Trials | None, folds: int) -> SelectionGap | None:
    """By how much choosing among the trials flatters the best; None where they do not say."""
    table = pd.DataFrame(trials if trials is not None else [])
    return selection_gap([scores for scores in table.get("fold_scores", ()) if scores is not None], folds_each=folds)


def _filled_in(identity: Identity, winner: Evaluation) -> Identity:
    known = {name: getattr(winner, name) for name in ("model_sha256", "data_hash", "splits_hash")}
    return replace(identity, **{name: value for name, value in known.items() if not getattr(identity, name)})


def _pictures(
    sections: Sequence[Section], plots: Mapping[str, bytes], words: Mapping[str, PlotWords]
) -> dict[str, Picture]:
    """The plots that sections show, in their order."""
    made = {}
    for section in sections:
        plain = section.paragraphs[0] if section.paragraphs else ""
        for name in section.pictures:
            if name in plots:
                said = words.get(name) or PlotWords(content.words(name).capitalize(), says=plain)
                made[name] = Picture(name, said, plots[name])
    return made
