"""Models of a scene, their visibility, seasons, slopes and light."""

from dataclasses import replace

import numpy as np
import pytest

from liquid_control.config import Scenario
from liquid_control.frames import quaternion_from_euler
from liquid_control.types import VehicleState
from liquid_control_sim.picture.forward_camera import Camera
from liquid_control_sim.place.forest import generate_forest
from liquid_control_sim.place.objects import ForestObject, Shape
from liquid_control_sim.place.trees import TreeKind
from liquid_control_sim.render.scene import Scene, Sway

pytestmark = pytest.mark.sim


def make_scene(setting: Scenario, seed: int = 1) -> Scene:
    return Scene(generate_forest(setting, seed), setting.light, seed)


def at(scene: Scene, along: float, yaw: float = 0.0) -> VehicleState:
    forest = scene.forest
    x, y = forest.trail.point(along)
    turn = quaternion_from_euler(0.0, 0.0, forest.trail.heading(along) + yaw)
    z = forest.terrain.height_at(x, y) + 1.5
    return VehicleState(np.array([x, y, z]), turn, np.zeros(3), np.zeros(3))


def quiet(**sections) -> Scenario:
    return Scenario(**{"camera": {"shot_noise": 0.0}, **sections})


def test_forest_has_few_models_and_trunks_on_the_ground():
    scene = make_scene(Scenario())
    assert 3 <= len(scene.stage.boxes) <= 80
    assert np.isfinite(scene.stage.vertices).all()
    assert np.linalg.norm(scene.stage.normals, axis=1) == pytest.approx(1.0)
    feet = scene.stage.vertices[scene.stage.vertices[:, 2] == 0.0, :2]
    for x, y, radius in scene.forest.trunks:
        off = np.linalg.norm(feet - (x, y), axis=1)
        assert off.min() == pytest.approx(radius, rel=0.5)


def test_forest_without_trees_is_ground_only():
    scene = make_scene(quiet(forest={"trees": 0}))
    assert len(scene.stage.boxes) == 1
    assert not scene.stage.vertices[:, 2].any()


def test_sloping_ground_has_the_heights_of_the_terrain():
    setting = quiet(terrain={"slope_deg": 15.0}, forest={"trees": 0})
    scene = make_scene(setting)
    vertices = scene.stage.vertices
    expected = scene.forest.terrain.height(vertices[:, 0], vertices[:, 1])
    assert vertices[:, 2] == pytest.approx(expected)
    # Between vertices the ground differs from the terrain by the error of interpolation.
    camera = Camera(scene, setting, 1)
    pose = camera.mount.pose(at(scene, 20.0))
    rendered = camera.render(pose).range_m
    rays = camera.intrinsics.rays() @ pose.rotation.T
    rays /= np.linalg.norm(rays, axis=2, keepdims=True)
    near = rendered < 12.0
    assert near.sum() > 1000
    met = pose.position + rendered[near, None] * rays[near]
    height = scene.forest.terrain.height(met[:, 0], met[:, 1])
    assert met[:, 2] == pytest.approx(height, abs=0.15)


