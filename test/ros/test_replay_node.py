"""Replays through the graph: the commands of the flight, seeking, stepping and pausing."""

import signal
import time
from math import atan, degrees

import numpy as np
import pytest
from geometry_msgs.msg import TwistStamped
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import GetParameters, SetParameters
from std_srvs.srv import SetBool, Trigger

from liquid_control import topics
from liquid_control.bags import BagWriter, Losses, read_bag
from liquid_control.bags.bag import open_bag
from liquid_control.bags.flight_events import read_flight
from liquid_control.bags.topics import load_rules, resolve
from liquid_control.bags.writing.messages import FLIGHT_TOPICS, camera_info_cdr, image_cdr, imu_cdr
from liquid_control.config import CameraSettings
from liquid_control.errors import BagError
from liquid_control.graph import ReplayPlan, replay_through_graph
from liquid_control.nodes import conversions
from liquid_control.policy import Policy, load_model
from liquid_control.replay import FeatureExtractor, Player, replay

from .conftest import error_line, exit_status, failed_starts

pytestmark = pytest.mark.ros

MS = 1_000_000
FLOWN_S = 3.0
SERIES = ("frames", "features", "policy_commands", "commands", "states", "gates", "positions")


@pytest.fixture(scope="module")
def flight(flown):
    """Return the bag of a short flight in lockstep, with lost frames."""
    return flown("hard").flight.bag


def events_of(bag, start_ns=None):
    opened = open_bag(bag)
    found = resolve(opened, load_rules())
    return list(read_flight(opened, found, Losses(), start_ns))


def answers_offline(model, bag, start_ns=None):
    """Return (stamp, command) of the policy in the offline replay, and of its guard by stamp."""
    player = Player(FeatureExtractor(Policy(load_model(model))))
    replay(events_of(bag, start_ns), [player])
    track = player.replayed().track
    return rows_of(track.policy), dict(rows_of(track.guarded))


def rows_of(series):
    """Return (stamp, values) of a series."""
    return list(zip(series.stamp_ns.tolist(), map(tuple, series.values), strict=True))


def test_a_replay_in_lockstep_is_the_flight_bit_for_bit(model, flight, tmp_path):
    events = []
    outcome = replay_through_graph(ReplayPlan(flight, model, tmp_path), events.append)
    flown, replayed = read_bag(flight), read_bag(outcome.bag)
    for name in SERIES:
        there, here = getattr(flown, name), getattr(replayed, name)
        np.testing.assert_array_equal(here.stamp_ns, there.stamp_ns, err_msg=name)
        np.testing.assert_array_equal(here.values, there.values, err_msg=name)
    np.testing.assert_array_equal(replayed.imu.stamps_ns, flown.imu.stamps_ns)
    np.testing.assert_array_equal(replayed.imu.linear_acceleration, flown.imu.linear_acceleration)
    assert len(flown.frames.stamp_ns) > 30
    assert np.abs(flown.commands.values).max() > 0.1
    assert outcome.losses == {}
    assert outcome.statistics["frames_lost"] == 0
    assert events[-1]["duration_s"] == pytest.approx(FLOWN_S, abs=0.1)


def test_the_warnings_of_a_recording_are_counted_with_its_losses(model, flight, tmp_path):
    """The recorded commands have a clock that differs from the camera's by 5 s."""
    bag, late = open_bag(flight), tmp_path / "late.mcap"
    with BagWriter(late, {name: info.type for name, info in bag.topics.items()}) as writer:
        for raw in bag.messages(tuple(bag.topics), Losses()):
            shift_ns = 5_000 * MS if raw.topic == "/policy/cmd_vel" else 0
            writer.write(raw.topic, raw.data, raw.log_ns + shift_ns)
    losses = Losses()
    opened = open_bag(late)
    list(read_flight(opened, resolve(opened, load_rules()), losses))
    assert len(losses.warnings) == 1
    outcome = replay_through_graph(ReplayPlan(late, model, tmp_path))
    assert outcome.losses["warnings"] == 1


