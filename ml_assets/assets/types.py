"""Names of stored values for the annotations of assets; at run time they are `Any`, so that nothing heavy is loaded."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame
    from polars import DataFrame as RawTable

    from ml_assets.datasets.profiles.document import TableProfile
    from ml_assets.evaluation.card import Card
    from ml_assets.evaluation.comparison import Leaderboard
    from ml_assets.evaluation.diagnostics import Diagnostics
    from ml_assets.evaluation.explain import Explanations
    from ml_assets.evaluation.record import Evaluation
    from ml_assets.evaluation.verdict import Verdict
    from ml_assets.features.feature_set import FeatureSet
    from ml_assets.learning.fitted_model import FittedModel
    from ml_assets.learning.left_out import LeftOut
    from ml_assets.learning.search_result import SearchResult
    from ml_assets.monitoring.decision import RetrainDecision
    from ml_assets.monitoring.drift import DriftReport
    from ml_assets.monitoring.live_window import LiveWindow
    from ml_assets.monitoring.performance import LivePerformance
    from ml_assets.monitoring.profile import Profile
    from ml_assets.resources.registry import Registration
else:
    Card = DataFrame = Diagnostics = DriftReport = Evaluation = FeatureSet = FittedModel = Leaderboard = Any
    LivePerformance = LiveWindow = Profile = Registration = RetrainDecision = SearchResult = Verdict = Any
    Explanations = LeftOut = RawTable = TableProfile = Any

__all__ = [
    "Card",
    "DataFrame",
    "Diagnostics",
    "DriftReport",
    "Evaluation",
    "Explanations",
    "FeatureSet",
    "FittedModel",
    "Leaderboard",
    "LeftOut",
    "LivePerformance",
    "LiveWindow",
    "Profile",
    "RawTable",
    "Registration",
    "RetrainDecision",
    "SearchResult",
    "TableProfile",
    "Verdict",
]
