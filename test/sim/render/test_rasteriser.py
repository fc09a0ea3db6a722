"""The rasteriser against exactly known geometry."""

from dataclasses import replace

import numpy as np
import pytest

from liquid_control_sim.render.kernels.kernel_types import Light
from liquid_control_sim.render.kernels.shading import SHARPEST, coarser_levels
from liquid_control_sim.render.meshes import Mesh, RenderModel, grid, make_stage, sphere
from liquid_control_sim.render.optics import NEAR_M, CameraPose, Intrinsics
from liquid_control_sim.render.rasteriser import Rasteriser, Rendered
from liquid_control_sim.render.textures import Texture
from liquid_control_sim.render.tree_models import ball, cones, trunk

pytestmark = pytest.mark.sim

WHITE = Texture.of(np.full((4, 4, 3), 255, np.uint8))
ABOVE = np.diag([1.0, -1.0, -1.0])
"""Orientation of a camera that faces down: right is east, down is south."""
AMBIENT = Light(np.array([0.0, 0.0, 1.0]), np.zeros(3), np.ones(3))


def rectangle(x0: float, x1: float, y0: float, y1: float, z: float = 0.0) -> Mesh:
    edge = np.array([0.0, 1.0])
    flat = grid(np.array([x0, x1]), np.array([y0, y1]), edge, edge)
    return Mesh(
        flat.vertices + np.array([0.0, 0.0, z]), flat.normals, flat.uvs, flat.triangles, flat.paint
    )


def render(
    models: list[RenderModel],
    height_m: float = 10.0,
    rotation: np.ndarray = ABOVE,
    light: Light = AMBIENT,
    size: tuple[int, int] = (20, 10),
    focal_px: float = 10.0,
) -> Rendered:
    pose = CameraPose(np.array([0.0, 0.0, height_m]), rotation)
    return Rasteriser(Intrinsics(*size, focal_px), make_stage(models)).render(pose, light)


def painted(colour: tuple[int, int, int]) -> Texture:
    return Texture.of(np.full((4, 4, 3), colour, np.uint8))


@pytest.mark.parametrize(
    ("west", "covered"), [(-2.0, 4), (-1.6, 4), (-1.5, 4), (-1.49, 3), (-1.0, 3), (-0.49, 2)]
)
def test_pixel_is_covered_if_its_centre_is_inside(west, covered):
    # One metre is one pixel; centres lie at half metres, an edge through one has it on its right.
    rendered = render([RenderModel(rectangle(west, 2.0, -1.0, 2.0), (WHITE,))])
    expected = np.zeros((10, 20), bool)
    expected[3:6, 12 - covered : 12] = True
    assert np.array_equal(np.isfinite(rendered.range_m), expected)
    assert np.array_equal(rendered.radiance > 0.0, np.repeat(expected[..., None], 3, axis=2))


def test_range_is_along_the_ray():
    rendered = render([RenderModel(rectangle(-50.0, 50.0, -50.0, 50.0), (WHITE,))])
    columns, rows = np.meshgrid(np.arange(20) - 9.5, np.arange(10) - 4.5)
    assert rendered.range_m == pytest.approx(np.sqrt(columns**2 + rows**2 + 100.0), rel=1e-6)


def test_triangles_with_a_common_edge_have_no_gap_and_no_overlap():
    rng = np.random.default_rng(1)
    for _ in range(50):
        inner = rng.uniform(-4.0, 4.0, 2)
        corners = np.array([(-9.0, -9.0), (9.0, -9.0), (9.0, 9.0), (-9.0, 9.0), inner])
        vertices = np.column_stack([corners, np.zeros(5)])
        fan = np.array([(0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4)])
        up, uvs = np.tile([0.0, 0.0, 1.0], (5, 1)), np.zeros((5, 2))
        parts = [Mesh.plain(vertices, up, uvs, face[None]) for face in fan]
        hits = sum(
            np.isfinite(render([RenderModel(part, (WHITE,))], size=(16, 16)).range_m).astype(int)
            for part in parts
        )
        assert np.array_equal(hits, np.ones((16, 16), int))


