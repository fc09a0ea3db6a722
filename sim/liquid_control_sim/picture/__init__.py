"""Forming of pictures: sky, air, lens and sensor, as steps chosen at construction."""