@pytest.mark.parametrize("shape", list(Shape))
def test_object_appears_at_its_projection_in_its_colour(shape):
    setting = quiet(forest={"trees": 0}, light={"sun_strength": 0.0})
    forest = generate_forest(setting, 1)
    forest_object = ForestObject(shape, "red", (6.0, 1.0, 1.2), 1.0, 0.4, 0.7)
    with_thing = replace(forest, targets=(forest_object,))
    before, after = (Scene(f, setting.light, 1) for f in (forest, with_thing))
    state = VehicleState(np.array([0.0, 0.0, 1.5]), np.array([0, 0, 0, 1.0]), *np.zeros((2, 3)))
    cameras = [Camera(scene, setting, 1) for scene in (before, after)]
    pose = cameras[0].mount.pose(state)
    empty, rendered = (camera.render(pose) for camera in cameras)
    u, v = cameras[0].intrinsics.project(pose.to_optical(np.array(forest_object.centre)))
    red, green, blue = rendered.radiance[int(v), int(u)] / after.light.sky
    assert (red, green, blue) == pytest.approx((0.82, 0.06, 0.08), abs=0.01)
    distance = np.linalg.norm(pose.position - forest_object.centre)
    assert abs(rendered.range_m[int(v), int(u)] - distance) < 0.75
    rows, columns = np.nonzero(rendered.range_m != empty.range_m)
    # 1 m at 6 m is 8 px; the post continues below.
    assert columns.mean() + 0.5 == pytest.approx(u, abs=0.6)
    assert np.ptp(columns) + 1 == pytest.approx(8.0, abs=4.0)
    assert rows.min() + 0.5 == pytest.approx(v - 4.0, abs=1.5)


def test_board_hides_the_target_while_it_is_up():
    setting = quiet(
        task={"kind": "target"},
        target={"range_m": 8.0, "hidden_s": 2.0, "hidden_from_s": 1.0, "distractors": 0},
        forest={"trees": 0},
    )
    scene = make_scene(setting)
    camera = Camera(scene, setting, 1)
    pose = camera.mount.pose(at(scene, 0.0))
    target = scene.forest.targets[0]
    u, v = camera.intrinsics.project(pose.to_optical(np.array(target.centre)))
    rendered = [camera.render(pose, time) for time in (0.5, 1.5, 3.5)]
    red = [float(picture.radiance[int(v), int(u), 0]) for picture in rendered]
    distance = [float(picture.range_m[int(v), int(u)]) for picture in rendered]
    assert distance[1] < distance[0] - 0.3
    assert red[1] < 0.8 * red[0]
    assert np.array_equal(rendered[0].radiance, rendered[2].radiance)


def test_posts_have_their_blaze():
    setting = quiet(trail={"difficulty": 3.0, "forks": 1}, terrain={"slope_deg": 0.0})
    scene = make_scene(setting, 2)
    post = scene.forest.posts[0]
    x, y, z = post.foot
    camera = Camera(scene, setting, 2)
    turn = quaternion_from_euler(0.0, 0.0, 0.0)
    state = VehicleState(np.array([x - 2.0, y, z + 1.5]), turn, np.zeros(3), np.zeros(3))
    pose = camera.mount.pose(state)
    rendered = camera.render(pose)
    tones = []
    for height in (1.15, 1.5, 1.85):
        place = np.array([x - post.radius_m, y, z + height])
        u, v = camera.intrinsics.project(pose.to_optical(place))
        assert rendered.range_m[int(v), int(u)] == pytest.approx(
            np.linalg.norm(place - pose.position), abs=0.1
        )
        red, green, _ = rendered.radiance[int(v), int(u)]
        tones.append(green / red)
    assert tones[0] < 0.3
    assert tones[1] > 0.8
    assert tones[2] < 0.3


def test_branches_are_rendered_at_their_collision_shapes():
    setting = quiet(trail={"difficulty": 2.0}, forest={"branches": 2}, terrain={"slope_deg": 0.0})
    scene = make_scene(setting)
    assert len(scene.forest.branches) == 2
    camera = Camera(scene, setting, 1)
    for branch in scene.forest.branches:
        tip, root = branch[3:6], branch[:3]
        # Looking down from 2 m above the middle of the branch.
        place = 0.4 * root + 0.6 * tip
        pitch = quaternion_from_euler(0.0, np.radians(75.0), 0.0)
        state = VehicleState(place + np.array([0.0, 0.0, 2.0]), pitch, np.zeros(3), np.zeros(3))
        pose = camera.mount.pose(state)
        u, v = camera.intrinsics.project(pose.to_optical(place))
        rendered = camera.render(pose).range_m[int(v) - 1 : int(v) + 2, int(u) - 1 : int(u) + 2]
        assert rendered.min() == pytest.approx(np.linalg.norm(place - pose.position), abs=0.15)


