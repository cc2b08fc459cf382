"""From a table nobody described to a guessed contract, and its text."""
