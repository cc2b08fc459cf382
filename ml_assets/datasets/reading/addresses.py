"""Addresses of databases as people type them: whether one holds a password, and where it is put then.

Asking a database belongs in `database`.
"""

from __future__ import annotations

import sqlalchemy as sa

from ml_assets.datasets.reading.database import SECRET_OPTIONS


def holds_password(address: str) -> bool:
    """Whether a database's address has a password in it; what is no address has none."""
    if "://" not in address:
        return False
    try:
        url = sa.make_url(address)
    except (sa.exc.ArgumentError, ValueError):
        return False
    return url.password is not None or any(name.lower() in SECRET_OPTIONS for name in url.query)


def address_variable(dataset: str) -> str:
    """The environment variable that holds the address of a dataset's database, where that is a secret."""
    return f"ML_ASSETS_{dataset.upper()}_DATABASE"
