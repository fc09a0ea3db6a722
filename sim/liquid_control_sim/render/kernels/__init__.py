"""Compiled inner loops of the rasteriser.

A frame is drawn in two passes: `coverage.draw` finds the nearest triangle at the centre of each
pixel, and `shading.shade` samples texture and light once per pixel.
"""
