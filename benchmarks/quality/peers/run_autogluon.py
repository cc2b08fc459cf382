"""AutoGluon with a preset, told the seconds that are left and the error that counts."""

from __future__ import annotations

from autogluon.tabular import TabularPredictor
from exchange import Job


def main() -> None:
    """Fits and answers."""
    job = Job.given()
    if not job.is_classification:
        kind, metric = "regression", "root_mean_squared_error"
    else:
        kind, metric = "binary" if job.labels.nunique() == 2 else "multiclass", "log_loss"
    predictor = TabularPredictor(
        label=job.target, problem_type=kind, eval_metric=metric, path=str(job.folder / "autogluon"), verbosity=0
    )
    predictor.fit(job.train, presets=f"{job.word}_quality", time_limit=job.seconds_left(), num_cpus=job.cores)
    job.fitted()
    if job.is_classification:
        told = predictor.predict_proba(job.test)
        job.answer(told, told.columns)
    else:
        job.answer(predictor.predict(job.test))


if __name__ == "__main__":
    main()