def test_at_four_times_real_time_the_answers_are_the_same_until_a_frame_is_lost(
    model, flight, tmp_path
):
    outcome = replay_through_graph(ReplayPlan(flight, model, tmp_path, mode="realtime", rate=4.0))
    flown, replayed = read_bag(flight).policy_commands, read_bag(outcome.bag).policy_commands
    count = min(len(flown.stamp_ns), len(replayed.stamp_ns))
    same = flown.stamp_ns[:count] == replayed.stamp_ns[:count]
    answered = count if same.all() else int(same.argmin())
    assert answered > 0
    np.testing.assert_array_equal(replayed.values[:answered], flown.values[:answered])
    assert outcome.statistics["frames"] == len(flown.stamp_ns)


def test_a_part_of_a_bag_is_replayed_from_a_fresh_state_under_another_guard(
    model, flight, tmp_path
):
    envelope = {"max_forward_mps": 0.25}
    plan = ReplayPlan(flight, model, tmp_path, start_s=1.0, duration_s=0.5, envelope=envelope)
    bag = read_bag(replay_through_graph(plan).bag)
    replayed = bag.policy_commands
    assert bag.commands.values[:, 0].max() == 0.25
    policy, _ = answers_offline(model, flight, 1_000 * MS)
    expected = [answer for answer in policy if answer[0] <= 1_500 * MS]
    assert len(expected) > 5
    assert rows_of(replayed) == expected


WIDE_CAMERA = CameraSettings(
    width=160, height=120, horizontal_fov_deg=2.0 * degrees(atan(160 / 120))
)
"""A camera of another shape, and wider than the model's."""


@pytest.mark.parametrize("imu_period_ms", [7, 0], ids=["another clock", "no IMU"])
def test_any_camera_in_real_time_is_replayed_as_offline_through_a_gap(
    model, tmp_path, imu_period_ms
):
    """Frames do not wait for an IMU that keeps another time, or is not there."""
    bag = tmp_path / "camera.mcap"
    random = np.random.default_rng(1)
    names = ["camera/image_raw", "camera/camera_info", *(["imu/data"] if imu_period_ms else [])]
    with BagWriter(bag, {name: FLIGHT_TOPICS[name] for name in names}) as writer:
        for now_ms in range(5_000, 6_000):
            if imu_period_ms and now_ms % imu_period_ms == 0:
                sample = imu_cdr(random.normal(size=3), random.normal(size=3), now_ms * MS)
                writer.write("imu/data", sample, (now_ms + 1) * MS)
            if now_ms % 33 == 0 and not 5_300 < now_ms < 5_600:
                info = camera_info_cdr(WIDE_CAMERA, now_ms * MS)
                writer.write("camera/camera_info", info, (now_ms + 8) * MS)
                image = random.integers(0, 256, (120, 160, 3), dtype=np.uint8)
                cdr = image_cdr(image, now_ms * MS)
                writer.write("camera/image_raw", cdr, (now_ms + 9) * MS)
    again = replay_through_graph(ReplayPlan(bag, model, tmp_path / "out")).bag
    replayed = read_bag(again)
    policy, guarded = answers_offline(model, bag)
    assert len(policy) == 21
    assert (0.0,) * 4 in guarded.values()
    assert rows_of(replayed.policy_commands) == policy
    commands = dict(rows_of(replayed.commands))
    assert {stamp_ns: commands[stamp_ns] for stamp_ns in guarded} == guarded
    assert answers_offline(model, again)[0] == policy


class ReplayedGraph:
    """A replay in a graph of its own, with the commands of guard and policy."""

    def __init__(self, probe, launch, model, bag, mode, **parameters) -> None:
        self.probe = probe
        self.guard_messages = probe.listen(topics.COMMAND, mode)
        self.policy_messages = probe.listen(topics.POLICY_COMMAND, mode)
        common = {"mode": mode, "use_sim_time": True}
        launch("guard_node", **common)
        launch("policy_node", **common, model=str(model), autostart=True)
        self.process = launch("replay_node", **common, bag=str(bag), **parameters)

    def policy(self):
        return [conversions.command_from(message)[::-1] for _, message in self.policy_messages]

    def guard(self):
        return [conversions.command_from(message)[::-1] for _, message in self.guard_messages]

    def pause(self, paused: bool):
        request = SetBool.Request(data=paused)
        return self.probe.call(SetBool, "/replay_node/pause", request)

    def step(self):
        before = len(self.policy_messages)
        assert self.probe.call(Trigger, "/replay_node/step", Trigger.Request()).success
        self.probe.until(lambda: len(self.policy_messages) > before, "an answer to the step")

    def set(self, name: str, value: float | bool):
        message = ParameterValue(type=ParameterType.PARAMETER_BOOL, bool_value=bool(value))
        if not isinstance(value, bool):
            message = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=value)
        request = SetParameters.Request(parameters=[Parameter(name=name, value=message)])
        return self.probe.call(SetParameters, "/replay_node/set_parameters", request).results[0]

    def position_s(self) -> float:
        request = GetParameters.Request(names=["position_s"])
        answer = self.probe.call(GetParameters, "/replay_node/get_parameters", request)
        return answer.values[0].double_value

    def is_at(self, position_s: float) -> None:
        self.probe.until(
            lambda: self.position_s() == pytest.approx(position_s, abs=1e-6),
            f"position {position_s}",
        )


