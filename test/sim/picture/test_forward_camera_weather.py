"""Fog, rain and snow in pictures of the camera, and its state between frames."""

import numpy as np
import pytest

from liquid_control.config import Scenario
from liquid_control.frames import quaternion_from_euler
from liquid_control.types import VehicleState
from liquid_control_sim.picture.forward_camera import Camera
from liquid_control_sim.picture.pipeline import Pipeline
from liquid_control_sim.picture.sky import airlight_colour
from liquid_control_sim.place.forest import generate_forest
from liquid_control_sim.render.scene import Scene

pytestmark = pytest.mark.sim


@pytest.fixture
def take():
    """Return a factory of cameras in a flat clearing with the given settings."""
    scenes = []

    def make(**overrides) -> Camera:
        content = Scenario().model_dump()
        content["forest"]["trees"] = 0
        for dotted, value in overrides.items():
            head, _, rest = dotted.partition("__")
            content[head][rest] = value
        setting = Scenario(**content)
        if not scenes:
            scenes.append(Scene(generate_forest(setting, 1), setting.light, 1))
        return Camera(scenes[0], setting, 1)

    return make


def state(x=0.0, roll=0.0, **motion) -> VehicleState:
    velocity = np.array(motion.get("velocity", (0.0, 0.0, 0.0)))
    rate = np.array(motion.get("rate", (0.0, 0.0, 0.0)))
    return VehicleState(
        np.array([x, 0.0, 1.5]), quaternion_from_euler(roll, 0.0, 0.0), velocity, rate
    )


def radiance(camera: Camera, vehicle: VehicleState, monkeypatch) -> np.ndarray:
    """Return the radiance before exposure and quantisation."""
    kept = []
    form = Pipeline.form

    def keep(self, picture, shot, memory):
        light = picture.copy()
        for step in self.optics:
            light = step(light, shot)
        kept.append(light)
        return form(self, picture, shot, memory)

    with monkeypatch.context() as patch:
        patch.setattr(Pipeline, "form", keep)
        camera.capture(vehicle, 0)
    return kept[0].astype(float)


@pytest.mark.parametrize("extinction", [0.03, 0.12, 0.3])
def test_transmittance_is_exponential_in_distance(take, extinction, monkeypatch):
    clear, foggy = take(), take(fog__extinction_per_m=extinction)
    vehicle = state(roll=0.2)
    pose = clear.mount.pose(vehicle)
    rays = clear.intrinsics.rays().astype(float)
    rays /= np.linalg.norm(rays, axis=2, keepdims=True)
    fall = -(rays @ pose.rotation.T)[..., 2]
    airlight = airlight_colour(foggy._scene.sun)
    before = radiance(clear, vehicle, monkeypatch) - airlight
    after = radiance(foggy, vehicle, monkeypatch) - airlight
    # Flat ground, up to 15 m away, and colours that differ from the airlight.
    near = (fall[..., None] > 0.1) & (np.abs(before) > 0.05)
    distance = np.repeat((pose.position[2] / np.maximum(fall, 1e-6))[..., None], 3, axis=2)
    assert near.mean() > 0.4
    expected = np.exp(-extinction * distance[near])
    assert (after[near] / before[near]) == pytest.approx(expected, rel=0.01)


def test_rain_streaks_differ_between_frames(take):
    dry, wet = take(), take(rain__rate_mmph=100.0)
    images = [wet.capture(state(), 0, time_s) for time_s in (0.0, 0.05)]
    changed = np.abs(images[0].astype(int) - dry.capture(state(), 0)).max(axis=2)
    assert (changed > 3).mean() > 0.02
    assert (images[0] != images[1]).any(axis=2).mean() > 0.02


def test_time_defaults_to_frame_number_over_rate(take):
    first, second = take(rain__rate_mmph=100.0), take(rain__rate_mmph=100.0)
    first.capture(state(), 0)
    second.capture(state(), 0, 0.0)
    assert np.array_equal(first.capture(state(), 3), second.capture(state(), 3, 3 / 20.0))


def test_wind_moves_the_snow(take):
    calm, windy = take(snow__rate_mmph=5.0), take(snow__rate_mmph=5.0)
    images = []
    for camera, wind in ((calm, np.zeros(3)), (windy, np.array([0.0, 3.0, 0.0]))):
        camera.capture(state(), 0, 0.0, wind)
        images.append(camera.capture(state(), 1, 0.05, wind))
    assert not np.array_equal(images[0], images[1])


def test_motion_blur_needs_motion(take):
    sharp, open_shutter = take(), take(camera__exposure_s=0.03)
    still, turning = state(x=4.0), state(x=4.0, rate=(0.0, 0.0, 1.5))
    assert np.array_equal(sharp.capture(still, 0), open_shutter.capture(still, 0))
    blurred = open_shutter.capture(turning, 1).astype(int)
    plain = sharp.capture(turning, 1).astype(int)
    assert np.array_equal(sharp.capture(state(x=4.0), 1), plain)
    assert np.abs(np.diff(blurred, axis=1)).mean() < 0.95 * np.abs(np.diff(plain, axis=1)).mean()


def test_same_frame_gives_the_same_picture_without_memory(take):
    camera = take(camera__defocus=0.02, snow__rate_mmph=2.0, delta__contrast=1.5)
    taken = [camera.capture(state(x=2.0), frame, 0.5) for frame in (3, 9, 3)]
    assert np.array_equal(taken[0], taken[2])
    assert not np.array_equal(taken[0], taken[1])
