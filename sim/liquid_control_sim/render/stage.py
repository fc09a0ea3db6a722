"""Pack everything that can be drawn for the kernels: models, textures, bounding boxes."""

from dataclasses import dataclass

import numpy as np

from liquid_control.types import Floats
from liquid_control_sim.render.kernels.kernel_types import Stage
from liquid_control_sim.render.meshes import Mesh, merge
from liquid_control_sim.render.textures import Texture, pack


@dataclass(frozen=True)
class RenderModel:
    """Triangles and what they are painted with; shown or hidden as a whole.

    Attributes:
        mesh: its `paint` picks among the textures.
        textures: at least one.
    """

    mesh: Mesh
    textures: tuple[Texture, ...]


def make_stage(models: list[RenderModel]) -> Stage:
    """Pack models; textures that several share are kept once."""
    textures = list({id(t): t for model in models for t in model.textures}.values())
    number = {id(texture): index for index, texture in enumerate(textures)}
    meshes = [model.mesh for model in models]
    whole = merge(meshes)
    texels = pack(tuple(textures))
    paint = [
        np.array([number[id(t)] for t in model.textures], np.int64)[model.mesh.paint]
        for model in models
    ]
    return Stage(
        vertices=np.ascontiguousarray(whole.vertices),
        normals=np.ascontiguousarray(whole.normals),
        uvs=np.ascontiguousarray(whole.uvs),
        triangles=np.ascontiguousarray(whole.triangles),
        paint=np.concatenate(paint),
        vertex_range=np.cumsum([0] + [len(mesh.vertices) for mesh in meshes]),
        triangle_range=np.cumsum([0] + [len(mesh.triangles) for mesh in meshes]),
        boxes=np.array([_box(mesh) for mesh in meshes]),
        texels=texels.values,
        levels=texels.levels,
        first_level=texels.first,
    )


def _box(mesh: Mesh) -> Floats:
    return np.stack([mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)])
