"""Recorded flights as data: found, read, cut into pieces worth learning from, and told of."""
