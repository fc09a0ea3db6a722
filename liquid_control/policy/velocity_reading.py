"""Measured motion of the vehicle, from odometry, for an adaptation."""

from typing import NamedTuple

from liquid_control import frames
from liquid_control.types import Floats, VehicleState


class VelocityReading(NamedTuple):
    """Measured motion of the vehicle, from odometry.

    Attributes:
        stamp_ns: time of the measurement.
        values: forward, left, up, m/s, heading frame, and yaw rate, rad/s: [4], as a command.
    """

    stamp_ns: int
    values: tuple[float, float, float, float]


def velocity_reading(state: VehicleState, stamp_ns: int) -> VelocityReading:
    """Return the motion of a vehicle state as messages of odometry carry it: through base_link.

    The velocity of an odometry message is in base_link. Both ways, here and in the graph, compute
    the same bits from it.
    """
    turn = frames.rotation_from_quaternion(state.quaternion)
    body = turn.T @ state.velocity
    return reading_of_twist(state.quaternion, body, state.angular_velocity, stamp_ns)


def reading_of_twist(
    quaternion: Floats, body_velocity: Floats, body_rates: Floats, stamp_ns: int
) -> VelocityReading:
    """Return the motion of an odometry message.

    Args:
        quaternion: float64 [4], (x, y, z, w), base_link to map.
        body_velocity: float64 [3], m/s, base_link.
        body_rates: float64 [3], rad/s, base_link.
        stamp_ns: of the message.
    """
    velocity = frames.rotation_from_quaternion(quaternion) @ body_velocity
    heading_rad = frames.heading_of(quaternion)
    forward, left, up = frames.heading_from_world(velocity, heading_rad).tolist()
    return VelocityReading(stamp_ns, (forward, left, up, float(body_rates[2])))