def test_nearer_surfaces_hide_farther_ones_in_any_order():
    low = RenderModel(rectangle(-5.0, 5.0, -5.0, 5.0, 0.0), (painted((255, 0, 0)),))
    high = RenderModel(rectangle(-1.0, 1.0, -1.0, 1.0, 5.0), (painted((0, 255, 0)),))
    first, second = render([low, high]), render([high, low])
    assert np.array_equal(first.radiance, second.radiance)
    assert first.radiance[5, 10] == pytest.approx([0.0, 1.0, 0.0])
    assert first.radiance[5, 14] == pytest.approx([1.0, 0.0, 0.0])
    assert first.range_m[5, 10] == pytest.approx(5.0 * np.sqrt(1.0 + 0.5 * 0.1**2), rel=1e-6)


def test_both_sides_are_drawn():
    mesh = rectangle(-3.0, 3.0, -3.0, 3.0)
    back = Mesh.plain(mesh.vertices, mesh.normals, mesh.uvs, mesh.triangles[:, ::-1])
    front = render([RenderModel(mesh, (WHITE,))])
    assert np.array_equal(render([RenderModel(back, (WHITE,))]).range_m, front.range_m)
    assert np.isfinite(front.range_m).sum() == 36


def test_surfaces_are_clipped_at_the_near_plane():
    # Looking east along a floor 1 m below, from its middle: the nearest visible row is known.
    east = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    rendered = render(
        [RenderModel(rectangle(-9.0, 9.0, -200.0, 200.0), (WHITE,))],
        height_m=1.0,
        rotation=east,
        size=(20, 400),
        focal_px=10.0,
    )
    depth = 10.0 / (np.arange(400) + 0.5 - 200.0)
    met = (depth >= NEAR_M) & (depth < 9.0)
    assert np.array_equal(np.isfinite(rendered.range_m), np.repeat(met[:, None], 20, axis=1))
    across = (np.arange(20) - 9.5) / 10.0
    expected = depth[met, None] * np.sqrt(1.0 + across**2 + (1.0 / depth[met, None]) ** 2)
    assert rendered.range_m[met] == pytest.approx(expected, rel=1e-5)


def test_surfaces_behind_the_camera_are_not_drawn():
    rendered = render([RenderModel(rectangle(-50.0, 50.0, -50.0, 50.0, 20.0), (WHITE,))])
    assert np.isinf(rendered.range_m).all()
    assert not rendered.radiance.any()


def test_textures_are_sampled_with_perspective_correction():
    # Red increases to the east and green to the north, in a tilted view with perspective.
    ramp = np.zeros((256, 256, 3), np.uint8)
    ramp[..., 0] = np.arange(256)[None]
    ramp[..., 1] = np.arange(256)[::-1, None]
    tilt = np.radians(50.0)
    c, s = np.cos(tilt), np.sin(tilt)
    rotation = ABOVE @ np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
    size, focal = (60, 40), 30.0
    rendered = render(
        [RenderModel(rectangle(-40.0, 40.0, -40.0, 40.0), (Texture.of(ramp),))],
        rotation=rotation,
        size=size,
        focal_px=focal,
    )
    intrinsics = Intrinsics(*size, focal)
    directions = intrinsics.rays() @ rotation.T
    along = -10.0 / directions[..., 2]
    place = along[..., None] * directions[..., :2]
    inside = (along > 0.0) & (np.abs(place) < 36.0).all(axis=2)
    assert inside.sum() > 500
    expected = (256.0 * (place[inside] / 80.0 + 0.5) - 0.5) / 255.0
    assert rendered.radiance[inside][:, :2] == pytest.approx(expected, abs=0.012)


