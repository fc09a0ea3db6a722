"""Damaged message bytes yield events and counted losses, never an exception."""

from collections.abc import Iterable

import cv2
import numpy as np
import pytest
from recordings import (
    MS,
    START,
    STORE,
    T,
    camera_info,
    cdr,
    compressed,
    header,
    image,
    imu,
    odometry,
    position_target,
    sensor_combined,
    trajectory_setpoint,
    twist,
    twist_stamped,
    vehicle_local_position,
    vehicle_odometry,
)

from liquid_control.bags import FrameEvent, Losses, TopicInfo, load_rules, read_flight, resolve
from liquid_control.bags.storage.part import RawMessage
from liquid_control.errors import BagError

pytestmark = pytest.mark.unit

ROUNDS = 400
PNG = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()


def neurons(stamp_ns):
    return T["sensor_msgs/msg/JointState"](
        header(stamp_ns), ["a", "b"], np.zeros(2), np.zeros(2), np.empty(0)
    )


def features(stamp_ns):
    return image(stamp_ns, "32FC1", 1, 3, data=np.zeros(12))


US = 1000
FLIGHTS = {
    "this_project": {
        "camera": image,
        "camera_info": camera_info,
        "imu": imu,
        "odometry": odometry,
        "policy_command": twist_stamped,
        "command": lambda ns: twist((1, 2, 3)),
        "features": features,
        "neurons": neurons,
        "clock": lambda ns: T["rosgraph_msgs/msg/Clock"](header(ns).stamp),
    },
    "px4": {
        "camera": lambda ns: compressed(ns, "png", PNG),
        "imu": lambda ns: sensor_combined(ns // US),
        "odometry": lambda ns: vehicle_odometry(ns // US, (0,) * 3, (1, 0, 0, 0), (0,) * 3),
        "policy_command": lambda ns: trajectory_setpoint(ns // US, (1, 2, 3)),
        "command": lambda ns: position_target(ns, (1, 2, 3), 0.5),
    },
    "mixed": {
        "camera": lambda ns: image(ns, "bayer_rggb8", 4, 6),
        "odometry": lambda ns: vehicle_local_position(ns // US, (0.0,) * 3, (0.0,) * 3, 0.0),
        "policy_command": odometry,
        "command": lambda ns: vehicle_odometry(ns // US, (0,) * 3, (1, 0, 0, 0), (0,) * 3),
    },
}


class InMemorySource:
    """A `MessageSource` of given messages, with or without type definitions."""

    def __init__(self, messages: Iterable[RawMessage], defined: bool):
        self.path = "memory"
        self._messages = list(messages)
        definition = "yes" if defined else ""
        self.topics = {
            m.topic: TopicInfo(m.topic, m.type, None, definition) for m in self._messages
        }

    def messages(self, topics, losses, start_ns=None):
        return iter(self._messages)

    def decode(self, message):
        try:
            return STORE.deserialize_cdr(message.data, message.type)
        except Exception as error:
            raise BagError(str(error)) from error


def flight(kinds, frames=6):
    for index in range(frames):
        stamp_ns = START + index * 50 * MS
        for role, make in kinds.items():
            message = make(stamp_ns)
            yield RawMessage(f"/{role}", message.__msgtype__, stamp_ns, cdr(message))


def damaged(message: RawMessage, rng: np.random.Generator) -> RawMessage:
    data = bytearray(message.data)
    kind = rng.integers(0, 5)
    if kind == 0:
        return message._replace(data=bytes(data[: rng.integers(0, len(data))]))
    if kind == 1:
        return message._replace(log_ns=int(rng.integers(-(2**62), 2**62)))
    if kind == 2:
        return message._replace(data=bytes(data) + rng.bytes(9))
    for at in rng.integers(0, min(len(data), 100), rng.integers(1, 9)):
        data[at] = rng.choice([0, 1, 127, 255, rng.integers(0, 256)])
    return message._replace(data=bytes(data))


@pytest.mark.parametrize("name", FLIGHTS)
def test_damaged_messages_raise_no_exception(name):
    kinds = FLIGHTS[name]
    rng = np.random.default_rng([17, len(name)])
    rules = load_rules((), {role: f"/{role}" for role in kinds})
    losses_total = frames = 0
    for round_ in range(ROUNDS):
        messages = list(flight(kinds))
        for _ in range(rng.integers(1, 6)):
            at = rng.integers(0, len(messages))
            messages[at] = damaged(messages[at], rng)
        bag, losses = InMemorySource(messages, defined=bool(round_ % 2)), Losses()
        for event in read_flight(bag, resolve(bag, rules), losses):
            if isinstance(event, FrameEvent):
                frames += 1
                assert event.observation.image.dtype == np.uint8
                assert event.observation.image.shape[2] == 3
        assert all("\n" not in line for line in losses.lines())
        losses_total += losses.counts.total()
    assert losses_total > ROUNDS // 10
    assert frames > 4 * ROUNDS
