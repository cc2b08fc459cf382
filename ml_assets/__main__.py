"""`python -m ml_assets` is the command `ml-assets`."""

from ml_assets.cli import main

main()
