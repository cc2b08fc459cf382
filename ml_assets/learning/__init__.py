"""Splitting, searching and fitting."""
