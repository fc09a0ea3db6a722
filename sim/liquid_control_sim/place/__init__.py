"""Seeded description of a flight's surroundings: trail, trees, ground, obstacles and targets.

The package holds data only. It needs neither PyBullet nor Numba.
"""
