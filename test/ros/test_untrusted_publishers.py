"""A saboteur in the graph: second publishers, impossible values, a guard that is killed."""

import math
import os
import re
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import GetParameters, SetParameters

from liquid_control import topics
from liquid_control.config import CameraSettings
from liquid_control.graph import GraphPlan, fly_through_graph
from liquid_control.graph.processes import node_environment, start_process
from liquid_control.nodes import conversions
from liquid_control.types import HOVER, Command

from .conftest import SEED, exit_status

pytestmark = pytest.mark.ros

MODE = "realtime"
PERIOD_S = 0.05
DEADLINE_S = 60.0
SILENCE_S = 0.3
"""Longest time without a command after `kill -9` of the guard."""
LEASE_S = 5.0
"""DDS knows a process that was killed for so long, by `config/fastdds.xml`; 20 s by default."""

INTRUDER = """
import signal, sys, time
import numpy as np, rclpy
from rclpy.signals import SignalHandlerOptions
from liquid_control import topics
from liquid_control.config import CameraSettings
from liquid_control.nodes import conversions as c
from liquid_control.nodes.qos import CLASSES, profile
from liquid_control.types import Command
topic = sys.argv[1]
rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
node = rclpy.create_node("intruder")
publisher = node.create_publisher(CLASSES[topic], topic, profile(topic, "realtime"))
ended = []
signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
while not ended:
    now = time.time_ns()
    publisher.publish({
        topics.POLICY_COMMAND: lambda: c.command_message(Command(-4.0), now),
        topics.COMMAND: lambda: c.command_message(Command(-4.0), now),
        topics.FEATURES: lambda: c.features_message(np.full(34, -1.0, np.float32), now),
        topics.IMAGE: lambda: c.image_message(np.zeros((54, 96, 3), np.uint8), now),
        topics.CAMERA_INFO: lambda: c.camera_info_message(CameraSettings(), now),
        topics.IMU: lambda: c.imu_message((9.0, 9.0, 9.0), (0.0, 0.0, 9.81), now),
    }[topic]())
    time.sleep(0.02)
node.destroy_node()
rclpy.try_shutdown()
"""


@pytest.fixture
def intrude(launch, domain, tmp_path):
    """Return a function that starts a process which publishes a topic as `intruder`."""
    return lambda topic: start_intruder(launch, domain, tmp_path, topic)


def start_intruder(launch, domain, folder, topic: str):
    command = [sys.executable, "-c", INTRUDER, topic]
    log = folder / f"intruder-{len(launch.processes)}.log"
    launch.processes.append(start_process("intruder", command, node_environment(domain), log))
    return launch.processes[-1]


def until(probe, condition, description: str):
    """Spin until a condition holds; the graph is never idle here, so wall time counts."""
    deadline = time.monotonic() + DEADLINE_S

    def in_time():
        assert time.monotonic() < deadline, f"waited for {description} for {DEADLINE_S:g} s"
        return condition()

    return probe.until(in_time, description)


def end(process) -> None:
    process.child.send_signal(signal.SIGTERM)
    assert exit_status(process) == 0, process.log.read_text()


def lines(process, text: str) -> list[str]:
    return [line for line in process.log.read_text().splitlines() if text in line]


def until_logged(probe, process, text: str) -> None:
    """Wait for a line: the guard publishes a command before it logs the reason."""
    until(probe, lambda: lines(process, text), f"{text!r} in the log")


