"""Every disturbance changes its own quantities and no others."""

import hashlib

import numpy as np
import pytest

from liquid_control.config import load_scenario
from liquid_control.config.disturbances import (
    disturbance_names,
    disturbance_overrides,
    disturbances,
)
from liquid_control.types import Command
from liquid_control_sim import Flight

pytestmark = pytest.mark.sim
BASE = {"trail.length_m": 6.0, "forest.trees": 20, "camera.width": 48, "camera.height": 27}
SECONDS = 4.0
ALSO = {"blackout": {"camera.blackout_from_s": 1.0}}
"""Settings that move an event into the simulated time."""


def flown(overrides):
    """Return a flight's forest, and hashes of its frames, motion, IMU and wind."""
    digests = {name: hashlib.sha256() for name in ("frames", "motion", "imu", "wind")}
    with Flight(load_scenario("trail", BASE | overrides), 4) as flight:
        forest = flight.world.forest
        while (tick := flight.advance()) is not None and tick.stamp_ns < SECONDS * 1e9:
            if tick.image is not None:
                digests["frames"].update(tick.stamp_ns.to_bytes(8, "big") + tick.image.tobytes())
            digests["motion"].update(tick.truth.position.tobytes())
            digests["imu"].update(tick.imu.linear_acceleration.tobytes())
            digests["wind"].update(tick.wind.tobytes())
            flight.apply_command(Command(1.0, 0.0, 0.0, 0.1))
    return forest, {name: digest.hexdigest() for name, digest in digests.items()}


@pytest.fixture(scope="module")
def undisturbed():
    return flown({})


@pytest.mark.parametrize("name", disturbance_names())
def test_each_disturbance_changes_the_flight_but_not_the_forest(name, undisturbed):
    forest, before = undisturbed
    assert disturbance_overrides(name, 0) == {}
    overrides = disturbance_overrides(name, 5) | ALSO.get(name, {})
    disturbed_forest, after = flown(overrides)
    assert after != before
    assert np.array_equal(disturbed_forest.trunks, forest.trunks)
    group = disturbances()[name].group
    if group not in ("air", "vehicle") and not name.startswith("rate_"):
        assert after["motion"] == before["motion"]
        assert after["wind"] == before["wind"]
    if group in ("light", "weather", "camera", "delta"):
        assert after["frames"] != before["frames"]
    if group == "imu":
        assert after["frames"] == before["frames"]
        assert after["imu"] != before["imu"]
    if group == "vehicle":
        assert after["motion"] != before["motion"]
