import pytest

from liquid_control.errors import ConfigError
from liquid_control.publishers import (
    LINGER_S,
    UNKNOWN,
    UNNAMED_UPDATES,
    Endpoint,
    PublisherBinding,
    SolePublisher,
    expected_publishers,
)

pytestmark = pytest.mark.unit

TOPIC = "/policy/cmd_vel"
CONTROLLER = Endpoint("/controller_node", b"1")
RESTARTED = Endpoint("/controller_node", b"2")
INTRUDER = Endpoint("/intruder", b"3")


def news(binding: PublisherBinding, *endpoints: Endpoint) -> list[str]:
    return [notice.text for notice in binding.update(endpoints)]


def bound(second="hover", expected="") -> PublisherBinding:
    binding = PublisherBinding(TOPIC, expected, second)
    assert news(binding, CONTROLLER) == []
    assert (binding.bound, binding.refusal) == (CONTROLLER, "")
    return binding


def test_a_second_publisher_is_announced_once_and_refused_until_it_is_gone():
    binding = bound()
    reason = "/policy/cmd_vel is published by /intruder besides /controller_node"
    assert news(binding, CONTROLLER, INTRUDER) == [f"{reason}: no message is used"]
    assert binding.refusal == reason
    assert news(binding, CONTROLLER, INTRUDER) == []
    assert binding.refusal == reason
    assert news(binding, CONTROLLER) == [f"{TOPIC} is published by /controller_node alone"]
    assert binding.refusal == ""


def test_only_the_news_of_a_second_publisher_are_warnings():
    binding = bound()
    assert [one.second for one in binding.update([CONTROLLER, INTRUDER])] == [True]
    assert [one.second for one in binding.update([CONTROLLER])] == [False]


def test_a_second_publisher_is_refused_before_its_name_is_known():
    binding = bound()
    unnamed = Endpoint(UNKNOWN, INTRUDER.gid)
    assert news(binding, CONTROLLER, unnamed) == []
    assert binding.refusal == f"{TOPIC} is published by an unknown node besides /controller_node"
    assert len(news(binding, CONTROLLER, INTRUDER)) == 1


def test_a_publisher_without_a_node_is_announced_as_such():
    binding = bound()
    unnamed = Endpoint(UNKNOWN, INTRUDER.gid)
    lines = [news(binding, CONTROLLER, unnamed) for _ in range(2 * UNNAMED_UPDATES)]
    assert [number for number, texts in enumerate(lines) if texts] == [UNNAMED_UPDATES - 1]


def test_a_restarted_node_is_bound_once_the_old_publisher_is_gone():
    binding = bound()
    binding.update([CONTROLLER, RESTARTED])
    assert binding.refusal != ""
    binding.update([RESTARTED])
    assert (binding.bound, binding.refusal) == (RESTARTED, "")


def test_another_node_does_not_replace_the_bound_one_before_release():
    binding = bound()
    binding.update([CONTROLLER, INTRUDER])
    binding.update([INTRUDER])
    assert binding.bound is None
    assert binding.refusal == f"{TOPIC} is published by /intruder, not by /controller_node"
    binding.update([INTRUDER, RESTARTED])
    assert binding.bound == RESTARTED
    assert binding.refusal != ""
    binding.update([INTRUDER])
    binding.release()
    binding.update([INTRUDER])
    assert (binding.bound, binding.refusal) == (INTRUDER, "")


def test_two_publishers_at_the_start_cannot_be_decided_without_an_expected_name():
    binding = PublisherBinding(TOPIC)
    reason = f"{TOPIC} has 2 publishers: /controller_node and /intruder"
    assert news(binding, INTRUDER, CONTROLLER) == [f"{reason}: no message is used"]
    assert (binding.bound, binding.refusal) == (None, reason)


@pytest.mark.parametrize("name", ["controller_node", "/controller_node"])
def test_an_expected_name_decides_which_is_the_other(name):
    binding = PublisherBinding(TOPIC, name)
    binding.update([INTRUDER, CONTROLLER])
    assert (binding.bound, binding.others) == (CONTROLLER, (INTRUDER,))
    assert binding.refusal != ""


def test_a_node_of_another_name_than_the_expected_one_is_refused():
    binding = PublisherBinding(TOPIC, "controller_node")
    assert news(binding, INTRUDER) == [
        f"{TOPIC} is published by /intruder, not by controller_node: no message is used"
    ]
    assert binding.bound is None


def test_same_name_accepts_a_restarted_node_beside_the_old_publisher_only():
    binding = bound("same_name")
    binding.update([CONTROLLER, RESTARTED])
    assert binding.refusal == ""
    binding.update([CONTROLLER, INTRUDER])
    assert binding.refusal != ""


def test_accept_announces_and_refuses_nothing():
    binding = bound("accept")
    assert news(binding, CONTROLLER, INTRUDER) == [
        f"{TOPIC} is published by /intruder besides /controller_node: every message is used"
    ]
    assert binding.refusal == ""
    assert news(binding, INTRUDER) == [
        f"{TOPIC} is now published by /intruder; it was published by /controller_node",
        f"{TOPIC} is published by /intruder alone",
    ]


@pytest.mark.parametrize("pair", ["c/d", "=node", "c/d=", "/c/d=node", "e=node"])
def test_expected_publishers_are_pairs_of_known_topics(pair):
    assert expected_publishers(["a=b", "c/d=/e/f"], ["a", "c/d"]) == {"a": "b", "c/d": "/e/f"}
    with pytest.raises(ConfigError, match=rf"expected topic=node, topic of a, c/d, got '{pair}'"):
        expected_publishers([pair], ["a", "c/d"])


def sole() -> SolePublisher:
    return SolePublisher("/cmd_vel", "/guard_node", "/guard_standby")


def test_the_guard_and_its_standby_may_publish_cmd_vel_and_others_are_named_once():
    output, pair = sole(), [Endpoint("/guard_node", b"1"), Endpoint("/guard_standby", b"2")]
    assert not output.update(pair, 0.0)
    assert output.problem == ""
    assert output.update([*pair, INTRUDER], 1.0)
    assert output.problem == "/cmd_vel is published by /intruder besides /guard_node"
    assert not output.update([*pair, INTRUDER], 2.0)
    assert not output.update(pair, 3.0)
    assert output.problem == ""


def test_a_second_guard_of_the_same_name_counts_once_no_killed_process_can_remain():
    output, twins = sole(), [Endpoint("/guard_node", b"1"), Endpoint("/guard_node", b"2")]
    assert not output.update(twins, 0.0)
    assert not output.update(twins, LINGER_S)
    assert output.update(twins, LINGER_S + 1.0)
    assert output.problem == "/cmd_vel is published by /guard_node besides /guard_node"