class Vehicle:
    """Camera, IMU and autopilot of a vehicle that perception, controller and guard fly."""

    def __init__(self, probe, launch, model) -> None:
        self.probe = probe
        self.image = np.random.default_rng(0).integers(0, 256, (54, 96, 3), dtype=np.uint8)
        self.rate = (0.0, 0.0, 0.0)
        self.sensors = (topics.IMU, topics.IMAGE, topics.CAMERA_INFO)
        for topic in self.sensors:
            probe.advertise(topic, MODE)
        self.commands = probe.listen(topics.COMMAND, MODE)
        self.diagnostics = probe.listen(topics.DIAGNOSTICS, MODE)
        common = {"mode": MODE, "model": str(model), "autostart": True}
        self.nodes = {
            topics.PERCEPTION: launch("perception_node", **common),
            topics.CONTROLLER: launch("controller_node", **common),
            topics.GUARD: launch("guard_node", mode=MODE),
        }
        until(probe, probe.matched, "perception")

    def fly(self) -> list[Command]:
        """Publish a frame; return the commands that arrived meanwhile."""
        before = len(self.commands)
        now_ns = time.time_ns()
        for back in range(9, -1, -1):
            stamp_ns = now_ns - back * 5_000_000
            sample = conversions.imu_message(self.rate, (0.0, 0.0, 9.81), stamp_ns)
            self.probe.publish(topics.IMU, sample)
        info = conversions.camera_info_message(CameraSettings(), now_ns)
        self.probe.publish(topics.CAMERA_INFO, info)
        self.probe.publish(topics.IMAGE, conversions.image_message(self.image, now_ns))
        self.probe.spin(PERIOD_S)
        return [conversions.command_from(message)[0] for _, message in self.commands[before:]]

    def until_flying(self) -> None:
        until(self.probe, lambda: any(one != HOVER for one in self.fly()), "a command")

    def until_hovering(self) -> None:
        """Fly until only hover has arrived for ten frames."""
        hovers = [0]

        def hovering() -> bool:
            hovers[0] = hovers[0] + 1 if set(self.fly()) == {HOVER} else 0
            return hovers[0] == 10

        until(self.probe, hovering, "hover")

    def until_logged(self, name: str, text: str) -> str:
        def find() -> list[str]:
            self.fly()
            return lines(self.nodes[name], text)

        return until(self.probe, find, f"{text!r} in the log of {name}")[0]

    def counts(self, name: str) -> Counter[str]:
        return self.probe.events(self.diagnostics, name)

    def status(self, name: str) -> tuple[bytes, str]:
        newest = [m.status[0] for _, m in self.diagnostics if m.status[0].name == name][-1]
        return newest.level, newest.message


@pytest.fixture
def vehicle(probe, launch, model):
    vehicle = Vehicle(probe, launch, model)
    vehicle.until_flying()
    return vehicle


SUBSCRIBERS = {
    topics.IMAGE: (topics.PERCEPTION, "/probe"),
    topics.CAMERA_INFO: (topics.PERCEPTION, "/probe"),
    topics.IMU: (topics.PERCEPTION, "/probe"),
    topics.FEATURES: (topics.CONTROLLER, "/perception_node"),
    topics.POLICY_COMMAND: (topics.GUARD, "/controller_node"),
}
FIRST_OF_NODE = (topics.IMAGE, topics.FEATURES, topics.POLICY_COMMAND)
"""Topics of which a second publisher is the first one that its subscriber counts."""


def refused(vehicle, name: str) -> int:
    return vehicle.counts(name)["message_of_second_publisher"]


def test_a_second_publisher_of_any_topic_makes_the_vehicle_hover_until_it_is_gone(
    vehicle, intrude
):
    for topic, (name, bound) in SUBSCRIBERS.items():
        counted = refused(vehicle, name)
        intruder = intrude(topic)
        reason = f"/{topic} is published by /intruder besides {bound}"
        line = vehicle.until_logged(name, reason)
        times = "once" if topic in FIRST_OF_NODE else r"\d times"
        assert re.search(rf"{reason}: no message is used \({times}\)$", line), line
        vehicle.until_hovering()
        until(
            vehicle.probe,
            lambda: vehicle.fly() and vehicle.status(name)[1] == reason,  # noqa: B023
            "the status",
        )
        assert vehicle.status(name)[0] == b"\x02"
        until(
            vehicle.probe,
            lambda: vehicle.fly() and refused(vehicle, name) > counted,  # noqa: B023
            "the count",
        )
        end(intruder)
        vehicle.until_logged(name, f"/{topic} is published by {bound} alone")
        vehicle.until_flying()
        assert len(lines(vehicle.nodes[name], reason)) == 1
    assert all(conversions.command_from(m)[0].forward_mps > -4.0 for _, m in vehicle.commands)


def test_the_command_of_a_second_publisher_is_never_flown(probe, launch, intrude):
    commands = probe.listen(topics.COMMAND, MODE)
    probe.advertise(topics.POLICY_COMMAND, MODE)
    guard = launch("guard_node", mode=MODE)
    until(probe, probe.matched, "the guard")

    def fly(seconds: float) -> None:
        for _ in range(round(seconds / PERIOD_S)):
            message = conversions.command_message(Command(1.0), time.time_ns())
            probe.publish(topics.POLICY_COMMAND, message)
            probe.spin(PERIOD_S)

    fly(1.0)
    assert conversions.command_from(commands[-1][1])[0] == Command(1.0)
    intruder = intrude(topics.POLICY_COMMAND)
    until(probe, lambda: fly(0.1) or lines(guard, "/intruder"), "the announcement")
    fly(1.0)
    assert conversions.command_from(commands[-1][1])[0] == HOVER
    end(intruder)
    until(
        probe,
        lambda: fly(0.1) or conversions.command_from(commands[-1][1])[0] == Command(1.0),
        "the command",
    )
    speeds = {conversions.command_from(message)[0].forward_mps for _, message in commands}
    assert min(speeds) == 0.0
    assert max(speeds) == 1.0


