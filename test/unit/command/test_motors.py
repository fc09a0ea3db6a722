import numpy as np
import pytest

from liquid_control.command import MotorScaling
from liquid_control.config import validate
from liquid_control.errors import ConfigError
from liquid_control.types import Command

pytestmark = pytest.mark.unit

SCALING = MotorScaling()


def test_commands_at_the_middle_and_the_ends():
    assert SCALING.command(np.zeros(4)) == Command(1.5, 0.0, 0.0, 0.0)
    ends = SCALING.command(np.ones(4)).values
    assert ends == pytest.approx((3.0, 1.5, 0.8, 1.5))
    assert SCALING.command(-np.ones(4)).values == pytest.approx((0.0, -1.5, -0.8, -1.5))


def test_round_trip_of_commands():
    commands = np.array([[2.0, -0.5, 0.3, 1.0], [0.1, 1.4, -0.7, -1.4]])
    np.testing.assert_allclose(SCALING.commands(SCALING.motors(commands)), commands, atol=1e-6)
    assert SCALING.command(SCALING.motors(commands[0])).values == pytest.approx(
        tuple(commands[0]), abs=1e-6
    )


def test_targets_are_clipped_to_the_limit():
    np.testing.assert_allclose(
        SCALING.motors([9.0, -9.0, 0.0, 0.75], limit=0.9), [0.9, -0.9, 0.0, 0.5], atol=1e-6
    )


def test_one_row_and_many_agree_bit_for_bit():
    states = np.random.default_rng(0).uniform(-1, 1, (5, 4)).astype(np.float32)
    rows = SCALING.commands(states)
    for state, row in zip(states, rows, strict=True):
        assert SCALING.command(state).values == tuple(row.tolist())


def test_rejects_scales():
    with pytest.raises(ConfigError, match=r"left\.scale: input should be greater than 0, got 0"):
        validate(MotorScaling, {"left": {"scale": 0.0}}, "motors")
