"""CatBoost with its defaults; it is told which columns are categories."""

from __future__ import annotations

import pandas as pd
from catboost import CatBoostClassifier, CatBoostRegressor
from exchange import Job, numbered, texts


def main() -> None:
    """Fits and answers."""
    job = Job.given()
    rows, categories = numbered(job.features), texts(numbered(job.features))
    settings = {
        "random_seed": job.seed,
        "thread_count": job.cores,
        "cat_features": categories,
        "verbose": False,
        "allow_writing_files": False,
    }
    model = (CatBoostClassifier if job.is_classification else CatBoostRegressor)(**settings)
    model.fit(_filled(rows, categories), job.labels)
    job.fitted()
    asked = _filled(numbered(job.test), categories)
    if job.is_classification:
        job.answer(model.predict_proba(asked), model.classes_)
    else:
        job.answer(model.predict(asked))


def _filled(frame: pd.DataFrame, categories: list[str]) -> pd.DataFrame:
    made = frame.copy()
    for name in categories:
        made[name] = frame[name].astype(object).fillna("").astype(str)
    return made


if __name__ == "__main__":
    main()