@pytest.mark.parametrize("second", ["accept", "hover"])
def test_a_parameter_chooses_whether_a_second_publisher_is_accepted(
    probe, launch, intrude, second
):
    commands = probe.listen(topics.COMMAND, MODE)
    probe.advertise(topics.POLICY_COMMAND, MODE)
    guard = launch("guard_node", mode=MODE, second_publisher=second)
    until(probe, probe.matched, "the guard")
    intrude(topics.POLICY_COMMAND)
    until(probe, lambda: lines(guard, "/intruder"), "the announcement")
    probe.spin(1.0)
    backwards = conversions.command_from(commands[-1][1])[0] == Command(-4.0)
    assert backwards == (second == "accept")


def test_a_node_of_another_name_than_the_expected_one_is_refused(probe, launch, intrude):
    commands = probe.listen(topics.COMMAND, MODE)
    expected = [f"{topics.POLICY_COMMAND}=controller_node"]
    guard = launch("guard_node", mode=MODE, publishers=expected)
    intrude(topics.POLICY_COMMAND)
    text = "/policy/cmd_vel is published by /intruder, not by controller_node: no message is used"
    until(probe, lambda: lines(guard, text), "the announcement")
    until(probe, lambda: len(commands) > 20, "the guard's commands")
    assert {conversions.command_from(message)[0] for _, message in commands} == {HOVER}


def test_a_restarted_publisher_is_bound_again(probe, launch, intrude):
    commands = probe.listen(topics.COMMAND, MODE)
    guard = launch("guard_node", mode=MODE)
    newest = lambda: commands and conversions.command_from(commands[-1][1])[0]  # noqa: E731
    for _ in range(2):
        intruder = intrude(topics.POLICY_COMMAND)
        until(probe, lambda: newest() == Command(-4.0), "the command")
        end(intruder)
        until(probe, lambda: newest() == HOVER, "hover")
    assert not lines(guard, "is published by")


def test_a_publisher_that_was_killed_is_forgotten_when_its_lease_ends(probe, launch, intrude):
    commands = probe.listen(topics.COMMAND, MODE)
    guard = launch("guard_node", mode=MODE)
    newest = lambda: commands and conversions.command_from(commands[-1][1])[0]  # noqa: E731
    first = intrude(topics.POLICY_COMMAND)
    until(probe, lambda: newest() == Command(-4.0), "the command")
    intrude(topics.POLICY_COMMAND)
    until(probe, lambda: lines(guard, "/intruder besides /intruder"), "the second publisher")
    first.child.kill()
    killed_s = time.monotonic()
    until(probe, lambda: lines(guard, "is published by /intruder alone"), "the end of the lease")
    assert time.monotonic() - killed_s < 2.5 * LEASE_S
    until(probe, lambda: newest() == Command(-4.0), "the command")


def test_a_second_publisher_of_cmd_vel_is_an_error_with_both_names(vehicle, intrude):
    intrude(topics.COMMAND)
    line = vehicle.until_logged(topics.GUARD, "/cmd_vel is published by /intruder besides /guard")
    assert "[ERROR]" in line
    assert line.endswith("/cmd_vel is published by /intruder besides /guard_node (once)")
    reason = (b"\x02", "/cmd_vel is published by /intruder besides /guard_node")
    until(
        vehicle.probe,
        lambda: vehicle.fly() and vehicle.status(topics.GUARD) == reason,
        "the status",
    )
    assert len(lines(vehicle.nodes[topics.GUARD], "/intruder")) == 1


def test_an_impossible_rotation_makes_the_vehicle_hover_and_is_named(vehicle):
    vehicle.rate = (0.0, 1e30, 0.0)
    vehicle.until_hovering()
    line = vehicle.until_logged(topics.PERCEPTION, "angular velocity")
    text = (
        "frame refused, hovering: expected an IMU angular velocity of at most 40 rad/s, "
        "got 1e+30 rad/s on y"
    )
    assert text in line
    vehicle.rate = (0.0, 0.0, 0.0)
    vehicle.until_flying()
    until(
        vehicle.probe,
        lambda: vehicle.fly() and vehicle.counts(topics.PERCEPTION)["observation_refused"] >= 10,
        "the count",
    )


