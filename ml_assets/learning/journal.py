"""The journal of a search on disk: what makes a killed search resumable. Deciding what to try belongs in `search`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ml_assets.artifacts import storage_errors, write_atomically
from ml_assets.learning.search_result import Trial
from ml_assets.learning.worker import FoldFit

if TYPE_CHECKING:
    import optuna
    from numpy.typing import NDArray

_FINISHED = "finished"


@dataclass(frozen=True)
class BestTrial:
    """The best setting so far with its score on each fold and its out-of-fold predictions."""

    number: int
    params: dict[str, Any]
    scores: NDArray[np.float64]
    oof: NDArray[np.float64]


@dataclass(frozen=True)
class SearchJournal:
    """One folder: Optuna's journal with a study a family, and the best out-of-fold predictions of each family."""

    folder: Path
    storage: optuna.storages.BaseStorage

    @classmethod
    def open(cls, folder: Path) -> SearchJournal:
        """The journal in `folder`, continued if its search was cut off, begun anew if it had ended."""
        import optuna
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        for ended in folder.parent.glob(f"*/{_FINISHED}"):
            shutil.rmtree(ended.parent)
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        # A killed search leaves Optuna's lock behind; the cores this search holds keep every other one out.
        for lock in folder.glob("journal.log.lock*"):
            lock.unlink()
        return cls(folder, optuna.storages.JournalStorage(JournalFileBackend(str(folder / "journal.log"))))

    def study(self, family: str, *, seed: int, first: Mapping[str, Any]) -> optuna.Study:
        """The study of `family`; trials that a kill left open are closed, a new study starts with setting `first`."""
        import optuna

        studies = {s.study_name for s in optuna.get_all_study_summaries(self.storage)}
        study = optuna.create_study(
            study_name=family,
            storage=self.storage,
            load_if_exists=True,
            sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=8, constant_liar=True),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=1),
        )
        if family not in studies:
            study.enqueue_trial(dict(first))
        for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            if trial.number == 0:
                study.enqueue_trial(dict(first))
        return study

    def close(
        self,
        study: optuna.Study,
        trial: optuna.trial.Trial,
        params: Mapping[str, Any],
        fits: Mapping[int, FoldFit],
        elapsed: float,
        *,
        state: str,
        score: float | None = None,
        reason: str = "",
    ) -> None:
        """Writes down how a trial ended."""
        import optuna

        record = {
            "params": dict(params),
            "seconds": elapsed,
            "fit_seconds": sum(f.seconds for f in fits.values()),
            "reason": reason,
        }
        with storage_errors(self.folder):
            trial.set_user_attr("record", record)
            study.tell(trial, values=score, state=optuna.trial.TrialState[state])

    def trials(self, study: optuna.Study) -> Iterator[Trial]:
        """Trials that ended, in order."""
        for trial in study.get_trials(deepcopy=False):
            record = trial.user_attrs.get("record")
            if record is not None and trial.state.is_finished():
                score = float(trial.values[0]) if trial.values and trial.state.name == "COMPLETE" else None
                yield Trial(number=trial.number, state=trial.state.name, score=score, **record)

    def spent(self, study: optuna.Study) -> float:
        """Fit seconds of the trials that ended."""
        return sum(t.fit_seconds for t in self.trials(study))

    def elapsed(self, study: optuna.Study) -> float:
        """Wall time of the search when its last trial ended; 0 for a new one."""
        return max((t.seconds for t in self.trials(study)), default=0.0)

    def keep_best(
        self,
        family: str,
        number: int,
        params: Mapping[str, Any],
        scores: NDArray[np.float64],
        oof: NDArray[np.float64],
    ) -> BestTrial:
        """Writes the best setting of `family` so far, in one rename."""
        import io

        buffer = io.BytesIO()
        np.savez_compressed(buffer, oof=oof, scores=scores, number=number, params=np.array(json.dumps(dict(params))))
        write_atomically(self.folder / f"{family}.npz", buffer.getvalue())
        return BestTrial(number, dict(params), scores, oof)

    def best(self, study: optuna.Study) -> BestTrial | None:
        """The best setting a cut-off search had found, or None."""
        file = self.folder / f"{study.study_name}.npz"
        if not file.exists():
            return None
        with np.load(file) as saved:
            return BestTrial(int(saved["number"]), json.loads(str(saved["params"])), saved["scores"], saved["oof"])

    def finish(self) -> None:
        """Marks the search as ended."""
        write_atomically(self.folder / _FINISHED, b"")
