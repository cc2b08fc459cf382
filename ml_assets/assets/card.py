"""Room 14: the page a person reads about a registered version and its verdict. What it says is the core's."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from ml_assets.assets.evaluation import scored
from ml_assets.assets.policy import contract_version, families_of, of, policy
from ml_assets.assets.training import trial_records
from ml_assets.assets.types import (
    Card,
    DataFrame,
    Diagnostics,
    Evaluation,
    Explanations,
    Leaderboard,
    LeftOut,
    Registration,
    SearchResult,
    Verdict,
)
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.errors import StorageError
from ml_assets.home import Home
from ml_assets.processes import REPORTS, give_way
from ml_assets.resources.tracking import Tracking

if TYPE_CHECKING:
    from ml_assets.evaluation.card_document import Identity, PlotWords

MOST_IMPORTANCES = 30
"""Columns whose importance the card's figures tell."""


def build_model_card(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `model_card`."""

    @dg.asset(
        **policy(spec, "delivery", kinds={"html", "matplotlib", "mlflow"}, version=contract_version(spec, "3")),
        ins={
            "clean_table": of(spec, "clean_table"),
            "splits": of(spec, "splits"),
            "tuned_params": families_of(spec, "tuned_params"),
            "evaluations": families_of(spec, "evaluation"),
            "comparison": of(spec, "comparison"),
            "diagnostics": of(spec, "diagnostics"),
            "explanations": of(spec, "explanations"),
            "registered_model": of(spec, "registered_model"),
            "deployment": of(spec, "deployment"),
        },
    )
    def model_card(
        context: dg.AssetExecutionContext,
        clean_table: DataFrame,
        splits: DataFrame,
        tuned_params: dict[str, SearchResult | LeftOut],
        evaluations: dict[str, Evaluation | LeftOut],
        comparison: Leaderboard,
        diagnostics: Diagnostics,
        explanations: Explanations,
        registered_model: Registration,
        deployment: Verdict,
        tracking: Tracking,
    ) -> dg.MaterializeResult[Card]:
        """The page about a registered version: what it predicts, the verdict, how well, on what data, what limits."""
        from ml_assets.evaluation.baseline import baseline
        from ml_assets.evaluation.card import Card as MadeCard
        from ml_assets.evaluation.card import model_card as make_card
        from ml_assets.evaluation.card_files import CardFiles
        from ml_assets.evaluation.diagnostics_words import scores_section, weak_spots_section
        from ml_assets.evaluation.explanation_words import explanations_section
        from ml_assets.evaluation.ledger import looks_at, looks_section
        from ml_assets.evaluation.nested import NestedValidation, nested_section
        from ml_assets.evaluation.plots import card_plots, score_unit
        from ml_assets.evaluation.slice_plots import slices

        give_way(REPORTS)
        ranked, _ = scored(evaluations)
        winner = ranked[comparison.winner]
        check_registered(spec, winner, registered_model, deployment)
        for name, made in (("diagnostics", diagnostics), ("explanations", explanations)):
            if made.model_sha256 != winner.model_sha256:
                raise StorageError(
                    f"{spec.name}: the {name} are of another {made.family} model; materialize {spec.name}/{name} again"
                )
        guess = baseline(spec, clean_table, splits)
        looks = looks_at(Home.current().reports / spec.name, winner.data_hash, winner.splits_hash)
        nested = NestedValidation.load(Home.current().reports / spec.name)
        if nested is not None and (nested.data_hash, nested.splits_hash) != (winner.data_hash, winner.splits_hash):
            nested = None  # of other rows
        trials = [record for result in tuned_params.values() for record in trial_records(result)]
        document = make_card(
            spec,
            comparison,
            ranked,
            table=clean_table,
            plots=card_plots(spec, clean_table, comparison, winner, trials=trials, baseline=guess)
            | {
                "slices": slices(diagnostics.slices, metric=winner.metric, unit=score_unit(spec)),
                **explanations.plots,
            },
            identity=identity_of(registered_model, run=context.run.run_id, now=datetime.now(UTC)),
            baseline=guess,
            trials=trials,
            verdict=deployment,
            sections=[
                *([nested_section(nested, winner)] if nested is not None else []),
                looks_section(looks, alpha=deployment.alpha),
                scores_section(spec, winner, guess, diagnostics),
                weak_spots_section(spec, diagnostics),
                explanations_section(spec, explanations),
            ],
            words=_plot_words(spec, diagnostics, explanations),
            figures={
                "score_intervals": diagnostics.intervals,
                "nested": nested.to_dict() if nested is not None else None,
                "importance": explanations.importance.head(MOST_IMPORTANCES).to_dict(orient="records"),
            },
        )
        card = MadeCard.of(document)
        files = CardFiles(spec.name, Home.current().reports / spec.name)
        page = files.publish(card, registered_model.version)
        with tracking.parent_run(context, spec.name) as run:
            for ending, text in card.files().items():
                run.log_file(f"model_card.{ending}", text.encode())
        metadata: dict[str, Any] = {
            "version": registered_model.version,
            "page": dg.MetadataValue.path(str(page)),
            "latest": dg.MetadataValue.path(str(files.latest)),
            "headline": document.headline,
            "mlflow_run": dg.MetadataValue.url(run.url),
        }
        return dg.MaterializeResult(value=card, metadata=metadata)

    return model_card


def _plot_words(spec: DatasetSpec, diagnostics: Diagnostics, explanations: Explanations) -> dict[str, "PlotWords"]:
    """What is said with the plots of slices and explanations."""
    from ml_assets.evaluation.card_document import PlotWords
    from ml_assets.evaluation.diagnostics_words import slices_words
    from ml_assets.evaluation.explanation_words import dependence_words, shap_words

    return {
        "slices": PlotWords(
            "The slices it serves worst",
            "Dots with 95 % intervals, red where worse beyond the noise; the grey mark is the other rows.",
            slices_words(diagnostics),
        ),
        "shap": PlotWords(
            "What each column adds to the answers",
            "How far a column moves an answer, up or down, on average over test rows (SHAP values).",
            shap_words(spec, explanations),
        ),
        "partial_dependence": PlotWords(
            "Answers along the most important columns",
            "One column changes, everything else stays as it is; thin lines are single rows, thick ones their mean.",
            dependence_words(explanations),
        ),
    }


def check_registered(spec: DatasetSpec, winner: Evaluation, registration: Registration, verdict: Verdict) -> None:
    """Refuses a card of a winner that is not the registered version, or that the verdict is not about.

    Raises:
        StorageError: they do not belong together.
    """
    origin = registration.origin
    if (winner.model_sha256, winner.splits_hash) != (origin.model_sha256, origin.splits_hash):
        raise StorageError(
            f"{spec.name}: the {winner.family} model that leads the leaderboard is not {registration.label}, the last "
            f"one registered; materialize {spec.name}/registered_model and {spec.name}/deployment again"
        )
    if verdict.challenger != registration.label:
        raise StorageError(
            f"{spec.name}: the last verdict is about {verdict.challenger}, not about {registration.label}; materialize "
            f"{spec.name}/deployment again"
        )


def identity_of(registration: Registration, *, run: str, now: datetime) -> "Identity":
    """Whose card it is, from the registry, the model's own record and the versions of the raw table."""
    from ml_assets.datasets.state import table_versions
    from ml_assets.evaluation.card_document import Identity
    from ml_assets.learning.environment import lock_sha256
    from ml_assets.learning.fitted_model import read_record

    origin, record = registration.origin, read_record(registration.model_file.parent)
    version = table_versions(Home.current(), origin.dataset).origin_of(origin.data_hash)
    return Identity(
        dataset=origin.dataset,
        family=origin.family,
        version=registration.version,
        run=run,
        model_sha256=origin.model_sha256,
        data_hash=origin.data_hash,
        splits_hash=origin.splits_hash,
        table_version=version.label if version is not None else "no version that is kept",
        data_version=origin.data_version or (version.id if version is not None else ""),
        code_version=origin.code_version,
        seed=origin.seed,
        made_at=now.strftime("%Y-%m-%d %H:%M UTC"),
        lock_sha256=lock_sha256(),
        libraries=dict(record.libraries),
    )
