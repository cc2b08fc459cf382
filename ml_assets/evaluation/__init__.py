"""Scores, comparisons, plots and the page a person reads."""
