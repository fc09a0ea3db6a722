import pytest

from liquid_control.nodes.input_wait import InputWait, waiting_line

pytestmark = pytest.mark.unit


class Graph:
    """A node that may be active, and the publishers of its topics."""

    def __init__(self):
        self.active = True
        self.publishers = {"camera/image_raw": 0, "imu/data": 1}
        self.received = []
        self.wait = InputWait(lambda: self.active, self.publishers.__getitem__)
        self.handlers = {
            topic: self.wait.expect(topic, self.received.append) for topic in self.publishers
        }
        self.wait.restart(10.0)


def test_the_topics_without_a_message_are_named_until_each_has_one():
    graph = Graph()
    assert graph.wait.line(10.5) == ""
    both = "camera/image_raw (0 publishers) and imu/data (1 publisher, no message yet)"
    assert graph.wait.line(11.0) == f"active; waiting for {both}"
    assert graph.wait.line(12.0) == ""
    graph.handlers["imu/data"]("sample")
    assert graph.wait.line(16.0) == "active; waiting for camera/image_raw (0 publishers)"
    graph.handlers["camera/image_raw"]("frame")
    assert graph.wait.line(16.1) == "every input arrives"
    assert graph.wait.line(30.0) == ""
    assert graph.received == ["sample", "frame"]


def test_inputs_that_arrive_at_once_are_not_reported():
    graph = Graph()
    for handler in graph.handlers.values():
        handler("message")
    assert [graph.wait.line(10.0 + n) for n in range(10)] == [""] * 10


def test_an_inactive_node_receives_and_reports_nothing():
    graph = Graph()
    graph.active = False
    graph.handlers["imu/data"]("sample")
    assert graph.received == []
    assert graph.wait.line(20.0) == ""
    graph.active = True
    assert graph.wait.line(20.0).startswith("active; waiting for camera/image_raw")


def test_a_new_activation_waits_for_every_topic_again():
    graph = Graph()
    for handler in graph.handlers.values():
        handler("message")
    graph.wait.restart(50.0)
    assert graph.wait.line(51.0).startswith("active; waiting for camera/image_raw (0 publishers)")


def test_a_topic_that_is_not_needed_is_not_waited_for():
    graph = Graph()
    graph.wait.forget("camera/image_raw")
    assert graph.wait.line(11.0) == "active; waiting for imu/data (1 publisher, no message yet)"


def test_several_publishers_without_a_message_are_counted():
    assert waiting_line({"odom": 2}) == "active; waiting for odom (2 publishers, no message yet)"
