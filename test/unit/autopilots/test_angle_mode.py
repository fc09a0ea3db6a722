"""Sticks of velocity commands: signs and values worked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from liquid_control.autopilots.angle_mode import (
    GRAVITY_MPS2,
    AngleMode,
    AngleModeSettings,
    AngleState,
)
from liquid_control.errors import ConfigError
from liquid_control.types import HOVER, Command, VehicleState

pytestmark = pytest.mark.unit

DT = 0.01
MODE = AngleMode()


def state(heading=0.0, velocity=(0.0, 0.0, 0.0), height=2.0) -> VehicleState:
    quaternion = np.array([0.0, 0.0, math.sin(heading / 2), math.cos(heading / 2)])
    return VehicleState(
        np.array([0.0, 0.0, height]), quaternion, np.array(velocity, float), np.zeros(3)
    )


def after(command: Command, vehicle: VehicleState, seconds: float = 1.0, mode=MODE):
    """Return the sticks of a vehicle that does not move, after a time."""
    memory = AngleState()
    for _ in range(round(seconds / DT)):
        sticks, memory = mode.step(command, vehicle, DT, memory)
    return sticks


@pytest.mark.parametrize("heading", [0.0, 1.0, math.pi / 2, -2.5])
@pytest.mark.parametrize(
    ("command", "stick", "sign"),
    [
        (Command(forward_mps=1.0), "pitch", 1),  # nose down
        (Command(forward_mps=-1.0), "pitch", -1),
        (Command(left_mps=1.0), "roll", -1),  # left side down
        (Command(left_mps=-1.0), "roll", 1),
        (Command(yaw_rate_radps=0.5), "yaw", -1),  # counter-clockwise
        (Command(yaw_rate_radps=-0.5), "yaw", 1),
    ],
)
def test_each_axis_has_its_sign_at_any_heading_and_moves_no_other(heading, command, stick, sign):
    sticks = after(command, state(heading))
    assert math.copysign(1.0, getattr(sticks, stick)) == sign
    assert abs(getattr(sticks, stick)) > 0.1
    others = [getattr(sticks, name) for name in ("roll", "pitch", "yaw") if name != stick]
    assert others == pytest.approx([0.0, 0.0], abs=1e-9)


def test_climbing_raises_the_throttle_and_sinking_lowers_it():
    hover = MODE.throttle(1.0)
    assert after(Command(up_mps=0.5), state()).throttle > hover + 0.05
    assert after(Command(up_mps=-0.5), state()).throttle < hover - 0.05


def test_hover_at_rest_is_level_with_the_hover_throttle():
    sticks = after(HOVER, state())
    assert sticks == pytest.approx((0.0, 0.0, 0.0, 0.5))


def test_the_yaw_stick_by_hand():
    """0.5 rad/s counter-clockwise of 2 rad/s at full stick: a quarter to the left."""
    mode = AngleMode(AngleModeSettings(yaw_rate_limit_radps=2.0))
    assert after(Command(yaw_rate_radps=0.5), state(), mode=mode).yaw == -0.25
    assert after(Command(yaw_rate_radps=9.0), state(), mode=mode).yaw == -1.0


def test_the_pitch_stick_by_hand():
    """Velocity error of 1 m/s, P = 2 only: 2 m/s^2, an angle of atan(2 / g) of 45 degrees."""
    gains = {"horizontal_p": 2.0, "horizontal_i": 0.0, "reference_radps": 0.001}
    mode = AngleMode(AngleModeSettings(**gains))
    sticks, _ = mode.step(HOVER, state(velocity=(-1.0, 0.0, 0.0)), DT, AngleState())
    assert sticks.pitch == pytest.approx(math.degrees(math.atan(2.0 / GRAVITY_MPS2)) / 45.0)


def test_throttle_of_a_thrust_by_hand():
    """e = 0.65 and hover 0.5: f = 0.3375. Twice the weight: 0.65 u^2 + 0.35 u = 0.675."""
    expected = (-0.35 + math.sqrt(0.35**2 + 4.0 * 0.65 * 0.675)) / 1.3
    assert MODE.throttle(2.0) == pytest.approx(expected)
    assert MODE.throttle(1.0) == pytest.approx(0.5)
    assert MODE.throttle(0.0) == 0.0
    assert MODE.throttle(100.0) == 1.0
    linear = AngleMode(AngleModeSettings(thrust_expo=0.0))
    assert linear.throttle(1.5) == pytest.approx(0.75)


def test_neutral_is_level_with_the_throttle_that_hovered_last():
    """The integrator found that the vehicle is 10 % heavier than the setting says."""
    memory = AngleState(integral=(0.5, -0.5, 0.1 * GRAVITY_MPS2))
    assert MODE.neutral(memory) == pytest.approx((0.0, 0.0, 0.0, MODE.throttle(1.1)))


SPEED = st.floats(-20.0, 20.0)


@settings(deadline=None)
@given(
    command=st.builds(Command, SPEED, SPEED, SPEED, SPEED),
    velocity=st.tuples(SPEED, SPEED, SPEED),
    tilt=st.tuples(st.floats(-1.0, 1.0), st.floats(-1.0, 1.0), st.floats(-3.0, 3.0)),
)
def test_sticks_stay_within_tilt_and_range(command, velocity, tilt):
    quaternion = Rotation.from_euler("xyz", tilt).as_quat()
    vehicle = VehicleState(np.zeros(3), quaternion, np.array(velocity), np.zeros(3))
    sticks = after(command, vehicle, 0.2)
    pitch, roll = math.radians(45.0 * sticks.pitch), math.radians(45.0 * sticks.roll)
    assert math.cos(pitch) * math.cos(roll) >= math.cos(math.radians(30.0)) - 1e-9
    assert -1.0 <= sticks.yaw <= 1.0
    assert 0.0 <= sticks.throttle <= 1.0


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"hover_throttle": 0.0}, "hover_throttle: expected 0.05 to 0.9, got 0"),
        ({"thrust_expo": 1.5}, "thrust_expo: expected 0 to 1, got 1.5"),
        ({"tilt_deg": 50.0}, "tilt_deg: expected more than 0 and at most angle_limit_deg"),
    ],
)
def test_settings_out_of_range(values, line):
    with pytest.raises(ConfigError, match=line):
        AngleModeSettings(**values)
