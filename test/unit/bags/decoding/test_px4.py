"""PX4 messages have equal values with and without definitions in the bag, in all versions."""

import sqlite3
from contextlib import closing

import numpy as np
import pytest
from recordings import (
    START,
    STORE,
    RecordingBuilder,
    cdr,
    floats,
    image,
    position_target,
    sensor_combined,
    trajectory_setpoint,
    vehicle_local_position,
    vehicle_odometry,
)
from rosbags.rosbag2 import StoragePlugin
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from liquid_control.bags.bag import open_bag
from liquid_control.bags.decoding import px4
from liquid_control.bags.decoding.odometry import state_of
from liquid_control.bags.events import CommandEvent, CommandSource, FrameEvent
from liquid_control.bags.flight_events import read_flight
from liquid_control.bags.losses import Losses
from liquid_control.bags.storage.part import RawMessage
from liquid_control.bags.topics import load_rules, resolve
from liquid_control.errors import BagError, ObservationError
from liquid_control.frames import heading_of, rotation_from_quaternion

pytestmark = pytest.mark.unit


class Undefined:
    """A recording without type definitions."""

    def __init__(self):
        self.topics = {}

    def decode(self, message):
        raise AssertionError("an undefined type must not be decoded")


class Defined:
    """A recording with type definitions."""

    def __init__(self, store=STORE):
        self._store = store
        self.topics = {"/t": type("Info", (), {"definition": "yes"})}

    def decode(self, message):
        return self._store.deserialize_cdr(message.data, message.type)


def raw(message, kind=None, data=None):
    return RawMessage("/t", kind or message.__msgtype__, 0, cdr(message) if data is None else data)


Q = np.array([0.5, -0.1, 0.3, 0.8])
ODOMETRY = vehicle_odometry(
    7, (1, 2, -3), Q / np.linalg.norm(Q), (4, 5, 6), (0.1, 0.2, 0.3), velocity_frame=3
)


