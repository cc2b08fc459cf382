"""How a version of the raw table looks: figures, a notebook that shows them, its page. Computing is the core's."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from ml_assets.artifacts import write_atomically
from ml_assets.assets.metadata import plots, table
from ml_assets.assets.policy import contract_version, key, of, policy
from ml_assets.assets.types import RawTable, TableProfile
from ml_assets.datasets.spec import DatasetSpec
from ml_assets.home import Home
from ml_assets.processes import REPORTS, give_way
from ml_assets.resources.settings import Settings
from ml_assets.resources.store import artifact_key, artifact_store

if TYPE_CHECKING:
    from ml_assets.evaluation.tables import Table

NOTEBOOK = "data_profile.ipynb"
PAGE = "data_profile.html"


def build_data_profile(spec: DatasetSpec) -> dg.AssetsDefinition:
    """The asset `data_profile`."""

    @dg.asset(
        **policy(
            spec, "preparation", kinds={"polars", "jupyter", "html"}, version=contract_version(spec), priority=-15
        ),
        ins={"raw_table": of(spec, "raw_table")},
    )
    def data_profile(raw_table: RawTable, settings: Settings) -> dg.MaterializeResult[TableProfile]:
        """Figures of each column, correlations, what changed since the last version; a notebook shows them."""
        import nbformat

        from ml_assets.datasets.profiles.profiling import profile
        from ml_assets.evaluation import profile_content
        from ml_assets.notebook_runs import notebook_file, page, pictures, run_notebook

        give_way(REPORTS)
        made = profile(spec, raw_table, _last_version(spec), seed=settings.seed)
        stored = artifact_store().save(artifact_key(key(spec, "data_profile")), made)
        ran = run_notebook(notebook_file(NOTEBOOK), {"dataset": spec.name, "profile_folder": str(stored.path)})
        reports = Home.current().reports / spec.name
        write_atomically(reports / NOTEBOOK, (nbformat.writes(ran) + "\n").encode())
        write_atomically(reports / PAGE, page(ran, title=f"{spec.title}: data profile").encode())
        metadata: dict[str, Any] = {
            "dagster/row_count": made.rows,
            "page": dg.MetadataValue.path(str(reports / PAGE)),
            "notebook": dg.MetadataValue.notebook(str(reports / NOTEBOOK)),
            "quirks": _listed(profile_content.quirks(made)),
            "changes": _listed(profile_content.changes(made)),
            "columns": _table(profile_content.columns(made)),
            **{name: _table(found) for name, found in _tables(made).items() if found.rows},
            **plots({f"{name}_plot": png for name, png in pictures(ran).items()}),
        }
        return dg.MaterializeResult(value=made, metadata=metadata)

    return data_profile


def _last_version(spec: DatasetSpec) -> RawTable | None:
    """The version of the raw table before the current one; None where there is none any more."""
    from ml_assets.datasets.state import table_versions

    versions = table_versions(Home.current(), spec.name)
    last = versions.previous()
    return versions.read(last) if last is not None else None


def _tables(made: TableProfile) -> "dict[str, Table]":
    from ml_assets.evaluation import profile_content

    return {
        "values_at_a_cap": profile_content.caps(made),
        "corrections": profile_content.corrections(made),
        "drift": profile_content.drift(made),
    }


def _table(made: "Table") -> dg.MetadataValue[Any]:
    import pandas as pd

    return table(pd.DataFrame(list(made.rows), columns=list(made.header)))


def _listed(sentences: Sequence[str]) -> dg.MetadataValue[Any]:
    return dg.MetadataValue.md("\n".join(f"- {sentence}" for sentence in sentences))
