"""Checks of a table against its contract."""
