"""Benchmarks of the repository, run from a checkout by `liquid-control bench`."""
