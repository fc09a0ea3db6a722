"""Projection, fog, gain, seeds, roll and size of the camera's pictures."""

import numpy as np
import pytest

from liquid_control.config import Scenario
from liquid_control.frames import quaternion_from_euler
from liquid_control.types import VehicleState
from liquid_control_sim.picture.forward_camera import Camera
from liquid_control_sim.picture.sky import airlight_colour
from liquid_control_sim.place.forest import generate_forest
from liquid_control_sim.render.optics import make_intrinsics, make_mount
from liquid_control_sim.render.scene import Scene

pytestmark = pytest.mark.sim


def scenario(**overrides) -> Scenario:
    content = Scenario().model_dump()
    for dotted, value in overrides.items():
        head, _, rest = dotted.partition("__")
        content[head][rest] = value
    return Scenario(**content)


def state(x=0.0, y=0.0, z=1.5, roll=0.0, pitch=0.0, yaw=0.0) -> VehicleState:
    return VehicleState(
        np.array([x, y, z]), quaternion_from_euler(roll, pitch, yaw), np.zeros(3), np.zeros(3)
    )


def make_camera(setting: Scenario, seed: int = 1, oversample: int = 1) -> Camera:
    forest = generate_forest(setting, seed)
    return Camera(Scene(forest, setting.light, seed), setting, seed, oversample)


def test_ground_point_projects_to_the_expected_pixel():
    settings = Scenario().camera
    pose = make_mount(settings).pose(state())
    intrinsics = make_intrinsics(settings)
    distance, height = 5.0 - settings.forward_m, 1.5 + settings.up_m
    below = np.arctan2(height, distance) - np.radians(15.0)
    u, v = intrinsics.project(pose.to_optical(np.array([5.0, 0.0, 0.0])))
    assert u == pytest.approx(48.0)
    assert v == pytest.approx(27.0 + 48.0 * np.tan(below))
    left, _ = intrinsics.project(pose.to_optical(np.array([5.0, 1.0, 0.0])))
    assert left < 48.0


def test_range_of_flat_ground_is_the_length_of_the_ray():
    camera = make_camera(scenario(forest__trees=0))
    pose = camera.mount.pose(state(roll=0.3))
    rendered = camera.render(pose)
    rays = camera.intrinsics.rays()
    rays /= np.linalg.norm(rays, axis=2, keepdims=True)
    fall = -(rays @ pose.rotation.T)[..., 2]
    near = fall > 0.1
    expected = pose.position[2] / fall[near]
    assert rendered.range_m[near] == pytest.approx(expected, rel=1e-5)


def test_fog_in_the_picture_follows_koschmieders_law():
    still = {"forest__trees": 0, "camera__shot_noise": 0.0, "light__gain": 0.6}
    clear = make_camera(scenario(**still))
    before = clear.capture(state(), 0) / 255.0
    distance = clear.render(clear.mount.pose(state())).range_m
    near = np.isfinite(distance)
    foggy = make_camera(scenario(**still, fog__extinction_per_m=0.1))
    after = foggy.capture(state(), 0) / 255.0
    sun = foggy._scene.sun
    through = np.exp(-0.1 * distance)[..., None]
    airlight = sun.exposure * airlight_colour(sun)
    expected = before * through + airlight * (1.0 - through)
    assert after[near] == pytest.approx(expected[near], abs=0.005)


def test_gain_scales_the_picture():
    pictures = []
    for gain in (1.0, 0.3):
        setting = scenario(light__gain=gain, camera__shot_noise=0.0)
        pictures.append(make_camera(setting).capture(state(), 0).astype(float))
    unclipped = pictures[0] < 250
    assert pictures[1][unclipped] == pytest.approx(0.3 * pictures[0][unclipped], abs=0.7)


def test_equal_seed_and_frame_give_equal_pictures():
    taken = []
    for seed, frame in ((1, 0), (1, 0), (1, 1), (2, 0)):
        taken.append(make_camera(scenario(), seed).capture(state(x=8.0), frame))
    assert np.array_equal(taken[0], taken[1])
    assert not np.array_equal(taken[0], taken[2])
    assert np.abs(taken[0].astype(int) - taken[3]).mean() > 5.0


def test_roll_keeps_sky_above_ground():
    setting = scenario(forest__trees=0, camera__shot_noise=0.0, camera__pitch_down_deg=0.0)
    camera = make_camera(setting)
    level = camera.capture(state(z=3.0), 0).astype(int)
    upside = camera.capture(state(z=3.0, roll=np.pi), 0).astype(int)
    # Upside down, the camera is 2 cm below the body instead of above it.
    assert np.abs(level - upside[::-1, ::-1]).mean() < 6.0
    assert level[:8].mean() > level[-8:].mean() + 30


@pytest.mark.parametrize("size", [(96, 54), (128, 72), (33, 17)])
def test_pictures_have_the_configured_size(size):
    setting = scenario(camera__width=size[0], camera__height=size[1])
    image = make_camera(setting, oversample=2).capture(state(), 0)
    assert image.shape == (size[1], size[0], 3)
    assert image.dtype == np.uint8
