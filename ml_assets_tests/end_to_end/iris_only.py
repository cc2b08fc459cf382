"""A small project of one dataset, for tests that run whole jobs."""

from ml_assets.datasets.contracts import load_contract
from ml_assets.definitions import build_defs

defs = build_defs(contracts={"iris": load_contract("iris")})
