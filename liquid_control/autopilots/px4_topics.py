"""PX4's topics over ROS 2: set-points, status, samples, and versions of its messages.

Sources: the message definitions of `px4_msgs`, and the rules on versions of `px4_ros2`, PX4's
interface library. A topic's name ends in `_v` and the version of its message, unless that is 0.
PX4's world is NED, its body FRD; a set-point's velocity is in the world, so it needs the heading.
"""

import math
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

from liquid_control import frames, message_types
from liquid_control.autopilots.interface import (
    ArmCheck,
    AutopilotStatus,
    BatteryStatus,
    Firmware,
    ImuSample,
)
from liquid_control.types import Command, Floats

OFFBOARD, ARMED = 14, 2
"""Values of `nav_state` and `arming_state`."""
NAV_STATES: Mapping[int, str] = {
    0: "MANUAL",
    1: "ALTCTL",
    2: "POSCTL",
    3: "AUTO.MISSION",
    4: "AUTO.LOITER",
    5: "AUTO.RTL",
    6: "POSITION_SLOW",
    10: "ACRO",
    12: "DESCEND",
    13: "TERMINATION",
    14: "OFFBOARD",
    15: "STABILIZED",
    17: "AUTO.TAKEOFF",
    18: "AUTO.LAND",
    19: "AUTO.FOLLOW_TARGET",
    20: "AUTO.PRECLAND",
    21: "ORBIT",
    **{22 + number: f"EXTERNAL{number}" for number in range(1, 9)},
}
"""Names of PX4's flight modes by `VehicleStatus.nav_state`, as its MAVLink modes are named."""


class Px4Topic(NamedTuple):
    """A topic of PX4.

    Attributes:
        name: without the version, relative to PX4's namespace.
        kind: its message type.
    """

    name: str
    kind: str

    def named(self, version: int) -> str:
        """Return the name for a version of the message."""
        return f"{self.name}_v{version}" if version else self.name


STATUS = Px4Topic("fmu/out/vehicle_status", message_types.VEHICLE_STATUS)
ODOMETRY = Px4Topic("fmu/out/vehicle_odometry", message_types.VEHICLE_ODOMETRY)
SENSORS = Px4Topic("fmu/out/sensor_combined", message_types.SENSOR_COMBINED)
BATTERY = Px4Topic("fmu/out/battery_status", message_types.BATTERY_STATUS)
SETPOINT = Px4Topic("fmu/in/trajectory_setpoint", message_types.TRAJECTORY_SETPOINT)
MODE = Px4Topic("fmu/in/offboard_control_mode", message_types.OFFBOARD_CONTROL_MODE)
NEEDED = (SETPOINT, MODE, STATUS, ODOMETRY)
"""Topics without which nothing is sent."""
USED = (*NEEDED, SENSORS, BATTERY)
REQUEST = Px4Topic("fmu/in/message_format_request", message_types.MESSAGE_FORMAT_REQUEST)
RESPONSE = Px4Topic("fmu/out/message_format_response", message_types.MESSAGE_FORMAT_RESPONSE)
FORMAT_PROTOCOL = 1
"""Version of the exchange about formats."""


def version_problem(
    present: Collection[str], prefix: str, versions: Mapping[Px4Topic, int]
) -> str:
    """Return the line about a topic that PX4 has in another version only; empty without one.

    Args:
        present: full names of the topics that PX4 publishes or subscribes to.
        prefix: PX4's namespace, with the slash at its end.
        versions: version of each topic's message in the installed `px4_msgs`.
    """
    for topic, version in versions.items():
        name = prefix + topic.name
        if prefix + topic.named(version) in present:
            continue
        others = [one for one in present if one == name or one.startswith(f"{name}_v")]
        others = [one for one in others if one == name or one[len(name) + 2 :].isdigit()]
        if others:
            return (
                f"PX4 has {others[0]}, px4_msgs has version {version} of "
                f"{topic.kind.rpartition('/')[2]}: build px4_msgs from the branch of the "
                "firmware's release"
            )
    return ""


def format_hash(fields: str) -> int:
    """Return PX4's hash of a message format: FNV-1a, 32 bits.

    Args:
        fields: one line per field, `type name`, without constants.
    """
    value = 0x811C9DC5
    for byte in fields.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def format_problem(topic: str, known: bool, wanted: int, received: int) -> str:
    """Return the line about PX4's answer on the format of a topic; empty if it agrees.

    Args:
        topic: its name.
        known: whether PX4 has it.
        wanted: hash of the installed definition.
        received: hash of PX4's.
    """
    if not known:
        return f"PX4 has no topic {topic}: it is missing in its dds_topics.yaml"
    if wanted == received:
        return ""
    return (
        f"{topic} has other fields in PX4 than in px4_msgs: build px4_msgs from the branch of the "
        "firmware's release"
    )


class NedSetpoint(NamedTuple):
    """Fields of a `TrajectorySetpoint`; all others are NaN, which PX4 does not control.

    Attributes:
        velocity: north, east, down, m/s.
        yawspeed: clockwise from above, rad/s.
    """

    velocity: tuple[float, float, float]
    yawspeed: float


def ned_setpoint(command: Command, heading_rad: float) -> NedSetpoint:
    """Return the set-point of a command in the heading frame.

    Args:
        command: velocity and yaw rate.
        heading_rad: of the vehicle, counter-clockwise from east; of no effect on zero velocity.
    """
    velocity = enu_velocity(command, heading_rad)
    north, east, down = frames.enu_from_ned(velocity).tolist()
    return NedSetpoint((north, east, down), -command.yaw_rate_radps)


def enu_velocity(command: Command, heading_rad: float) -> Floats:
    """Return the velocity of a command in the world, float64 [3], m/s, ENU."""
    values = np.array(command.values[:3], np.float64)
    if not values[:2].any():
        return values
    return frames.world_from_heading(values, heading_rad)


def status_of(message: Any) -> tuple[AutopilotStatus, ArmCheck]:
    """Return mode, arming and checks of a `VehicleStatus`."""
    number = int(message.nav_state)
    state = AutopilotStatus(
        Firmware.PX4,
        int(message.system_id),
        NAV_STATES.get(number, f"mode {number}"),
        number == OFFBOARD,
        int(message.arming_state) == ARMED,
    )
    ready = bool(message.pre_flight_checks_pass)
    reasons = () if ready else ("PX4's checks before arming fail: see its ground station",)
    return state, ArmCheck(ready, reasons)


def imu_sample(message: Any, stamp_ns: int) -> ImuSample | None:
    """Return the sample of a `SensorCombined`, FRD; None if it is not finite."""
    x, y, z = map(float, message.gyro_rad)
    fx, fy, fz = map(float, message.accelerometer_m_s2)
    if not all(map(math.isfinite, (x, y, z, fx, fy, fz))):
        return None
    return ImuSample(stamp_ns, (x, -y, -z), (fx, -fy, -fz), None)


def battery_of(message: Any) -> BatteryStatus:
    """Return charge and voltage of a `BatteryStatus`; PX4 states -1 and 0 for none."""
    charge, voltage_v = float(message.remaining), float(message.voltage_v)
    return BatteryStatus(charge if charge >= 0.0 else None, voltage_v if voltage_v > 0.0 else None)
