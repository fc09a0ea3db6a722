"""Shadow maps against analytic geometry."""

import numpy as np
import pytest

from liquid_control_sim.render.kernels.kernel_types import Light
from liquid_control_sim.render.meshes import RenderModel, cuboid, grid, make_stage
from liquid_control_sim.render.optics import CameraPose, Intrinsics
from liquid_control_sim.render.rasteriser import Rasteriser
from liquid_control_sim.render.shadow_map import CELL_M, cast_shadows
from liquid_control_sim.render.textures import Texture

pytestmark = pytest.mark.sim

WHITE = Texture.of(np.full((4, 4, 3), 255, np.uint8))
BASE, WIDTH, HEIGHT = np.array([1.0, -2.0]), 0.6, 3.0
SKY, DIRECT = 0.25, 0.5
ALL, NONE = np.array([False, True]), np.array([False, False])


def sun(azimuth_deg: float, elevation_deg: float) -> np.ndarray:
    azimuth, elevation = np.radians([azimuth_deg, elevation_deg])
    flat = np.cos(elevation)
    return np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)])


def direct_light(direction, contrast=1.0, sways=False, sway=(0.0, 0.0)):
    """Return points on the ground [K, 2] and the fraction of direct light there [K]."""
    edge = np.array([0.0, 1.0])
    ground = grid(np.array([-12.0, 12.0]), np.array([-12.0, 12.0]), edge, edge)
    post = cuboid(np.array([*BASE, 0.5 * HEIGHT]), (WIDTH, WIDTH, HEIGHT), 0.0)
    stage = make_stage([RenderModel(ground, (WHITE,)), RenderModel(post, (WHITE,))])
    casters = (NONE, ALL) if sways else (ALL, NONE)
    shadow = cast_shadows(stage, casters, direction, ground.vertices, contrast)
    intrinsics = Intrinsics(160, 160, 240.0)
    pose = CameraPose(np.array([0.0, 0.0, 20.0]), np.diag([1.0, -1.0, -1.0]))
    light = Light(direction, np.full(3, DIRECT), np.full(3, SKY))
    rendered = Rasteriser(intrinsics, stage).render(
        pose, light, shadow._replace(sway_m=np.array(sway)), np.array([True, False])
    )
    places = (20.0 * intrinsics.rays() * (1.0, -1.0, 1.0))[..., :2].reshape(-1, 2)
    fraction = (rendered.radiance[..., 0].reshape(-1) - SKY) / (DIRECT * direction[2])
    return places, fraction


def shadow_depth(places, direction, base=BASE) -> np.ndarray:
    """Return the depth of points inside the shadow of the post, m, negative outside.

    The shadow is what the footprint sweeps over along the sun's rays.
    """
    tip = -HEIGHT * direction[:2] / direction[2]
    steps = np.linspace(0.0, 1.0, 120)[:, None] * tip
    apart = np.abs(places[:, None] - (base + steps)).max(axis=2).min(axis=1)
    return 0.5 * WIDTH - apart


@pytest.mark.parametrize(("azimuth", "elevation"), [(90.0, 45.0), (200.0, 30.0), (-35.0, 60.0)])
def test_shadow_of_a_post_is_at_the_analytic_position(azimuth, elevation):
    direction = sun(azimuth, elevation)
    places, fraction = direct_light(direction)
    depth = shadow_depth(places, direction)
    margin = 2.0 * CELL_M
    # Near its base the height of the post does not exceed the bias.
    clear_of_foot = np.abs(places - BASE).max(axis=1) > 0.5 * WIDTH + 0.5
    inside, outside = (depth > margin) & clear_of_foot, depth < -margin
    assert inside.sum() > 40
    assert fraction[inside] == pytest.approx(np.zeros(inside.sum()), abs=1e-5)
    assert fraction[outside] == pytest.approx(np.ones(outside.sum()), abs=1e-5)


def test_contrast_is_the_fraction_of_direct_light_lost_in_shadow():
    direction = sun(90.0, 45.0)
    _, fraction = direct_light(direction, contrast=0.4)
    assert fraction.min() == pytest.approx(0.6, abs=1e-5)
    assert fraction.max() == pytest.approx(1.0, abs=1e-5)


def test_foliage_sways_and_has_gaps_and_trunks_do_not():
    direction = sun(90.0, 45.0)
    places, still = direct_light(direction, sway=(1.5, 0.0))
    assert np.array_equal(still, direct_light(direction)[1])
    _, swaying = direct_light(direction, sways=True, sway=(1.5, 0.0))
    dark = swaying < 0.5
    moved = places[dark].mean(axis=0) - places[still < 0.5].mean(axis=0)
    assert moved == pytest.approx([1.5, 0.0], abs=0.3)
    depth = shadow_depth(places, direction, BASE + np.array([1.5, 0.0]))
    assert not dark[depth < -2.0 * CELL_M].any()
    flecks = 1.0 - dark[depth > 0.05].mean()
    assert 0.05 < flecks < 0.6


def test_no_shadow_without_contrast():
    direction = sun(90.0, 45.0)
    _, fraction = direct_light(direction, contrast=0.0)
    assert fraction == pytest.approx(np.ones(len(fraction)), abs=1e-5)
