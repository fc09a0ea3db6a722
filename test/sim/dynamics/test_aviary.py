"""`cf2x` in gym-pybullet-drones against the dynamics of this package.

The flights are skipped where gym-pybullet-drones is not installed.
"""

import importlib.util

import numpy as np
import pybullet
import pytest

from liquid_control.errors import ConfigError, DependencyError
from liquid_control.types import Command
from liquid_control_sim.dynamics.aviary import Aviary
from liquid_control_sim.dynamics.faults import NO_FAULTS, Faults
from liquid_control_sim.dynamics.quadrotor import Quadrotor
from liquid_control_sim.dynamics.vehicle import load_vehicle
from liquid_control_sim.schedule import PHYSICS_HZ

pytestmark = pytest.mark.sim

INSTALLED = importlib.util.find_spec("gym_pybullet_drones") is not None
needs_package = pytest.mark.skipif(not INSTALLED, reason="gym-pybullet-drones is not installed")
CF2X = load_vehicle("cf2x")
START = np.array([0.5, -1.0, 1.5])


@pytest.mark.skipif(INSTALLED, reason="gym-pybullet-drones is installed")
def test_missing_package_is_named_in_the_error():
    with pytest.raises(DependencyError, match=r"gym_pybullet_drones needs that .*: pip install"):
        Aviary(CF2X, START)


def test_only_cf2x_is_accepted():
    with pytest.raises(ConfigError, match=r"flies cf2x only, got 'outdoor X quadrotor"):
        Aviary(load_vehicle("outdoor"), START)


def fly_in_wind(vehicle, gain=1.0):
    """Return positions and specific forces of 4 s of a winding flight in wind."""
    rows = []
    for tick in range(4 * PHYSICS_HZ):
        wind = np.array([1.0, 0.6 * np.sin(0.01 * tick), 0.1])
        vehicle.step(Command(1.0, 0.2, 0.3, float(np.cos(0.02 * tick))), wind, gain)
        rows.append(np.concatenate([vehicle.position, vehicle.specific_force]))
    vehicle.close()
    return np.array(rows)


FAULTS = [
    NO_FAULTS,
    Faults(efficiency=(1.0, 0.9, 1.0, 1.0)),
    Faults(mass_scale=1.15),
    Faults(velocity_bias=(0.2, -0.1, 0.0)),
]


@needs_package
@pytest.mark.parametrize("faults", FAULTS)
def test_both_backends_agree_within_a_millimetre(faults):
    reference = fly_in_wind(Aviary(CF2X, START, 0.3, faults))
    client = pybullet.connect(pybullet.DIRECT)
    own = fly_in_wind(Quadrotor(client, CF2X, START, 0.3, faults))
    pybullet.disconnect(client)
    assert np.abs(reference[-1, :3] - START).max() > 0.5
    assert reference[:, :3] == pytest.approx(own[:, :3], abs=1e-3)
    assert reference[:, 3:] == pytest.approx(own[:, 3:], abs=0.02)


@needs_package
def test_close_releases_the_client():
    aviary = Aviary(CF2X, START)
    client = aviary._client
    aviary.close()
    aviary.close()
    assert not pybullet.isConnected(client)
