"""What assets share through Dagster: stored tables, MLflow, settings."""
