"""Tables that commands print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ml_assets.resources.store import artifact_key, artifact_store

if TYPE_CHECKING:
    from rich.console import Console

    from ml_assets.evaluation.comparison import Leaderboard, LeaderboardRow


def stored_leaderboard(dataset: str) -> Leaderboard | None:
    """The leaderboard of `dataset` as it was made last, or None."""
    import dagster as dg

    key, store = artifact_key(dg.AssetKey([dataset, "comparison"])), artifact_store()
    board: Leaderboard | None = store.load(key) if store.find(key) else None
    return board


def console() -> Console:
    """A console that never folds table rows when the output is no terminal."""
    from rich.console import Console

    made = Console(highlight=False)
    return made if made.is_terminal else Console(highlight=False, width=160)


def print_leaderboards(datasets: Sequence[str]) -> list[str]:
    """Prints one table over the leaderboards of `datasets`; returns those that have one."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("dataset", "family", "cross-validated", "± s.e.", "test", "metric", "seconds", "ms/1000", "MB", ""):
        table.add_column(name, justify="left" if name in ("dataset", "family", "metric", "") else "right")
    shown = []
    for dataset in datasets:
        board = stored_leaderboard(dataset)
        if board is None:
            continue
        shown.append(dataset)
        for row in board.rows:
            winner = row.family == board.winner
            table.add_row(
                dataset,
                row.family,
                score(row.cv_score),
                score(row.cv_standard_error),
                score(row.test_score),
                board.metric,
                f"{row.seconds:.1f}",
                f"{row.predict_ms_per_1000_rows:.1f}",
                f"{row.model_bytes / 1e6:.1f}",
                _note(board, row),
                style="bold" if winner else None,
            )
        table.add_section()
    if shown:
        click.echo()
        console().print(table)
        _say_who_was_left_out(shown)
    return shown


def _note(board: Leaderboard, row: LeaderboardRow) -> str:
    """Whether a family won, and what could be said of its difference from the best."""
    marks = {
        "winner": row.family == board.winner,
        "best score": row.family == board.leader != board.winner,
        "not told apart from the best": row.indistinguishable,
        "practically the same": row.equivalent,
    }
    return ", ".join(mark for mark, holds in marks.items() if holds)


def _say_who_was_left_out(datasets: Sequence[str]) -> None:
    boards = {dataset: board for dataset in datasets if (board := stored_leaderboard(dataset)) is not None}
    told = [(dataset, *entry) for dataset, board in boards.items() for entry in board.left_out.items()]
    if told:
        click.echo("\nLeft out")
        for dataset, family, reason in told:
            click.echo(f"  {dataset}: {family}: {reason}")


def score(value: float) -> str:
    """A score with four significant digits, thousands separated."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
