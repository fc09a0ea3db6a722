"""Measurements of the project, run from a checkout by `liquid-control bench`."""