def test_impossible_features_are_answered_with_hover_and_named(probe, launch, model):
    probe.advertise(topics.FEATURES, MODE)
    received = probe.listen(topics.POLICY_COMMAND, MODE)
    controller = launch("controller_node", mode=MODE, model=str(model), autostart=True)
    until(probe, probe.matched, "the controller")

    def answer(value: float) -> Command:
        before = len(received)

        def publish() -> bool:
            features = np.full(34, 0.5, np.float32)
            features[3] = value
            message = conversions.features_message(features, time.time_ns())
            probe.publish(topics.FEATURES, message)
            probe.spin(PERIOD_S)
            return len(received) > before

        until(probe, publish, "an answer")
        return conversions.command_from(received[-1][1])[0]

    assert answer(-1.0) != HOVER
    for value in (1e30, -2.0, math.inf):
        assert answer(value) == HOVER
        text = f"features of the picture of at most 1, got {value:g}"
        if value == 1e30:
            until_logged(probe, controller, f"features refused, hovering: expected {text} (once)")
    assert answer(1.0) != HOVER


def test_impossible_commands_are_refused_not_clamped(probe, launch):
    commands = probe.listen(topics.COMMAND, "lockstep")
    probe.advertise(topics.POLICY_COMMAND, "lockstep")
    guard = launch("guard_node", mode="lockstep", use_sim_time=True)
    until(probe, probe.matched, "the guard")
    values = [Command(1.0), Command(1e300), Command(1.0, 0.0, 0.0, -1e300), Command(1.0, math.nan)]
    for number, command in enumerate(values):
        stamp_ns = (number + 1) * 1_000_000_000
        message = conversions.command_message(command, stamp_ns)
        probe.publish(topics.POLICY_COMMAND, message)
        until(probe, lambda number=number: len(commands) == number + 1, "an answer")
    answers = [conversions.command_from(message)[0] for _, message in commands]
    assert answers == [Command(1.0), HOVER, HOVER, HOVER]
    impossible = "a command is impossible, forward 1e+300 m/s where 100 m/s is the limit: hovering"
    until_logged(probe, guard, f"{impossible} (once)")
    until_logged(probe, guard, "a command is not finite (1.0, nan, 0.0, 0.0): hovering (once)")


def test_missing_commands_are_logged_in_a_sentence_with_seconds(probe, launch):
    probe.advertise(topics.POLICY_COMMAND, MODE)
    guard = launch("guard_node", mode=MODE)
    received = probe.listen(topics.COMMAND, MODE)
    until(probe, probe.matched, "the guard")

    def flown() -> bool:
        """A busy machine can deliver a command so late that the guard refuses it."""
        command = conversions.command_message(Command(1.0), time.time_ns())
        probe.publish(topics.POLICY_COMMAND, command)
        probe.spin(PERIOD_S)
        return any(conversions.command_from(message)[0] != HOVER for _, message in received)

    until(probe, flown, "a command")
    until_logged(probe, guard, "no command for 0.15 s: hovering (")


class Pair:
    """A guard, its standby, and a probe that commands and receives."""

    def __init__(self, probe, launch) -> None:
        self.probe = probe
        self.received = probe.listen(topics.COMMAND, MODE)
        self.diagnostics = probe.listen(topics.DIAGNOSTICS, MODE)
        self.command = Command(1.0)
        probe.advertise(topics.POLICY_COMMAND, MODE)
        self.guard = launch("guard_node", mode=MODE, pair="first")
        self.standby = launch("guard_standby", mode=MODE, pair="standby")
        count = probe.node.count_subscribers
        until(probe, lambda: count(topics.POLICY_COMMAND) == 2, "both guards")

    def fly(self, seconds: float) -> None:
        for _ in range(round(seconds / PERIOD_S)):
            message = conversions.command_message(self.command, time.time_ns())
            self.probe.publish(topics.POLICY_COMMAND, message)
            self.probe.spin(PERIOD_S)

    def newest(self) -> Command | None:
        return conversions.command_from(self.received[-1][1])[0] if self.received else None

    def state(self, name: str) -> str:
        found = [m.status[0].message for _, m in self.diagnostics if m.status[0].name == name]
        return found[-1] if found else ""

    def silence_s(self, first: int) -> float:
        """Return the longest time between two commands, beginning with one of `received`, s."""
        times = [arrival_s for arrival_s, _ in self.received[first:]]
        return max(b - a for a, b in pairwise(times))

    def kill_guard(self) -> tuple[float, float]:
        """Kill the guard that publishes; return the longest silences after and before it, s."""
        before = len(self.received)
        self.fly(2.0)
        killed = len(self.received) - 1
        undisturbed_s = self.silence_s(before)
        self.guard.child.send_signal(signal.SIGKILL)
        self.fly(2.0)
        return self.silence_s(killed), undisturbed_s

    def assert_replaced_in_time(self) -> None:
        """Kill the guard; a busy machine also delays the commands of a guard that lives."""
        silence_s, undisturbed_s = self.kill_guard()
        assert silence_s < SILENCE_S + max(0.0, undisturbed_s - PERIOD_S)