def test_broadleaf_trees_have_no_leaves_in_winter():
    forests = [
        generate_forest(quiet(forest={"season": season}), 1) for season in ("summer", "winter")
    ]
    leafy = np.isin(forests[0].trees.kind, (TreeKind.BROADLEAF, TreeKind.BIRCH))
    assert leafy.any()
    assert np.array_equal(forests[0].trunks, forests[1].trunks)
    up = VehicleState(
        np.array([0.0, 0.0, 1.5]),
        quaternion_from_euler(0.0, -np.radians(60.0), 0.0),
        np.zeros(3),
        np.zeros(3),
    )
    fractions = []
    for forest in forests:
        camera = Camera(Scene(forest, Scenario().light, 1), quiet(), 1)
        covered = 0.0
        for tree in np.flatnonzero(leafy):
            state = replace(up, position=np.array([*forest.trunks[tree, :2] - (2.0, 0.0), 1.5]))
            covered += np.isfinite(camera.render(camera.mount.pose(state)).range_m).mean()
        fractions.append(covered / leafy.sum())
    assert fractions[1] < 0.8 * fractions[0]


def test_snow_season_has_a_white_ground():
    pictures = []
    for season in ("summer", "snow"):
        setting = quiet(forest={"season": season}, light={"gain": 0.5})
        scene = make_scene(setting)
        image = Camera(scene, setting, 1).capture(at(scene, 10.0), 0)[30:].astype(float)
        pictures.append(image.reshape(-1, 3).mean(axis=0))
    summer, snow = pictures
    assert snow.mean() > 1.5 * summer.mean()
    assert np.ptp(snow) < 0.5 * np.ptp(summer)


def test_trunks_are_brighter_on_the_sunny_side():
    brightness = []
    for azimuth in (0.0, 180.0):
        setting = quiet(light={"sun_azimuth_deg": azimuth, "sun_elevation_deg": 15.0})
        scene = make_scene(setting)
        camera = Camera(scene, setting, 1)
        x, y, radius = scene.forest.trunks[0]
        turn = quaternion_from_euler(0, 0, np.pi)
        east = VehicleState(np.array([x + 2.0, y, 1.5]), turn, np.zeros(3), np.zeros(3))
        rendered = np.array([x + radius, y, 1.5])
        u, v = camera.intrinsics.project(camera.mount.pose(east).to_optical(rendered))
        brightness.append(float(camera.capture(east, 0)[int(v), int(u)].mean()))
    assert brightness[0] > 1.3 * brightness[1]


def test_hard_shadows_sway_and_soft_shadows_do_not():
    moved = []
    for hardness, sway in ((0.0, 1.0), (1.0, 0.0), (1.0, 1.0)):
        setting = quiet(light={"shadow_hardness": hardness, "shadow_sway_m": sway})
        scene = make_scene(setting)
        camera = Camera(scene, setting, 1)
        pose = camera.mount.pose(at(scene, 10.0))
        first, second = (camera.render(pose, time).radiance for time in (0.0, 1.0))
        moved.append(float(np.abs(first - second).mean()))
    assert moved[:2] == [0.0, 0.0]
    assert moved[2] > 0.01


def test_sway_is_bounded_and_depends_on_the_seed():
    times = np.linspace(0.0, 60.0, 600)
    sway = np.array([Sway(0.5, 3).at(time) for time in times])
    assert 0.2 < np.linalg.norm(sway, axis=1).max() <= 0.5
    assert np.array_equal(sway[:5], [Sway(0.5, 3).at(time) for time in times[:5]])
    assert not np.array_equal(sway[:5], [Sway(0.5, 4).at(time) for time in times[:5]])
    assert not Sway(0.0, 3).at(7.0).any()
