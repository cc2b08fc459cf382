"""`ml-assets serve`: the HTTP server that answers with the champions."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ml_assets import __version__
from ml_assets.datasets.contracts import load_contracts
from ml_assets.home import Home
from ml_assets.processes import one_thread_each

if TYPE_CHECKING:
    from ml_assets.serving.host import ChampionRef
    from ml_assets.serving.predictor import Predictor


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option("--poll", default=2.0, show_default=True, metavar="SECONDS", help="How often to look for a new champion.")
@click.option("--allow-remote", is_flag=True, help="Allow an address that other machines can reach.")
def serve(host: str, port: int, poll: float, allow_remote: bool) -> None:
    """Answer `POST /v1/datasets/NAME/predict` with each dataset's champion.

    A new champion is taken without a restart. Each request is written to a log that the monitoring assets read.

    \b
    Examples:
      ml-assets serve
      curl -s 127.0.0.1:8000/v1/datasets/iris/predict -H 'content-type: application/json' \\
        -d '{"rows": [{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}]}'
    """
    one_thread_each()
    from ml_assets.resources.registry import champion_ref
    from ml_assets.serving.app import create_app
    from ml_assets.serving.host import ModelHost
    from ml_assets.serving.prediction_log import PredictionLog
    from ml_assets.serving.server import serve as serve_app

    home, specs = Home.current(), load_contracts()
    with ModelHost(champion_ref, load_predictor, tuple(specs), poll_seconds=poll, clock=time.time) as models:
        app = create_app(models, PredictionLog(home.prediction_log), specs, started_at=time.time(), version=__version__)
        serve_app(app, host=host, port=port, record=home.server_record, allow_remote=allow_remote)


def load_predictor(champion: ChampionRef) -> Predictor:
    """The champion's predictor, its file's hash verified first."""
    from ml_assets.datasets.contracts import load_contract
    from ml_assets.learning.fitted_model import load_verified
    from ml_assets.serving.predictor import PipelinePredictor

    pipeline = load_verified(Path(champion.path), champion.sha256)
    return PipelinePredictor(pipeline, load_contract(champion.dataset).task)
