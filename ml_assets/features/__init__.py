"""Transformers of the feature plan, fitted on training rows only."""
