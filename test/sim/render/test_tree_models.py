import numpy as np
import pytest

from liquid_control.config import Scenario
from liquid_control_sim.place.forest import generate_forest
from liquid_control_sim.render.meshes import Mesh, merge
from liquid_control_sim.render.tree_models import tree_meshes

pytestmark = pytest.mark.sim


def outward_fraction(mesh: Mesh) -> float:
    corners = mesh.vertices[mesh.triangles]
    facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = mesh.normals[mesh.triangles].mean(axis=1)
    return float(((facing * normals).sum(axis=1) > 0.0).mean())


def test_trees_have_few_triangles_that_face_outward():
    trunks, crowns = tree_meshes(generate_forest(Scenario(), 8))
    mesh = merge(trunks + crowns)
    assert 19 * 120 <= len(mesh.triangles) <= 40 * 120
    assert outward_fraction(mesh) > 0.99
    assert np.linalg.norm(mesh.normals, axis=1) == pytest.approx(1.0)
    assert mesh.uvs.min() >= 0.0
    assert mesh.uvs.max() <= 1.0


def test_rendered_trunk_has_the_width_of_its_collision_shape():
    forest = generate_forest(Scenario(), 8)
    corners = merge(tree_meshes(forest)[0]).vertices
    for x, y, radius in forest.trunks:
        around = corners[np.hypot(corners[:, 0] - x, corners[:, 1] - y) < 0.5]
        away = np.hypot(around[:, 0] - x, around[:, 1] - y)
        foot, top = around[:, 2] < 0.1, around[:, 2] > 1.5
        low, high = away[foot].mean(), away[top].mean()
        at_flight = low + (high - low) * 1.5 / around[top, 2].mean()
        assert at_flight == pytest.approx(radius, rel=0.12)


def test_trees_stand_on_the_ground_and_lose_their_leaves():
    bare = Scenario.model_validate(
        {"forest": {"season": "winter"}, "terrain": {"slope_deg": 10.0}}
    )
    forest = generate_forest(bare, 8)
    trunks, crowns = tree_meshes(forest)
    feet = forest.terrain.height(forest.trunks[:, 0], forest.trunks[:, 1])
    lowest = merge(trunks).vertices[:, 2].min()
    assert feet.min() - 0.4 < lowest < feet.min()
    leafy = generate_forest(Scenario(), 8)
    assert len(merge(crowns).triangles) != len(merge(tree_meshes(leafy)[1]).triangles)