def test_fine_patterns_average_to_grey():
    checks = np.indices((256, 256)).sum(axis=0) % 2 * 255
    board = Texture.of(np.repeat(checks[..., None], 3, axis=2).astype(np.uint8))
    rendered = render([RenderModel(rectangle(-20.0, 20.0, -20.0, 20.0), (board,))])
    assert rendered.radiance == pytest.approx(np.full((10, 20, 3), 0.5), abs=0.01)


def test_light_is_sky_light_plus_direct_light_by_cosine():
    sun = np.array([0.6, 0.0, 0.8])
    light = Light(sun, np.array([1.0, 0.5, 0.25]), np.array([0.1, 0.2, 0.3]))
    model = RenderModel(rectangle(-50.0, 50.0, -50.0, 50.0), (painted((255, 204, 51)),))
    rendered = render([model], light=light)
    albedo = np.array([1.0, 0.8, 0.2])
    expected = albedo * (light.sky + 0.8 * light.direct)
    assert rendered.radiance == pytest.approx(np.broadcast_to(expected, (10, 20, 3)), rel=1e-5)
    away = render([model], light=Light(-sun, light.direct, light.sky))
    assert away.radiance[0, 0] == pytest.approx(albedo * light.sky, rel=1e-5)


def test_each_triangle_has_its_own_texture():
    mesh = rectangle(-50.0, 50.0, -50.0, 50.0)
    two = Mesh(mesh.vertices, mesh.normals, mesh.uvs, mesh.triangles, np.array([0, 1]))
    rendered = render([RenderModel(two, (painted((255, 0, 0)), painted((0, 0, 255))))])
    assert rendered.radiance[8, 18] == pytest.approx([1.0, 0.0, 0.0])
    assert rendered.radiance[1, 1] == pytest.approx([0.0, 0.0, 1.0])


def test_hidden_models_are_not_drawn():
    stage = make_stage(
        [RenderModel(rectangle(-50.0, 50.0, -50.0, 50.0, z), (WHITE,)) for z in (0, 5)]
    )
    rasteriser = Rasteriser(Intrinsics(20, 10, 10.0), stage)
    pose = CameraPose(np.array([0.0, 0.0, 10.0]), ABOVE)
    centre = [
        rasteriser.render(pose, AMBIENT, shown=np.array(shown)).range_m[5, 10]
        for shown in ([True, True], [True, False], [False, False])
    ]
    assert centre[:2] == pytest.approx([5.0, 10.0], rel=1e-2)
    assert np.isinf(centre[2])


def test_rendering_is_reproducible_across_rasterisers():
    rng = np.random.default_rng(4)
    texture = Texture.of(rng.integers(0, 256, (64, 64, 3), np.uint8))
    soup = Mesh.plain(
        rng.uniform(-8.0, 8.0, (90, 3)) * (1.0, 1.0, 0.5),
        rng.standard_normal((90, 3)),
        rng.random((90, 2)),
        np.arange(90).reshape(30, 3),
    )
    light = Light(np.array([0.0, 0.6, 0.8]), np.ones(3), np.ones(3))
    pose = CameraPose(np.array([0.0, 0.0, 6.0]), ABOVE)
    stage = make_stage([RenderModel(soup, (texture,))])
    one, other = (Rasteriser(Intrinsics(64, 48, 30.0), stage) for _ in range(2))
    first = one.render(pose, light)
    turned = one.render(CameraPose(pose.position, np.eye(3)), light)
    for again in (one.render(pose, light), other.render(pose, light)):
        assert np.array_equal(first.radiance, again.radiance)
        assert np.array_equal(first.range_m, again.range_m)
    assert not np.array_equal(first.range_m, turned.range_m)


