"""FLAML, told the seconds that are left and the error that counts."""

from __future__ import annotations

from exchange import Job, dated
from flaml import AutoML


def main() -> None:
    """Fits and answers."""
    job = Job.given()
    automl = AutoML()
    automl.fit(
        dated(job.features),
        job.labels,
        task=job.task,
        metric="log_loss" if job.is_classification else "rmse",
        time_budget=job.seconds_left(),
        n_jobs=job.cores,
        seed=job.seed,
        verbose=0,
    )
    job.fitted()
    asked = dated(job.test)
    if job.is_classification:
        job.answer(automl.predict_proba(asked), automl.classes_)
    else:
        job.answer(automl.predict(asked))


if __name__ == "__main__":
    main()
