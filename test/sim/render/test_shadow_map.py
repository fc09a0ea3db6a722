"""Shadows fall where the sun says, by analytic geometry."""

import numpy as np
import pytest

from liquid_control_sim.render.kernels.kernel_types import Light
from liquid_control_sim.render.meshes import cuboid, grid
from liquid_control_sim.render.optics import CameraPose, Intrinsics
from liquid_control_sim.render.rasteriser import Rasteriser
from liquid_control_sim.render.shadow_map import CELL_M, cast_shadows
from liquid_control_sim.render.stage import RenderModel, make_stage
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


def lit_share(direction, contrast=1.0, sways=False, sway=(0.0, 0.0)):
    """Return places on the ground [K, 2] and the share of direct light there [K]."""
    edge = np.array([0.0, 1.0])
    ground = grid(np.array([-12.0, 12.0]), np.array([-12.0, 12.0]), edge, edge)
    post = cuboid(np.array([*BASE, 0.5 * HEIGHT]), (WIDTH, WIDTH, HEIGHT), 0.0)
    stage = make_stage([RenderModel(ground, (WHITE,)), RenderModel(post, (WHITE,))])
    casters = (NONE, ALL) if sways else (ALL, NONE)
    shadow = cast_shadows(stage, casters, direction, ground.vertices, contrast)
    intrinsics = Intrinsics(160, 160, 240.0)
    pose = CameraPose(np.array([0.0, 0.0, 20.0]), np.diag([1.0, -1.0, -1.0]))
    light = Light(direction, np.full(3, DIRECT), np.full(3, SKY))
    seen = Rasteriser(intrinsics, stage).render(
        pose, light, shadow._replace(sway_m=np.array(sway)), np.array([True, False])
    )
    places = (20.0 * intrinsics.rays() * (1.0, -1.0, 1.0))[..., :2].reshape(-1, 2)
    share = (seen.radiance[..., 0].reshape(-1) - SKY) / (DIRECT * direction[2])
    return places, share


def shadow_depth(places, direction, base=BASE) -> np.ndarray:
    """Return how deep places lie in the post's shadow, m, negative outside.

    The shadow is what the footprint sweeps over along the sun's rays.
    """
    tip = -HEIGHT * direction[:2] / direction[2]
    steps = np.linspace(0.0, 1.0, 120)[:, None] * tip
    apart = np.abs(places[:, None] - (base + steps)).max(axis=2).min(axis=1)
    return 0.5 * WIDTH - apart


@pytest.mark.parametrize(("azimuth", "elevation"), [(90.0, 45.0), (200.0, 30.0), (-35.0, 60.0)])
def test_the_shadow_of_a_post_falls_where_the_sun_says(azimuth, elevation):
    direction = sun(azimuth, elevation)
    places, share = lit_share(direction)
    depth = shadow_depth(places, direction)
    margin = 2.0 * CELL_M
    # Next to its foot the post is no higher than the bias.
    clear_of_foot = np.abs(places - BASE).max(axis=1) > 0.5 * WIDTH + 0.5
    inside, outside = (depth > margin) & clear_of_foot, depth < -margin
    assert inside.sum() > 40
    assert share[inside] == pytest.approx(np.zeros(inside.sum()), abs=1e-5)
    assert share[outside] == pytest.approx(np.ones(outside.sum()), abs=1e-5)


def test_contrast_is_the_share_of_direct_light_that_shadows_lack():
    direction = sun(90.0, 45.0)
    _, share = lit_share(direction, contrast=0.4)
    assert share.min() == pytest.approx(0.6, abs=1e-5)
    assert share.max() == pytest.approx(1.0, abs=1e-5)


def test_foliage_sways_and_lets_flecks_of_light_through_and_trunks_do_not():
    direction = sun(90.0, 45.0)
    places, still = lit_share(direction, sway=(1.5, 0.0))
    assert np.array_equal(still, lit_share(direction)[1])
    _, swaying = lit_share(direction, sways=True, sway=(1.5, 0.0))
    dark = swaying < 0.5
    moved = places[dark].mean(axis=0) - places[still < 0.5].mean(axis=0)
    assert moved == pytest.approx([1.5, 0.0], abs=0.3)
    depth = shadow_depth(places, direction, BASE + np.array([1.5, 0.0]))
    assert not dark[depth < -2.0 * CELL_M].any()
    flecks = 1.0 - dark[depth > 0.05].mean()
    assert 0.05 < flecks < 0.6


def test_without_contrast_nothing_is_hidden():
    direction = sun(90.0, 45.0)
    _, share = lit_share(direction, contrast=0.0)
    assert share == pytest.approx(np.ones(len(share)), abs=1e-5)