@pytest.mark.parametrize(
    "message",
    [ODOMETRY, vehicle_local_position(7, (1.0, 2.0, -3.0), (4.0, 5.0, 6.0), 0.75)],
    ids=["VehicleOdometry", "VehicleLocalPosition"],
)
def test_states_are_the_same_with_and_without_definitions(message):
    one, other = state_of(Defined(), raw(message)), state_of(Undefined(), raw(message))
    for name in ("position", "quaternion", "velocity", "angular_velocity"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_array_equal(one.position, [2, 1, 3])


def test_setpoints_are_the_same_with_and_without_definitions():
    message = raw(trajectory_setpoint(1, (1.5, -2.5, 0.5), 0.25))
    for bag in (Defined(), Undefined()):
        setpoint = px4.setpoint(px4.fields_of(bag, message))
        assert (setpoint.linear.tolist(), setpoint.yaw_rate) == ([1.5, -2.5, 0.5], 0.25)


def test_local_position_is_level_at_its_heading():
    state = state_of(Undefined(), raw(vehicle_local_position(0, (1.0, 2, 3), (4.0, 5, 6), 0.25)))
    assert heading_of(state.quaternion) == pytest.approx(np.pi / 2 - 0.25, abs=1e-7)
    up = rotation_from_quaternion(state.quaternion)[:, 2]
    np.testing.assert_allclose(up, [0, 0, 1], atol=1e-12)
    np.testing.assert_array_equal(state.velocity, [5, 4, -6])


def test_local_positions_of_other_versions_share_the_first_fields():
    data = cdr(vehicle_local_position(0, (1.0, 2, 3), (4.0, 5, 6), 0.25))
    longer = raw(None, "px4_msgs/msg/VehicleLocalPosition", data + bytes(120))
    np.testing.assert_array_equal(state_of(Undefined(), longer).velocity, [5, 4, -6])


OF_1_13 = """
uint64 timestamp
uint64 timestamp_sample
uint8 local_frame
float32 x
float32 y
float32 z
float32[4] q
float32[4] q_offset
float32[21] pose_covariance
uint8 velocity_frame
float32 vx
float32 vy
float32 vz
float32 rollspeed
float32 pitchspeed
float32 yawspeed
float32[21] velocity_covariance
uint8 reset_counter
"""


def of_1_13(local_frame=0, velocity_frame=0):
    store = get_typestore(Stores.EMPTY)
    kind = "px4_msgs/msg/VehicleOdometry"
    store.register(get_types_from_msg(OF_1_13, kind))
    covariance = np.zeros(21, np.float32)
    identity = floats(1, 0, 0, 0)
    message = store.types[kind](
        0, 0, local_frame, 1.0, 2.0, -3.0, identity, identity, covariance, velocity_frame,
        4.0, 5.0, -6.0, 0.1, 0.2, 0.3, covariance, 0,
    )  # fmt: skip
    return Defined(store), RawMessage("/t", kind, 0, bytes(store.serialize_cdr(message, kind)))


@pytest.mark.parametrize("velocity_frame", [0, 3])
def test_odometry_of_1_13_is_read_if_the_bag_defines_it(velocity_frame):
    state = state_of(*of_1_13(velocity_frame=velocity_frame))
    np.testing.assert_array_equal(state.position, [2, 1, 3])
    np.testing.assert_allclose(state.velocity, [5, 4, 6], atol=1e-12)
    np.testing.assert_allclose(state.angular_velocity, [0.1, -0.2, -0.3], atol=1e-7)


def test_odometry_of_1_13_is_not_mistaken_for_a_later_one():
    _, message = of_1_13()
    with pytest.raises(BagError, match=r"76 to 116 bytes .* as of 1\.14 or later, got 261"):
        state_of(Undefined(), message)


def test_unknown_frames_of_1_13_are_rejected():
    with pytest.raises(ObservationError, match="got local_frame 1"):
        state_of(*of_1_13(local_frame=1))


def test_truncated_message_is_rejected():
    message = raw(ODOMETRY)
    with pytest.raises(BagError, match="expected 76 to 116 bytes"):
        state_of(Undefined(), message._replace(data=message.data[:50]))


def test_sqlite_bags_from_before_iron_are_decoded(tmp_path):
    """Such bags have no definitions: the test empties the table of definitions."""
    path = (
        RecordingBuilder()
        .add("/camera/image_raw", image(START))
        .add("/fmu/out/sensor_combined", sensor_combined(START // 1000, (1, 2, 3)), START)
        .add(
            "/fmu/out/vehicle_odometry",
            vehicle_odometry(START // 1000, (1, 2, -3), (1, 0, 0, 0), (0,) * 3),
            START,
        )
        .add(
            "/fmu/in/trajectory_setpoint",
            trajectory_setpoint(START // 1000, (1, 0, -0.5), 0.25),
            START,
        )
        .add("/other", position_target(START, (1, 2, 3), 0.5))
        .write(tmp_path / "bag", StoragePlugin.SQLITE3)
    )
    with closing(sqlite3.connect(next(path.glob("*.db3")))) as database, database:
        database.execute("DELETE FROM message_definitions")
    bag = open_bag(path)
    assert not any(info.definition for info in bag.topics.values())
    topics = resolve(bag, load_rules(["px4"], {"command": "/other"}))
    events = list(read_flight(bag, topics, losses := Losses()))
    assert not losses.counts
    (policy, other) = [event for event in events if isinstance(event, CommandEvent)]
    if other.source is CommandSource.POLICY:
        policy, other = other, policy
    np.testing.assert_allclose(policy.command.values, [1, 0, 0.5, -0.25], atol=1e-7)
    np.testing.assert_allclose(other.command.values, [2, -1, 3, 0.5], atol=1e-7)
    (frame,) = [event for event in events if isinstance(event, FrameEvent)]
    assert frame.observation.imu.angular_velocity.tolist() == [[1, -2, -3]]
