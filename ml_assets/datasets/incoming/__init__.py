"""Files that people hand in: arriving, judged, taken as batches or refused."""
