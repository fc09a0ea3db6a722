"""`cf2x` on gym-pybullet-drones flies as on our own dynamics; without it, an error says so.

The flights are skipped where that package is not installed.
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
def test_without_the_package_an_error_names_it():
    with pytest.raises(DependencyError, match=r"gym_pybullet_drones needs that .*: pip install"):
        Aviary(CF2X, START)


def test_only_cf2x_flies_there():
    with pytest.raises(ConfigError, match=r"flies cf2x only, got 'outdoor X quadrotor"):
        Aviary(load_vehicle("outdoor"), START)


def flown(vehicle, gain=1.0):
    """Four seconds of a winding command in wind: positions and specific forces."""
    seen = []
    for tick in range(4 * PHYSICS_HZ):
        wind = np.array([1.0, 0.6 * np.sin(0.01 * tick), 0.1])
        vehicle.step(Command(1.0, 0.2, 0.3, float(np.cos(0.02 * tick))), wind, gain)
        seen.append(np.concatenate([vehicle.position, vehicle.specific_force]))
    vehicle.close()
    return np.array(seen)


FAULTS = [
    NO_FAULTS,
    Faults(efficiency=(1.0, 0.9, 1.0, 1.0)),
    Faults(mass_scale=1.15),
    Faults(velocity_bias=(0.2, -0.1, 0.0)),
]


@needs_package
@pytest.mark.parametrize("faults", FAULTS)
def test_both_backends_fly_the_same_to_a_millimetre(faults):
    theirs = flown(Aviary(CF2X, START, 0.3, faults))
    client = pybullet.connect(pybullet.DIRECT)
    ours = flown(Quadrotor(client, CF2X, START, 0.3, faults))
    pybullet.disconnect(client)
    assert np.abs(theirs[-1, :3] - START).max() > 0.5
    assert theirs[:, :3] == pytest.approx(ours[:, :3], abs=1e-3)
    assert theirs[:, 3:] == pytest.approx(ours[:, 3:], abs=0.02)


@needs_package
def test_closing_releases_their_client():
    aviary = Aviary(CF2X, START)
    client = aviary._client
    aviary.close()
    aviary.close()
    assert not pybullet.isConnected(client)
