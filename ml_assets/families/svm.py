"""Support vector machines with a Gaussian kernel: exact on small tables, Nyström's approximation on large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ml_assets.families.base import Family, Params, ProblemShape

if TYPE_CHECKING:
    from optuna.trial import Trial
    from sklearn.base import BaseEstimator

EXACT_ROWS = 6000
"""An exact kernel costs time in the square of the rows; above this many the kernel is approximated."""


class SVM(Family):
    """Margins in the space of a Gaussian kernel.

    The approximation is that of Williams & Seeger (2001), "Using the Nyström method to speed up kernel machines".
    Class probabilities come from Platt's sigmoid on cross-fitted scores.
    """

    title = "Support vector machine"
    version = "3"
    first_seconds = 0.1

    def defaults(self, shape: ProblemShape) -> dict[str, Any]:
        """Kernel width of one over the number of columns."""
        params: dict[str, Any] = {"C": 1.0, "gamma": 1.0 / max(shape.columns, 1)}
        if not shape.is_classification:
            params |= {"epsilon": 0.1, "target": "plain"}
        if shape.rows > EXACT_ROWS:
            params["components"] = 300
        return params

    def portfolio(self, shape: ProblemShape) -> tuple[Params, ...]:
        """The defaults; a wider kernel with a higher penalty; and for numbers, that to a target made normal."""
        first = self.defaults(shape)
        wide = {**first, "C": 20.0, "gamma": first["gamma"] / 4}
        return (first, wide) if shape.is_classification else (first, wide, {**wide, "target": "normal"})

    def suggest(self, trial: Trial, shape: ProblemShape) -> dict[str, Any]:
        """Penalty, kernel width around its default and, where they apply, tube width and components."""
        width = 1.0 / max(shape.columns, 1)
        params: dict[str, Any] = {
            "C": trial.suggest_float("C", 0.05, 200.0, log=True),
            "gamma": trial.suggest_float("gamma", width / 20, width * 10, log=True),
        }
        if not shape.is_classification:
            params["epsilon"] = trial.suggest_float("epsilon", 0.005, 0.5, log=True)
            params["target"] = trial.suggest_categorical("target", ["plain", "normal"])
        if shape.rows > EXACT_ROWS:
            params["components"] = trial.suggest_int("components", 200, 600, step=100)
        return params

    def estimator(self, params: Params, shape: ProblemShape, *, seed: int) -> BaseEstimator:
        """Support vector machine on scaled columns."""
        from ml_assets.families.preparation import scaled
        from ml_assets.families.targets import PLAIN, scaled_target

        if shape.is_classification:
            from sklearn.calibration import CalibratedClassifierCV

            from ml_assets.families.labels import FoldsOfRareClasses

            return scaled(
                CalibratedClassifierCV(_machine(params, shape, seed), ensemble=False, cv=FoldsOfRareClasses(3))
            )
        return scaled(scaled_target(_machine(params, shape, seed), params.get("target", PLAIN)))


def _machine(params: Params, shape: ProblemShape, seed: int) -> Any:
    from sklearn.kernel_approximation import Nystroem
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR

    kernel = {"C": params["C"], "gamma": params["gamma"]}
    if "components" not in params:
        return SVC(**kernel) if shape.is_classification else SVR(**kernel, epsilon=params["epsilon"])
    features = Nystroem(gamma=params["gamma"], n_components=params["components"], random_state=seed)
    if shape.is_classification:
        return make_pipeline(features, LinearSVC(C=params["C"], dual=False, random_state=seed))
    linear = LinearSVR(
        C=params["C"],
        epsilon=params["epsilon"],
        loss="squared_epsilon_insensitive",
        dual=False,
        random_state=seed,
    )
    return make_pipeline(features, linear)


FAMILY = SVM()
