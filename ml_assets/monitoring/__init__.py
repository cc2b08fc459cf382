"""Whether the world still looks as it did in training, and what to do when it does not."""
