"""How a version of a raw table looks: figures, histograms, correlations, drift."""
