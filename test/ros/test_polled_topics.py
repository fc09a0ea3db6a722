"""Topics that are read when a message is due: newest messages, every message, rates and names."""

import numpy as np
import pytest
from rclpy.serialization import deserialize_message

from liquid_control import topics
from liquid_control.nodes import conversions
from liquid_control.nodes.polled_topics import KEPT, PolledTopics
from liquid_control.nodes.qos import CLASSES
from liquid_control.viewers.rates import TopicReading

pytestmark = pytest.mark.ros


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def polled(probe, clock):
    made = PolledTopics(probe.node, CLASSES.__getitem__, clock)
    yield made
    made.close()


def publish(probe, stamps) -> None:
    for stamp_ns in stamps:
        force = np.array([0.0, 0.0, float(stamp_ns)])
        probe.publish(topics.IMU, conversions.imu_message(np.zeros(3), force, stamp_ns))
    # Shared memory needs no acknowledgement, so the messages are there after a moment.
    probe.spin(0.3)


def stamps(taken) -> list[int]:
    return [
        conversions.stamp_of(deserialize_message(message, CLASSES[topic]).header.stamp)
        for topic, message in taken
    ]


def follow(polled, probe, source: TopicReading) -> None:
    polled.follow({topics.IMU: source})
    probe.until(probe.matched, "the subscription")


def test_the_newest_message_of_a_burst_is_taken_once_and_at_its_rate(polled, probe, clock):
    probe.advertise(topics.IMU, "realtime")
    follow(polled, probe, TopicReading(10.0))
    publish(probe, range(1, 9))
    assert stamps(polled.take()) == [8]
    publish(probe, [9])
    clock.now_s = 0.05
    assert stamps(polled.take()) == []
    clock.now_s = 0.1
    assert stamps(polled.take()) == [9]
    clock.now_s = 0.2
    assert stamps(polled.take()) == []


def test_every_message_is_taken_in_order_where_that_is_needed(polled, probe):
    probe.advertise(topics.IMU, "realtime")
    follow(polled, probe, TopicReading(10.0, every=True))
    publish(probe, range(1, KEPT + 3))
    assert stamps(polled.take()) == list(range(3, KEPT + 3))


def test_a_topic_that_is_not_followed_any_more_has_no_reader(polled, probe):
    def readers(topic: str) -> int:
        return probe.node.count_subscribers(topic)

    polled.follow({topics.IMU: TopicReading(50.0), topics.ODOM: TopicReading(10.0)})
    probe.until(lambda: readers(topics.IMU) == readers(topics.ODOM) == 1, "the subscriptions")
    polled.follow({topics.ODOM: TopicReading(20.0)})
    probe.until(lambda: readers(topics.IMU) == 0, "the end of one")
    assert readers(topics.ODOM) == 1
    polled.follow({})
    probe.until(lambda: readers(topics.ODOM) == 0, "the end of the other")


def test_another_rate_keeps_the_subscription_and_what_waits_there(polled, probe, clock):
    probe.advertise(topics.IMU, "realtime")
    follow(polled, probe, TopicReading(1.0))
    assert stamps(polled.take()) == []
    publish(probe, [5])
    clock.now_s = 0.1
    assert stamps(polled.take()) == []
    polled.follow({topics.IMU: TopicReading(50.0)})
    assert stamps(polled.take()) == [5]
