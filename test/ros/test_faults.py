"""Faults of drivers on real messages, and faults in the running graph."""

import math

import numpy as np
import pytest

from liquid_control import topics
from liquid_control.config import CameraSettings
from liquid_control.config.driver_faults import DELAY_S, JUMP_S, parse_driver_faults
from liquid_control.graph.fault_campaign import FaultCampaign, run_faults
from liquid_control.graph.fault_flight import FaultOutcome
from liquid_control.graph.fault_kinds import choose_kinds
from liquid_control.nodes import conversions
from liquid_control.nodes.faulty_drivers import FaultyPublisher, message_stamp_ns

pytestmark = pytest.mark.ros

STEP_NS = 100_000_000


class Received:
    """Keeps what is published."""

    def __init__(self):
        self.messages = []

    def publish(self, message):
        self.messages.append(message)


def imu(step):
    return conversions.imu_message((float(step), 0.0, 0.0), (0.0, 0.0, 9.81), step * STEP_NS)


def picture(step):
    pixels = np.full((4, 6, 3), step, np.uint8)
    return conversions.image_message(pixels, step * STEP_NS)


def published(fault, make, steps=10):
    """Publish messages of 0.1 s; return those that came out."""
    faults = parse_driver_faults([fault])
    received = Received()
    publisher = FaultyPublisher(received, faults[0].topic, faults, seed=3)
    for step in range(steps):
        publisher.publish(make(step))
    return received.messages


def rates(messages):
    return [message.angular_velocity.x for message in messages]


def steps(messages):
    return [message_stamp_ns(message) / STEP_NS for message in messages]


@pytest.mark.parametrize(
    ("kind", "values", "stamps"),
    [
        ("silent", [0, 1, 2, 5, 6], [0, 1, 2, 5, 6]),
        ("frozen", [0, 1, 2, 2, 2, 5, 6], [0, 1, 2, 3, 4, 5, 6]),
        ("stuck", [0, 1, 2, 2, 2, 5, 6], [0, 1, 2, 2, 2, 5, 6]),
        ("duplicated", [0, 1, 2, 3, 3, 4, 4, 5, 6], [0, 1, 2, 3, 3, 4, 4, 5, 6]),
        ("reordered", [0, 1, 2, 4, 3, 5, 6], [0, 1, 2, 4, 3, 5, 6]),
        ("jumped", [0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 3 + 10 * JUMP_S, 4 + 10 * JUMP_S, 5, 6]),
    ],
)
def test_a_fault_changes_the_messages_of_its_time_alone(kind, values, stamps):
    messages = published(f"imu/data:{kind}:0.3:0.2", imu, 7)
    assert rates(messages) == values
    assert steps(messages) == stamps


def test_late_messages_keep_their_stamps():
    messages = published("imu/data:delayed:0.3:0.2", imu, 11)
    assert DELAY_S == 0.5
    assert steps(messages) == [0, 1, 2, 5, 6, 7, 3, 8, 4, 9, 10]


def test_the_last_of_an_odd_number_is_not_lost():
    assert steps(published("imu/data:reordered:0.3:0.3", imu, 8)) == [0, 1, 2, 4, 3, 5, 6, 7]


def test_values_that_are_not_finite_and_garbage():
    messages = published("imu/data:not_finite:0.3:0.1", imu, 5)
    assert [math.isnan(rate) for rate in rates(messages)] == [False, False, False, True, False]
    messages = published("imu/data:garbage:0.3:0.1", imu, 5)
    assert abs(messages[3].linear_acceleration.z) > 1e20
    info = published(
        "camera/camera_info:not_finite:0.3:0.1",
        lambda step: conversions.camera_info_message(CameraSettings(), step * STEP_NS),
        5,
    )
    assert math.isnan(info[3].k[0])
    assert info[4].k[0] > 0.0


def test_pictures_of_garbage_are_noise_and_every_second_is_cut_off():
    pictures = published("camera/image_raw:garbage:0.3:0.2", picture, 6)
    sizes = [len(message.data) for message in pictures]
    assert sizes == [72, 72, 72, 71, 72, 72]
    assert len(set(pictures[4].data)) > 20
    assert set(pictures[5].data) == {5}


def test_a_topic_without_a_fault_is_left_alone():
    faults = parse_driver_faults(["clock:silent:0:inf"])
    received = Received()
    FaultyPublisher(received, topics.IMU, faults, 0).publish(imu(3))
    assert rates(received.messages) == [3.0]


def test_the_vehicle_hovers_when_perception_is_killed(model, tmp_path):
    """The fault is in the graph that flies; the second campaign finds the first one's rows."""
    kinds = choose_kinds(["perception_killed"])
    campaign = FaultCampaign(kinds, [20000], model, overrides=("trail.length_m=30",))
    (row,) = run_faults(campaign, tmp_path)
    assert row.outcome == FaultOutcome.HOVERED.value
    assert row.reason == "guard_stop"
    assert 0.0 < row.hover_s <= row.standstill_s
    assert 0.0 < row.travelled_m < 30.0
    assert run_faults(campaign, tmp_path, resume=True) == [row]
    assert not (tmp_path / "flights" / "perception_killed-20000").exists()