def test_a_replay_can_be_stepped_sought_and_looped_while_time_advances(
    probe, launch, model, flight
):
    flown = read_bag(flight)
    stamps = flown.policy_commands.stamp_ns
    recorded = [tuple(row) for row in flown.policy_commands.values]
    player = ReplayedGraph(probe, launch, model, flight, "lockstep", paused=True)
    for number in range(3):
        player.step()
        player.is_at(stamps[number] * 1e-9)
        probe.spin(0.1)
        assert [stamp_ns for stamp_ns, _ in player.policy()] == stamps[: number + 1].tolist()
    assert [command.values for _, command in player.policy()] == recorded[:3]

    target_s = 1.5
    assert player.set("position_s", target_s).successful
    assert player.position_s() == target_s
    player.step()
    (first_ns, command), *_ = answers_offline(model, flight, round(target_s * 1e9))[0]
    player.is_at(first_ns * 1e-9)
    assert player.policy()[3][1].values == command
    assert player.policy()[3][0] > stamps[2] + 1_000 * MS

    assert player.set("loop", True).successful
    assert player.set("position_s", 0.0).successful
    assert player.pause(False).success
    begun = len(player.policy_messages)
    probe.until(lambda: len(player.policy_messages) > begun + 2 * len(stamps), "two passes")
    assert player.set("loop", False).successful
    assert exit_status(player.process) == 0

    def whole_passes() -> int:
        count = len(player.policy_messages) - 4
        return count if count >= 3 * len(stamps) and count % len(stamps) == 0 else 0

    probe.until(whole_passes, "at least three whole passes")
    probe.spin(0.3)
    probe.until(whole_passes, "only whole passes")
    passes = player.policy()[4:]
    assert len(passes) % len(stamps) == 0
    assert len(passes) >= 3 * len(stamps)
    assert [command.values for _, command in passes] == recorded * (len(passes) // len(stamps))

    guard_stamps = [stamp_ns for stamp_ns, _ in player.guard()]
    assert guard_stamps == sorted(set(guard_stamps))
    in_pass = [v for s, v in player.guard() if passes[0][0] <= s <= passes[len(stamps) - 1][0]]
    ticks = flown.commands.stamp_ns <= stamps[-1]
    assert [v.values for v in in_pass] == [tuple(row) for row in flown.commands.values[ticks]]


def test_in_real_time_rate_and_position_can_be_changed(probe, launch, model, flight):
    player = ReplayedGraph(probe, launch, model, flight, "realtime", rate=0.01)
    probe.until(lambda: player.policy_messages, "an answer")
    assert not player.set("rate", 0.0).successful
    assert not player.set("mode", 1.0).successful
    refused = player.set("position_s", 1e6)
    assert (refused.successful, "position_s: expected 0 to" in refused.reason) == (False, True)
    slow = player.position_s()
    assert slow < 1.0
    player.pause(True)
    assert player.set("rate", 100.0).successful
    assert player.set("position_s", 2.0).successful
    assert player.position_s() == 2.0
    probe.spin(0.3)
    assert player.position_s() == 2.0
    player.step()
    (_, command), *_ = answers_offline(model, flight, 2_000 * MS)[0]
    assert player.policy()[-1][1].values == command
    player.pause(False)
    assert exit_status(player.process) == 0


def test_recorded_commands_are_published_without_waiting_for_a_graph(probe, launch, flight):
    received = {topics.COMMAND: [], topics.POLICY_COMMAND: []}
    for topic, messages in received.items():
        probe.node.create_subscription(TwistStamped, f"recorded/{topic}", messages.append, 2000)
    player = launch(
        "replay_node", bag=str(flight), mode="realtime", wait=False, paused=True, rate=2.0
    )
    for topic in received:
        probe.until(
            lambda topic=topic: probe.node.count_publishers(f"recorded/{topic}"), "a publisher"
        )
    probe.spin(0.5)
    probe.call(SetBool, "/replay_node/pause", SetBool.Request(data=False))
    probe.until(lambda: player.child.poll() is not None, "the end")
    assert player.child.returncode == 0
    bag = read_bag(flight)
    for topic, rows in (
        (topics.COMMAND, bag.commands),
        (topics.POLICY_COMMAND, bag.policy_commands),
    ):
        expected = dict(zip(rows.stamp_ns.tolist(), map(tuple, rows.values), strict=True))
        commands = [conversions.command_from(message) for message in received[topic]]
        assert len(commands) > 0.5 * len(expected)
        assert all(expected[stamp_ns] == command.values for command, stamp_ns in commands)


def test_a_signal_ends_a_replay_with_status_0(probe, launch, model, flight):
    player = ReplayedGraph(probe, launch, model, flight, "lockstep", loop=True)
    probe.until(lambda: len(player.policy_messages) > 5, "answers")
    sent_s = time.monotonic()
    player.process.child.send_signal(signal.SIGTERM)
    assert exit_status(player.process) == 0
    assert time.monotonic() - sent_s < 10.0


def test_a_graph_that_is_not_complete_is_reported_with_what_is_missing(launch, flight):
    text = error_line(
        launch("replay_node", bag=str(flight), start_timeout_s=1.0, use_sim_time=True)
    )
    assert "the graph is not complete, and there was no progress for 1 s" in text
    assert "1 s: perception_node is not there" in text
    assert "guard_node does not subscribe to /clock" in text


def test_a_guard_that_hangs_is_reported_with_its_topic(probe, launch, model, flight):
    common = {"mode": "lockstep", "use_sim_time": True}
    guard = launch("guard_node", **common)
    launch("policy_node", **common, model=str(model), autostart=True)
    answers = probe.listen(topics.POLICY_COMMAND, "lockstep")
    player = launch("replay_node", **common, bag=str(flight), loop=True, answer_timeout_s=1.0)
    probe.until(lambda: len(answers) > 3, "answers")
    guard.child.send_signal(signal.SIGSTOP)
    assert "no cmd_vel from guard_node for the awaited tick" in error_line(player)


BAD_PARAMETERS = [
    ({}, "expected a bag in the parameter bag, got nothing"),
    ({"bag": "/nowhere.mcap"}, "/nowhere.mcap"),
    ({"bag": "FLIGHT", "topic": ["camera=/other"]}, "camera=/other: no such topic"),
    ({"bag": "FLIGHT", "topic": ["camera"]}, "expected role=/name, got 'camera'"),
    ({"bag": "FLIGHT", "topics": ["moon"]}, "--topics moon: expected a file, or one of"),
    ({"bag": "FLIGHT", "start_s": 99.0}, "start_s: expected 0 to"),
    ({"bag": "FLIGHT", "rate": 1e9}, "replay_node: rate: expected double from 0.01"),
]


def test_a_replay_that_cannot_start_reports_why_in_one_line(flight):
    parameters = [
        bad | {"bag": str(flight)} if bad.get("bag") == "FLIGHT" else bad
        for bad, _ in BAD_PARAMETERS
    ]
    failures = failed_starts("replay_node", parameters)
    for (bad, message), (status, errors) in zip(BAD_PARAMETERS, failures, strict=True):
        assert (status, len(errors)) == (2, 1), bad
        assert message in errors[0]


def test_bad_bags_are_refused_before_any_process_starts(model, tmp_path):
    bag = tmp_path / "text.mcap"
    bag.write_bytes(b"no bag at all")
    with pytest.raises(BagError, match=r"text\.mcap"):
        replay_through_graph(ReplayPlan(bag, model, tmp_path / "out"))
    assert not (tmp_path / "out").exists()
