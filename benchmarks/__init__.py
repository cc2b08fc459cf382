"""Measurements of the project against itself; each prints ratios taken in one run. Tests run a short version."""
