"""Fixtures of the inspection tests: shipped policies and a synthetic flight through them."""

from dataclasses import replace

import numpy as np
import pytest

from liquid_control.config import project_file
from liquid_control.inspection.flight import FrameCollector
from liquid_control.perception import standardise
from liquid_control.policy import Policy, load_model
from liquid_control.types import ImuWindow, Observation


@pytest.fixture(scope="session")
def policy() -> Policy:
    return Policy(load_model(project_file("models/trail_cfc19")))


@pytest.fixture(scope="session")
def gru() -> Policy:
    return Policy(load_model(project_file("models/trail_gru")))


def observations(count=60, seed=0, size=(72, 128)):
    """Return smooth moving pictures with irregular stamps, an IMU and all optional inputs."""
    rng = np.random.default_rng(seed)
    stamps = np.cumsum(rng.integers(30_000_000, 70_000_000, count)).tolist()
    coarse = rng.integers(0, 256, (9, 40, 3)).astype(np.float64)
    scene = np.kron(coarse, np.ones((8, 8, 1)))
    found = []
    for index, stamp in enumerate(stamps):
        picture = scene[: size[0], index : index + size[1]].astype(np.uint8)
        imu = ImuWindow(
            np.array([stamp]), rng.normal(0, 0.3, (1, 3)), np.array([[0.0, 0.0, 9.81]])
        )
        inputs = {
            "cruise_mps": 2.0,
            "mount": (90.0, 15.0),
            "orientation": np.array([0, 0, 0, 1.0]),
        }
        found.append(Observation(stamp, picture, imu, **inputs))
    return found


def flight_of(policy, frames, name="synthetic"):
    collector = FrameCollector(policy)
    for frame in frames:
        collector.add(frame, frame.image, policy.features_of_fitted(frame.image, frame))
    return collector.flight(name)


@pytest.fixture(scope="session")
def frames():
    return observations()


@pytest.fixture(scope="session")
def flight(policy, frames):
    return flight_of(policy, frames)


@pytest.fixture(scope="session")
def gru_flight(gru, frames):
    return flight_of(gru, frames)


@pytest.fixture(scope="session")
def make_flight():
    """Return a function that makes a flight of a policy from a seed."""

    def make(policy, seed=0, count=60):
        return flight_of(policy, observations(count, seed), f"flight {seed}")

    return make


PATCH = (slice(12, 42), slice(30, 66))
"""Rows and columns of the informative patch, 30 by 36 pixels."""


@pytest.fixture(scope="session")
def red_detector(policy):
    """Return a model whose perception network answers to red pixels only, from any position.

    The first convolution averages red minus green and blue over its kernel, above a threshold; the
    others pass the sum on; every feature is a scaled sum of the last map.
    """
    model = policy.model
    arrays = {name: np.zeros_like(value) for name, value in model.arrays.items()}
    arrays |= {name: model.arrays[name] for name in model.arrays if name.startswith("cfc.")}
    spec = model.settings.perception
    for index, layer in enumerate(spec.convolutions):
        weight = arrays[f"perception.conv{index}.weight"]
        if index == 0:
            middle = slice(1, 1 + layer.stride)
            for channel, sign in enumerate((1.0, -0.5, -0.5)):
                weight[:, channel, middle, middle] = sign / layer.stride**2
            arrays["perception.conv0.bias"][:] = -1.0
        else:
            weight[:, :, 1, 1] = 1.0 / weight.shape[1]
    rng = np.random.default_rng(3)
    hidden = arrays["perception.hidden.weight"]
    hidden[:, : -2 if spec.mount else None] = 1.0 / hidden.shape[1]
    linear = arrays["perception.linear.weight"]
    linear[:] = rng.uniform(0.1, 1.0, linear.shape) / linear.shape[1]
    return replace(model, arrays=arrays)


@pytest.fixture(scope="session")
def patch_flight(red_detector, flight):
    """Return a flight of the red detector over one grey picture with a red patch, and the mask."""
    picture = np.full((72, 128, 3), 110, np.uint8)
    picture[PATCH] = (230, 20, 20)
    inside = np.zeros(picture.shape[:2], bool)
    inside[PATCH] = True
    spec, arrays = red_detector.settings.perception, red_detector.arrays
    from liquid_control.perception.visual_backprop import encoded

    features = flight.features[:2].copy()
    features[:, : spec.features] = encoded(
        spec, arrays, standardise(picture), None if flight.mounts is None else flight.mounts[0]
    )
    parts = {
        name: getattr(flight, name)[:2]
        for name in ("stamp_ns", "elapsed_s", "fresh", "before", "states", "commands", "poses")
    }
    pictures = np.array([picture, picture])
    mounts = None if flight.mounts is None else flight.mounts[:2]
    made = replace(flight, pictures=pictures, features=features, mounts=mounts, **parts)
    return made, inside
