"""Read a flight's bag back as arrays, for reports and for flying it again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from liquid_control.errors import OutputError
from liquid_control.types import NANOSECONDS, ImuWindow, Pixels

IMAGE = "/camera/image_raw"
IMU = "/imu/data"
ODOM = "/odom"
FEATURES = "/perception/features"
POLICY_COMMAND = "/policy/cmd_vel"
NEURONS = "/policy/neurons"
COMMAND = "/cmd_vel"
NEEDED = (IMAGE, COMMAND)


@dataclass(frozen=True, slots=True)
class Stamped:
    """Rows by stamp.

    Attributes:
        stamp_ns: int64 [N].
        values: [N, ...].
    """

    stamp_ns: NDArray[np.int64]
    values: NDArray[Any]


@dataclass(frozen=True, slots=True)
class FlightBag:
    """What was recorded of one flight, by stamp; empty where a topic was not recorded.

    Attributes:
        frames: uint8 [N, H, W, 3], RGB.
        features: float32 [N, F].
        policy_commands: float64 [N, 4], as `Command.values`, before the guard.
        commands: float64 [M, 4], what the autopilot was told.
        neuron_names: of the network's state.
        states: float64 [N, neurons].
        gates: float64 [N, neurons], the time gates.
        imu: all samples.
        positions: float64 [M, 3], m, map.
    """

    frames: Stamped
    features: Stamped
    policy_commands: Stamped
    commands: Stamped
    neuron_names: tuple[str, ...]
    states: Stamped
    gates: Stamped
    imu: ImuWindow
    positions: Stamped


def read_bag(path: Path) -> FlightBag:
    """Read a flight's bag, an `.mcap` file or a ROS 2 bag's folder.

    Raises:
        OutputError: it is missing or damaged, or holds no flight.
    """
    try:
        messages = _collect(path)
    except FileNotFoundError as error:
        raise OutputError(f"{path}: expected a bag, found nothing to read there") from error
    except Exception as error:  # rosbags raises whatever a damaged byte leads it to
        raise OutputError(f"{path}: is not a readable bag ({_one_line(error)})") from error
    missing = [topic for topic in NEEDED if not messages[topic]]
    if missing:
        raise OutputError(f"{path}: holds no flight, it lacks messages on {', '.join(missing)}")
    try:
        return _flight(messages)
    except (ValueError, AttributeError, IndexError) as error:
        raise OutputError(f"{path}: its messages do not fit ({_one_line(error)})") from error


def _collect(path: Path) -> dict[str, list[Any]]:
    topics = (IMAGE, IMU, ODOM, FEATURES, POLICY_COMMAND, NEURONS, COMMAND)
    messages: dict[str, list[Any]] = {topic: [] for topic in topics}
    with AnyReader([path], default_typestore=get_typestore(Stores.ROS2_JAZZY)) as reader:
        wanted = [c for c in reader.connections if c.topic in messages]
        for connection, _, raw in reader.messages(connections=wanted):
            messages[connection.topic].append(reader.deserialize(raw, connection.msgtype))
    return messages


def _flight(messages: dict[str, list[Any]]) -> FlightBag:
    neurons = messages[NEURONS]
    samples = messages[IMU]
    return FlightBag(
        frames=_stamped(messages[IMAGE], _picture),
        features=_stamped(messages[FEATURES], lambda m: m.data.view(np.float32)),
        policy_commands=_stamped(messages[POLICY_COMMAND], _command),
        commands=_stamped(messages[COMMAND], _command),
        neuron_names=tuple(neurons[0].name) if neurons else (),
        states=_stamped(neurons, lambda m: m.position),
        gates=_stamped(neurons, lambda m: m.velocity),
        imu=ImuWindow(
            np.array([_stamp(m) for m in samples], np.int64),
            np.array([_xyz(m.angular_velocity) for m in samples]).reshape(-1, 3),
            np.array([_xyz(m.linear_acceleration) for m in samples]).reshape(-1, 3),
        ),
        positions=_stamped(messages[ODOM], lambda m: _xyz(m.pose.pose.position)),
    )


def _stamped(messages: list[Any], value: Any) -> Stamped:
    rows = [np.asarray(value(message)) for message in messages]
    stamps = np.array([_stamp(message) for message in messages], np.int64)
    return Stamped(stamps, np.stack(rows) if rows else np.empty((0,)))


def _stamp(message: Any) -> int:
    time = message.header.stamp
    return int(time.sec) * NANOSECONDS + int(time.nanosec)


def _picture(message: Any) -> Pixels:
    if message.encoding != "rgb8":
        raise ValueError(f"expected rgb8 pictures, got {message.encoding!r}")
    rows: Pixels = message.data.reshape(message.height, message.step)
    return rows[:, : message.width * 3].reshape(message.height, message.width, 3)


def _command(message: Any) -> tuple[float, float, float, float]:
    linear = message.twist.linear
    return linear.x, linear.y, linear.z, message.twist.angular.z


def _xyz(vector: Any) -> tuple[float, float, float]:
    return vector.x, vector.y, vector.z


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