@pytest.fixture
def pair(probe, launch):
    pair = Pair(probe, launch)
    until(probe, lambda: pair.fly(0.1) or pair.newest() == Command(1.0), "the command")
    pair.fly(1.0)
    return pair


def test_only_one_guard_of_a_pair_publishes(pair):
    before = len(pair.received)
    pair.fly(2.0)
    stamps = [conversions.command_from(message)[1] for _, message in pair.received[before:]]
    assert 2.0 / 0.025 * 0.7 < len(stamps) < (2.0 / 0.025 + 2.0 / PERIOD_S) * 1.2
    assert stamps == sorted(stamps)
    assert not lines(pair.guard, "[ERROR]")
    assert not lines(pair.standby, "cmd_vel")


def test_after_kill_9_of_the_guard_its_standby_publishes_within_0_3_s(pair, launch):
    pair.assert_replaced_in_time()
    assert pair.newest() == Command(1.0)
    text = (
        f"the guard of process {pair.guard.child.pid} has ended: guard_standby publishes /cmd_vel"
    )
    until_logged(pair.probe, pair.standby, text)
    respawned = launch("guard_node", mode=MODE, pair="first")
    state = f"standby of process {pair.standby.child.pid}"
    until(pair.probe, lambda: pair.fly(0.1) or pair.state(topics.GUARD) == state, "its state")
    pair.fly(1.0)
    first = pair.guard = pair.standby
    pair.assert_replaced_in_time()
    assert pair.newest() == Command(1.0)
    text = f"the guard of process {first.child.pid} has ended: guard_node publishes"
    until_logged(pair.probe, respawned, text)
    assert not lines(respawned, "[ERROR]")


def test_a_standby_has_the_limits_that_were_changed_in_flight(pair):
    value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=0.4)
    request = SetParameters.Request(parameters=[Parameter(name="max_forward_mps", value=value)])
    set_service = "/guard_node/set_parameters"
    assert pair.probe.call(SetParameters, set_service, request).results[0].successful
    query = GetParameters.Request(names=["max_forward_mps"])

    def copied() -> bool:
        pair.fly(0.1)
        response = pair.probe.call(GetParameters, "/guard_standby/get_parameters", query)
        return response.values[0].double_value == 0.4

    until(pair.probe, copied, "the limit of the standby")
    pair.assert_replaced_in_time()
    assert pair.newest() == Command(0.4)


def process_of(module: str) -> int:
    """Return the child of this process that runs a module."""
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and module in (path / "cmdline").read_text().split("\0"):
                return int(path.name)
    raise AssertionError(f"no process runs {module}")


@pytest.mark.parametrize("mode", ["lockstep", "realtime"])
def test_a_flight_of_the_graph_goes_on_after_kill_9_of_its_guard(model, tmp_path, mode):
    killed = []

    def kill_once(event) -> None:
        if event["event"] == "progress" and event["time_s"] > 1.0 and not killed:
            killed.append(process_of("liquid_control.nodes.guard_node"))
            os.kill(killed[0], signal.SIGKILL)

    plan = GraphPlan(
        "trail", SEED, model, tmp_path, ("time_limit_s=4",), mode, record=False, standby=True
    )
    flight = fly_through_graph(plan, kill_once)
    assert len(killed) == 1
    assert flight.result.duration_s > 1.5
    (line,) = flight.replaced
    assert line.startswith("guard_node ended with status -9")


def test_a_flight_in_real_time_has_a_standby_and_one_in_lockstep_has_none(model, tmp_path):
    plans = {
        mode: GraphPlan("trail", SEED, model, tmp_path, mode=mode).nodes
        for mode in ("lockstep", "realtime")
    }
    timeout = {"timeout_s": 0.15}
    assert plans["realtime"]["guard_node"] == {"pair": "first", **timeout}
    assert plans["realtime"]["guard_standby"] == {"pair": "standby", **timeout}
    assert plans["lockstep"]["guard_node"] == timeout
    assert "guard_standby" not in plans["lockstep"]
