"""The vehicle under a firmware: ground, motors and their signs, sensor readings."""

import math

import numpy as np
import pytest

from liquid_control.config import load_scenario
from liquid_control.types import HOVER
from liquid_control_sim.dynamics.vectors import ZERO
from liquid_control_sim.firmware import FirmwareQuadrotor, FlightStage
from liquid_control_sim.firmware.backend import ExchangeCounts
from liquid_control_sim.firmware.vehicle import REST_M
from liquid_control_sim.place.terrain import FLAT
from liquid_control_sim.quiet_bullet import pybullet
from liquid_control_sim.world import VehicleSite

pytestmark = pytest.mark.sim

HOVER_OUTPUT = 0.5918
"""0.35 u + 0.65 u^2 = 1 / 2.300: thrust to weight of the vehicle `outdoor`."""
START = (np.array([3.0, 4.0, 1.5]), 0.5)


class Fixed:
    """A firmware whose motors have fixed outputs; keeps the readings."""

    thrust_expo = 0.65

    def __init__(self, motors, exchange_hz=960) -> None:
        self.exchange_hz = exchange_hz
        self.motors = motors
        self.readings = []
        self.counts = ExchangeCounts()

    def exchange(self, readings):
        self.readings.append(readings)
        return self.motors

    def close(self) -> None:
        pass


class Silent:
    """A companion that sends nothing; keeps the times."""

    def __init__(self) -> None:
        self.times, self.stages = [], []

    def step(self, now_ns, state, command, stage) -> None:
        self.times.append(now_ns)
        self.stages.append(stage)

    def arming_problem(self) -> str:
        return ""

    def close(self) -> None:
        pass


@pytest.fixture
def make():
    client = pybullet.connect(pybullet.DIRECT)

    def one(motors, exchange_hz=960, settings=None):
        scenario = load_scenario("trail", settings or {})
        backend = Fixed(motors, exchange_hz)
        vehicle = FirmwareQuadrotor(
            VehicleSite(client, scenario, 1, FLAT), START, backend, Silent()
        )
        return vehicle, backend

    yield one
    pybullet.disconnect(client)


def fly(vehicle, ticks) -> None:
    for _ in range(ticks):
        vehicle.step(HOVER, ZERO)


def test_it_rests_on_the_ground_below_the_start_until_its_thrust_exceeds_its_weight(make):
    vehicle, backend = make((HOVER_OUTPUT - 0.02,) * 4)
    fly(vehicle, 240)
    assert vehicle.position.tolist() == pytest.approx([3.0, 4.0, REST_M])
    assert vehicle.height_m == pytest.approx(0.0)
    assert backend.readings[-1].position == (0.0, 0.0, 0.0)
    backend.motors = (HOVER_OUTPUT + 0.02,) * 4
    fly(vehicle, 240)
    assert vehicle.height_m > 0.05


def test_a_touch_down_ends_in_a_level_rest_with_the_same_heading(make):
    vehicle, backend = make((0.8,) * 4)
    fly(vehicle, 120)
    assert vehicle.height_m > 0.3
    backend.motors = (0.0,) * 4
    fly(vehicle, 480)
    assert vehicle.height_m == pytest.approx(0.0)
    assert np.linalg.norm(vehicle.state.velocity) == 0.0
    expected = [0.0, 0.0, math.sin(0.25), math.cos(0.25)]
    assert vehicle.state.quaternion.tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("raised", "signs"),
    [
        # FLU: positive roll rate lowers the right side, positive pitch rate the nose.
        ((0, 2), (0, -1, 0)),  # front rotors: nose up
        ((1, 3), (0, 1, 0)),  # rear rotors: nose down
        ((1, 2), (1, 0, 0)),  # left rotors: right side down
        ((0, 3), (-1, 0, 0)),  # right rotors: left side down
        ((0, 1), (0, 0, -1)),  # counter-clockwise rotors: their reaction turns clockwise
        ((2, 3), (0, 0, 1)),  # clockwise rotors: counter-clockwise
    ],
)
def test_motor_order_and_spin_by_hand(make, raised, signs):
    """Front right and rear left turn counter-clockwise, front left and rear right clockwise."""
    vehicle, backend = make((0.7,) * 4)
    fly(vehicle, 60)
    backend.motors = tuple(0.72 if index in raised else 0.68 for index in range(4))
    fly(vehicle, 24)
    rates = vehicle.angular_velocity
    size = np.abs(rates).max()
    assert np.where(np.abs(rates) > 0.2 * size, np.sign(rates), 0.0).tolist() == list(signs)


def test_readings_at_rest_show_gravity_upwards_and_have_the_noise_of_the_settings(make):
    vehicle, backend = make((0.0,) * 4)
    fly(vehicle, 240)
    force = np.array([readings.specific_force for readings in backend.readings])
    assert force.mean(0) == pytest.approx([0.0, 0.0, 9.81], abs=0.2)  # four sigma of the bias
    assert force.std(0) == pytest.approx([0.05] * 3, rel=0.15)
    gyro = np.array([readings.angular_velocity for readings in backend.readings])
    assert gyro.std(0) == pytest.approx([0.005] * 3, rel=0.15)


def test_without_noise_the_readings_are_exact(make):
    exact = dict.fromkeys(
        ("imu.gyro_noise", "imu.gyro_bias", "imu.accel_noise", "imu.accel_bias"), 0.0
    )
    vehicle, backend = make((0.0,) * 4, settings=exact)
    fly(vehicle, 2)
    assert backend.readings[0].specific_force == pytest.approx((0.0, 0.0, 9.81))
    assert backend.readings[0].angular_velocity == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("rate", [240, 480, 960])
def test_exchanges_have_their_rate_and_their_time(make, rate):
    vehicle, backend = make((0.0,) * 4, rate)
    fly(vehicle, 24)
    times = [readings.time_s for readings in backend.readings]
    assert times == pytest.approx([index / rate for index in range(rate // 10)])
    companion = vehicle.companion
    assert companion.times[:3] == [0, 4_166_666, 8_333_333]
    assert set(companion.stages) == {FlightStage.WAIT}


def test_equal_seeds_give_equal_readings(make):
    vehicle, backend = make((0.0,) * 4)
    fly(vehicle, 5)
    again, other = make((0.0,) * 4)
    fly(again, 5)
    assert other.readings == backend.readings
