"""Fixtures of the replay tests: the shipped policy and recorded frames."""

from dataclasses import replace

import numpy as np
import pytest

from liquid_control.bags import FrameEvent
from liquid_control.config import project_file
from liquid_control.frames import quaternion_from_euler
from liquid_control.policy import Policy, load_model
from liquid_control.types import ImuWindow, Observation


@pytest.fixture(scope="session")
def policy() -> Policy:
    return Policy(load_model(project_file("models/trail_cfc19")))


def make_frames(count=40, seed=0, size=(72, 128)) -> list[FrameEvent]:
    """Return smooth random pictures with irregular stamps and IMU windows of 0 to 19 samples.

    The cruise speed is 2 m/s, the camera is pitched down by 15 degrees, and the vehicle tilts.
    """
    rng = np.random.default_rng(seed)
    stamps = np.cumsum(rng.integers(20_000_000, 200_000_000, count))
    events = []
    for stamp in stamps.tolist():
        coarse = rng.integers(0, 256, (6, 8, 3)).astype(np.float64)
        image = np.kron(coarse, np.ones((-(-size[0] // 6), -(-size[1] // 8), 1)))
        samples = int(rng.integers(0, 20))
        imu = ImuWindow(
            stamp - np.arange(samples, dtype=np.int64)[::-1] * 1_000_000,
            rng.normal(0, 0.3, (samples, 3)),
            np.array([0, 0, 9.81]) + rng.normal(0, 1, (samples, 3)),
        )
        picture = image[: size[0], : size[1]].astype(np.uint8)
        tilt = quaternion_from_euler(*rng.normal(0.0, 0.1, 2).tolist(), 0.0)
        inputs = {"cruise_mps": 2.0, "mount": (90.0, 15.0), "orientation": tilt}
        observation = Observation(stamp, picture, imu, **inputs)
        events.append(FrameEvent(observation, stamp))
    return events


def alter(frame: FrameEvent, **changes) -> FrameEvent:
    observation = replace(frame.observation, **changes)
    return FrameEvent(observation, observation.stamp_ns)


@pytest.fixture(scope="session")
def frames():
    """Return a function that makes frames."""
    return make_frames


@pytest.fixture(scope="session")
def altered():
    """Return a function that replaces parts of a frame's observation."""
    return alter
