"""mljar-supervised in its mode for accuracy, Compete, told the seconds that are left and the error that counts."""

from __future__ import annotations

from exchange import Job, dated
from supervised import AutoML


def main() -> None:
    """Fits and answers."""
    job = Job.given()
    if not job.is_classification:
        kind = "regression"
    else:
        kind = "binary_classification" if job.labels.nunique() == 2 else "multiclass_classification"
    automl = AutoML(
        results_path=str(job.folder / "mljar"),
        mode="Compete",
        ml_task=kind,
        eval_metric="logloss" if job.is_classification else "rmse",
        total_time_limit=int(job.seconds_left()),
        n_jobs=job.cores,
        random_state=job.seed,
        verbose=0,
    )
    automl.fit(dated(job.features), job.labels)
    job.fitted()
    asked = dated(job.test)
    if job.is_classification:
        told = automl.predict_all(asked).filter(regex="^prediction_")
        job.answer(told, [name.removeprefix("prediction_") for name in told])
    else:
        job.answer(automl.predict(asked))


if __name__ == "__main__":
    main()
