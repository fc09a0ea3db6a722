"""Recorded flights as training data: finding, reading, cutting into pieces, and summaries."""
