"""Contracts and the canonical files they describe."""
