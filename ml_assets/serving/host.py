"""Keeps each dataset's champion in memory and follows it. Finding and reading one is the caller's."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from ml_assets.errors import SettingError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from ml_assets.serving.predictor import Predictor

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ChampionRef:
    """Which model is champion; two equal references mean the same bytes."""

    dataset: str
    version: str
    sha256: str
    path: str
    family: str
    run_id: str
    data_hash: str


@dataclass(frozen=True)
class Hosted:
    """What the host holds for one dataset at one moment.

    Attributes:
        champion: the model that answers, or None.
        predictor: its predictor; None exactly when `champion` is.
        loaded_at: when it was loaded, seconds since the epoch.
        error: why the last look found no champion or could not load it; None if all is well.
    """

    champion: ChampionRef | None = None
    predictor: Predictor | None = None
    loaded_at: float | None = None
    error: str | None = None


class ModelHost:
    """The champions in memory, looked up again every `poll_seconds` by one background thread.

    A request takes one `Hosted` and keeps it: a swap replaces the whole object, so the request ends on the
    model it began with. A champion that cannot be resolved or loaded leaves the earlier model in place and
    its error in `Hosted.error`; it is tried again at each look. A champion that is gone (the alias was
    removed) is no longer served.

    Args:
        resolve: the current champion of a dataset, or None.
        load: its predictor; has to verify the bytes against `ChampionRef.sha256` before it unpickles them.
        datasets: names to host.
        poll_seconds: time between two looks.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        resolve: Callable[[str], ChampionRef | None],
        load: Callable[[ChampionRef], Predictor],
        datasets: Iterable[str],
        *,
        poll_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        if not poll_seconds > 0:
            raise SettingError(f"poll_seconds is {poll_seconds}: give a number of seconds above 0")
        self._resolve = resolve
        self._load = load
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._hosted = {name: Hosted(error="champions have not been looked up yet") for name in datasets}
        self._refreshing = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def hosted(self, dataset: str) -> Hosted:
        """What answers for `dataset` now.

        Raises:
            UnknownNameError: the dataset is not hosted.
        """
        if dataset not in self._hosted:
            raise UnknownNameError("dataset", dataset, self._hosted)
        return self._hosted[dataset]

    def snapshot(self) -> Mapping[str, Hosted]:
        """What answers now, by dataset."""
        return dict(self._hosted)

    def refresh(self) -> None:
        """Looks every champion up once and loads those that changed."""
        with self._refreshing:
            for dataset in self._hosted:
                self._hosted[dataset] = self._next(dataset, self._hosted[dataset])

    def start(self) -> None:
        """Looks once, so that what is there answers from the first request on, then keeps looking."""
        self.refresh()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._keep_looking, name="champions", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the background thread; the models stay in memory."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _keep_looking(self) -> None:
        while not self._stopping.wait(self._poll_seconds):
            self.refresh()

    def _next(self, dataset: str, now: Hosted) -> Hosted:
        """What to hold after one look.

        Reading a registry and unpickling a model may raise anything; here, and only here, everything is
        caught, because the alternative is a thread that dies unseen and a server that follows the alias no
        more.
        """
        wanted: ChampionRef | None = None
        try:
            wanted = self._resolve(dataset)
            if wanted is None:
                return Hosted(error="no champion yet: run `ml-assets run`")
            if wanted == now.champion:
                return Hosted(now.champion, now.predictor, now.loaded_at)
            return Hosted(wanted, self._load(wanted), self._clock())
        except Exception as error:  # noqa: BLE001
            what = f"version {wanted.version} could not be loaded" if wanted else "the champion could not be looked up"
            message = f"{what}: {type(error).__name__}: {error}"
            if message != now.error:
                logger.warning("%s: %s", dataset, message)
            return Hosted(now.champion, now.predictor, now.loaded_at, error=message)
