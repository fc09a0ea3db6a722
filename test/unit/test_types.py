import math

import numpy as np
import pytest

from liquid_control.errors import ObservationError
from liquid_control.types import HOVER, Command, ImuWindow

pytestmark = pytest.mark.unit


def window(*stamps):
    count = len(stamps)
    return ImuWindow(np.array(stamps, np.int64), np.ones((count, 3)), np.zeros((count, 3)))


def test_hover_is_all_zero():
    assert HOVER.values == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_command_with_one_bad_value_is_not_finite(value):
    assert Command(1.0, 2.0).is_finite
    assert not Command(1.0, value).is_finite


def test_windows_join_in_order():
    joined = ImuWindow.joined([window(1, 2), window(), window(3)])
    assert joined.stamps_ns.tolist() == [1, 2, 3]
    assert joined.angular_velocity.shape == (3, 3)
    assert len(ImuWindow.joined([]).stamps_ns) == 0


def test_a_window_of_the_wrong_shape_is_rejected():
    with pytest.raises(ObservationError, match=r"linear_acceleration must have shape \(1, 3\)"):
        ImuWindow(np.zeros(1, np.int64), np.zeros((1, 3)), np.zeros((2, 3)))
