"""Rendering of a forest: meshes, textures, shadows and the rasteriser."""
