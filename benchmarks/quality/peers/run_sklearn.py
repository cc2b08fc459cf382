"""scikit-learn with its defaults, behind the least preparation that makes a table fit: medians, one-hot categories."""

from __future__ import annotations

from typing import Any

from exchange import Job, numbered, texts
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def estimator(job: Job) -> Any:
    """The estimator the job's word names."""
    classes, seed = job.is_classification, job.seed
    match job.word:
        case "hist_gradient_boosting":
            kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
            return kind(random_state=seed)
        case "random_forest":
            kind = RandomForestClassifier if classes else RandomForestRegressor
            return kind(random_state=seed, n_jobs=job.cores)
        case "extra_trees":
            kind = ExtraTreesClassifier if classes else ExtraTreesRegressor
            return kind(n_estimators=500, random_state=seed, n_jobs=job.cores)
        case "linear":
            return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000) if classes else Ridge())
    raise SystemExit(f"no such estimator: {job.word}")


def main() -> None:
    """Fits and answers."""
    job = Job.given()
    rows, asked = numbered(job.features), numbered(job.test)
    categories = texts(rows)
    preparation = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False, min_frequency=2), categories),
        remainder=SimpleImputer(strategy="median"),
    )
    model = make_pipeline(preparation, estimator(job)).fit(rows, job.labels)
    job.fitted()
    if job.is_classification:
        job.answer(model.predict_proba(asked), model.classes_)
    else:
        job.answer(model.predict(asked))


if __name__ == "__main__":
    main()
