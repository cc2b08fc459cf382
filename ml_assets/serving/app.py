"""The HTTP interface: paths, status codes, headers. What happens to a request belongs in `answers`."""

from __future__ import annotations

import os
import time
import uuid
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect

from ml_assets.errors import MlAssetsError, ServingError, SettingError, StorageError, UserError
from ml_assets.serving.answers import Answerer, NoChampionError, model_document
from ml_assets.serving.rows import MAXIMUM_BODY_BYTES, RowsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from ml_assets.datasets.spec import DatasetSpec
    from ml_assets.serving.host import Hosted, ModelHost
    from ml_assets.serving.prediction_log import PredictionLog

REQUEST_ID = "x-request-id"


class UnreadBodyError(UserError):
    """A request body that is not read: too large, or not declared as JSON."""

    def __init__(self, message: str, status: int) -> None:
        self.status = status
        super().__init__(message)


class _RequestIds:
    """Gives every request an id of ours, and every response the header that says it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        await self._app(scope, receive, send_with_id)


async def json_body(request: Request) -> bytes | UnreadBodyError:
    """The request's body, or why it is refused; a body too large is read to its end without being kept.

    Only `application/json` is taken: a browser sends that to another origin only with leave, which we never
    give, so no web page can feed the log of a server on its visitor's machine.
    """
    kept, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= MAXIMUM_BODY_BYTES:
            kept.append(chunk)
    if size > MAXIMUM_BODY_BYTES:
        return UnreadBodyError(
            f"the body has more than {MAXIMUM_BODY_BYTES // 2**20} MiB: send fewer rows a request", 413
        )
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return UnreadBodyError("the body has to be JSON: send the header 'content-type: application/json'", 415)
    return b"".join(kept)


Body = Annotated[bytes | UnreadBodyError, Depends(json_body)]


def create_app(
    host: ModelHost,
    log: PredictionLog,
    specs: Mapping[str, DatasetSpec],
    *,
    started_at: float,
    version: str,
    clock: Callable[[], float] = time.time,
) -> FastAPI:
    """The application; `host` is started and stopped by the caller.

    Endpoints are plain functions, which run in the thread pool: a prediction never blocks the event loop.

    Args:
        host: the champions that answer.
        log: where every request is written.
        specs: contracts by dataset name, the same names that `host` has.
        started_at: seconds since the epoch, shown by `/health`.
        version: of ml_assets, shown by `/health`.
        clock: seconds since the epoch, for the log.
    """
    answerer = Answerer(host, log, specs, clock=clock)
    app = FastAPI(title="ml_assets", version=version, docs_url=None, redoc_url=None)
    app.add_middleware(_RequestIds)
    app.add_exception_handler(MlAssetsError, _explain)
    app.add_exception_handler(ClientDisconnect, _nobody_waits)
    app.add_exception_handler(Exception, _unforeseen)

    @app.post("/v1/datasets/{name}/predict")
    def predict(name: str, request: Request, body: Body) -> JSONResponse:
        request_id = request.state.request_id
        if isinstance(body, UnreadBodyError):
            answerer.refuse(name, str(body), request_id=request_id)
            raise body
        coverage = _coverage(request.query_params.get("interval"))
        return JSONResponse(answerer.predict(name, body, request_id=request_id, coverage=coverage))

    @app.post("/v1/datasets/{name}/labels")
    def labels(name: str, body: Body) -> JSONResponse:
        if isinstance(body, UnreadBodyError):
            raise body
        return JSONResponse(answerer.add_label(name, body))

    @app.get("/v1/datasets")
    def datasets() -> JSONResponse:
        held = host.snapshot()
        return JSONResponse({"datasets": [_dataset_document(s, held[n]) for n, s in specs.items()]})

    @app.get("/health")
    def health() -> JSONResponse:
        held, failures = host.snapshot(), answerer.log_failures
        well = failures.count == 0 and all(h.error is None for h in held.values())
        document = {
            "status": "ok" if well else "degraded",
            "version": version,
            "pid": os.getpid(),
            "started_at": started_at,
            "datasets": {name: _health_document(h) for name, h in held.items()},
            "log": {"failures": failures.count, "last_failure": failures.last},
        }
        return JSONResponse(document)

    return app


def _coverage(asked: str | None) -> float | None:
    """The coverage that `?interval=…` asks for.

    Raises:
        SettingError: it is no number.
    """
    if asked is None:
        return None
    try:
        return float(asked)
    except ValueError as error:
        raise SettingError(f"interval={asked} is no number: give the coverage, such as interval=0.9") from error


def _dataset_document(spec: DatasetSpec, hosted: Hosted) -> dict[str, Any]:
    fields = []
    for name in spec.feature_columns:
        column = spec.columns[name]
        described = column.model_dump(
            mode="json", include={"dtype", "unit", "description", "range", "period", "allowed"}
        )
        fields.append({"name": name, "nullable": column.missing_share > 0, **described})
    return {
        "name": spec.name,
        "title": spec.title,
        "task": spec.task.value,
        "target": spec.target,
        "labels": list(spec.labels),
        "fields": fields,
        "model": model_document(hosted.champion),
    }


def _health_document(hosted: Hosted) -> dict[str, Any]:
    model = model_document(hosted.champion) or {}
    return {"version": None, **model, "loaded_at": hosted.loaded_at, "error": hosted.error}


def _explain(request: Request, error: Exception) -> Response:
    """Our errors as JSON: `detail` says what a person reads, `problems` which rows and fields."""
    document: dict[str, Any] = {"detail": str(error), "request_id": request.state.request_id}
    if isinstance(error, RowsError):
        document["problems"] = [vars(problem) for problem in error.problems]
    return JSONResponse(document, status_code=_status(error))


def _status(error: Exception) -> int:
    match error:
        case UnreadBodyError():
            return error.status
        case RowsError() | SettingError():
            return 422
        case UserError():
            return 404
        case NoChampionError() | StorageError():
            return 503
        case ServingError():
            return 500
    return 500


def _unforeseen(request: Request, error: Exception) -> Response:
    """An error nobody foresaw: its text stays in the server's log, the caller gets the id to find it by."""
    request_id = request.state.request_id
    message = f"{type(error).__name__} in the server: its log has the details under this request id"
    document = {"detail": message, "request_id": request_id}
    return JSONResponse(document, status_code=500, headers={REQUEST_ID: request_id})


def _nobody_waits(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return Response(status_code=499)