def test_culling_of_models_changes_no_pixel():
    # Models of one triangle each are culled by their boxes; one merged model is not.
    rng = np.random.default_rng(5)
    vertices = rng.uniform(-30.0, 30.0, (200, 1, 3)) + rng.uniform(-2.0, 2.0, (200, 3, 3))
    faces = np.arange(3)[None]
    parts = [
        Mesh.plain(v, np.tile([0.0, 0.0, 1.0], (3, 1)), np.zeros((3, 2)), faces) for v in vertices
    ]
    whole = Mesh.plain(
        vertices.reshape(-1, 3),
        np.tile([0.0, 0.0, 1.0], (600, 1)),
        np.zeros((600, 2)),
        np.arange(600).reshape(-1, 3),
    )
    intrinsics = Intrinsics(48, 27, 24.0)
    apart = Rasteriser(intrinsics, make_stage([RenderModel(part, (WHITE,)) for part in parts]))
    merged = Rasteriser(intrinsics, make_stage([RenderModel(whole, (WHITE,))]))
    for _ in range(20):
        rotation, _ = np.linalg.qr(rng.standard_normal((3, 3)))
        pose = CameraPose(rng.uniform(-5.0, 5.0, 3), rotation * np.sign(np.linalg.det(rotation)))
        first, second = apart.render(pose, AMBIENT), merged.render(pose, AMBIENT)
        assert np.array_equal(first.range_m, second.range_m)
        assert np.isfinite(first.range_m).any()


def looking_at(place: np.ndarray, target: np.ndarray) -> CameraPose:
    ahead = (target - place) / np.linalg.norm(target - place)
    right = np.cross(ahead, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    return CameraPose(place, np.stack([right, np.cross(ahead, right), ahead], axis=1))


@pytest.mark.parametrize("part", [cones, ball, lambda: trunk(1.0, 0.6)])
def test_backs_of_closed_models_are_hidden_from_every_side(part):
    mesh, rng = part(), np.random.default_rng(0)
    closed, open_ = (
        Rasteriser(
            Intrinsics(64, 64, 60.0),
            make_stage([RenderModel(replace(mesh, closed=state), (WHITE,))]),
        )
        for state in (mesh.closed, False)
    )
    assert mesh.closed
    for bearing in rng.uniform(0.0, 2.0 * np.pi, 40):
        height = rng.uniform(0.05, 0.95)
        place = np.array([3.0 * np.cos(bearing), 3.0 * np.sin(bearing), height])
        pose = looking_at(place, np.array([0.0, 0.0, 0.5]))
        skipped, whole = closed.render(pose, AMBIENT), open_.render(pose, AMBIENT)
        assert np.isfinite(whole.range_m).any()
        assert np.array_equal(skipped.range_m, whole.range_m)
        assert np.array_equal(skipped.radiance, whole.radiance)


def test_back_of_an_open_model_is_visible():
    floor = rectangle(-5.0, 5.0, -5.0, 5.0)
    for mesh, visible in ((floor, True), (replace(floor, closed=True), False)):
        stage = make_stage([RenderModel(mesh, (WHITE,))])
        below = CameraPose(np.array([0.0, 0.0, -4.0]), np.eye(3))
        rendered = Rasteriser(Intrinsics(20, 10, 10.0), stage).render(below, AMBIENT)
        assert np.isfinite(rendered.range_m).all() == visible


def test_inside_of_a_closed_model_is_visible_from_within():
    shell = replace(sphere(np.array([0.0, 0.0, 10.0]), 5.0), closed=True)
    rendered = render([RenderModel(shell, (WHITE,))])
    assert rendered.range_m == pytest.approx(np.full((10, 20), 5.0), rel=0.05)


def test_coarser_level_quarters_until_texels_are_as_large_as_a_pixel():
    exact = 2.0 ** np.arange(-4, 24)
    sizes = np.concatenate([exact, np.nextafter(exact, 0.0), np.nextafter(exact, 1e9)])
    for size in [0.0, 1e-300, *sizes.tolist()]:
        levels = coarser_levels(size)
        assert size / 4.0**levels <= SHARPEST
        assert levels == 0 or size / 4.0 ** (levels - 1) > SHARPEST
