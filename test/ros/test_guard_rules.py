"""Rules of the guard in the graph: equal to flights in process and replays, and in real time."""

import json
import math
import time

import numpy as np
import pytest
from nav_msgs.msg import Odometry
from sensor_msgs.msg import BatteryState

from liquid_control import topics
from liquid_control.autopilots import AutopilotStatus, Firmware
from liquid_control.bags import read_bag
from liquid_control.cli.main import main
from liquid_control.command import ChangeWatch, Guard, GuardEvent, GuardRules, PoseReading
from liquid_control.config import load_scenario, parse_settings
from liquid_control.evaluation import load_record
from liquid_control.graph import GraphPlan, fly_through_graph
from liquid_control.nodes import conversions
from liquid_control.nodes.guard_inputs import autopilot_message, pose_from
from liquid_control.policy import Policy, PolicyPilot, load_model
from liquid_control.types import HOVER, Command, VehicleState
from liquid_control_sim.flight import as_odometry, fly

from .conftest import SEED, failed_starts

pytestmark = pytest.mark.ros

OVERRIDES = (
    "time_limit_s=3",
    "camera.rate_hz=30",
    "camera.drop_rate=0.5",
    "range.enabled=true",
)
RULES = GuardRules(
    fence_corners=[-4.0, -30.0, 2.5, -30.0, 2.5, 30.0, -4.0, 30.0],
    fence_floor_m=0.0,
    fence_margin_m=0.5,
    min_ground_m=0.3,
    camera_max_age_s=0.1,
    imu_max_age_s=0.1,
    odometry_max_age_s=0.1,
    picture_min_brightness=1.0,
    picture_max_repeats=50,
)


def test_a_flight_with_rules_equals_the_one_in_process_and_its_replay(model, tmp_path, capsys):
    plan = GraphPlan("trail", SEED, model, tmp_path / "graph", OVERRIDES, rules=RULES)
    flight = fly_through_graph(plan)
    scenario = load_scenario("trail", parse_settings(OVERRIDES))
    pilot = PolicyPilot(Policy(load_model(model)))
    watch, changes = ChangeWatch(), []

    def keep_change(tick):
        change = watch.change(tick.stamp_ns, tick.acting)
        if change is not None:
            changes.append(change)

    expected, record = (
        fly(scenario, SEED, pilot, keep_change, guard=Guard(rules=RULES)),
        load_record(flight.record),
    )
    free = fly(scenario, SEED, PolicyPilot(Policy(load_model(model))))
    np.testing.assert_array_equal(record.command, expected.command)
    np.testing.assert_array_equal(record.position, expected.position)
    assert not np.array_equal(expected.command, free.command)
    assert expected.position[:, 0].max() < 2.5
    flown = read_bag(flight.bag).guard
    assert list(flown) == changes
    acted = {one.event for _, acting in flown for one in acting}
    assert {GuardEvent.FENCE_NEAR, GuardEvent.CAMERA_STALE} <= acted

    options = ["--model", str(model), "--out", str(tmp_path / "replay")]
    assert main(["replay", str(flight.bag), *options]) == 0
    document = json.loads((tmp_path / "replay" / "replay.json").read_text())
    assert document["identical"] is True, document["first_difference"]
    assert "guarded" in document["identical_parts"]
    events = document["guard"]["events"]
    assert events["fence_near"] > 0
    assert events["camera_stale"] > 0

    options = ["--model", str(model), "--out", str(tmp_path / "live"), "--live"]
    assert main(["replay", str(flight.bag), *options]) == 0
    assert "are those of the offline replay, bit for bit" in capsys.readouterr().out


@pytest.fixture
def guarded(probe, launch):
    """Return a function that starts a guard with rules; it returns the growing commands."""

    def make(*inputs: str, **rules):
        received = probe.listen(topics.COMMAND, "realtime")
        for topic in (topics.POLICY_COMMAND, *inputs):
            probe.advertise(topic, "realtime")
        launch("guard_node", mode="realtime", **rules)
        probe.until(probe.matched, "the guard")
        probe.until(lambda: received, "the guard's first hover")
        return received

    return make


def odometry(x: float, stamp_ns: int) -> Odometry:
    message = Odometry()
    message.header.stamp = conversions.time_message(stamp_ns)
    message.pose.pose.position.x = x
    message.pose.pose.orientation.w = 1.0
    return message


def test_odometry_gives_the_pose_of_a_flight_in_process_bit_for_bit():
    generator = np.random.default_rng(3)
    for _ in range(50):
        quaternion = generator.normal(size=4)
        quaternion /= np.linalg.norm(quaternion)
        position, velocity = generator.normal(size=3), generator.normal(size=3)
        truth = VehicleState(position, quaternion, velocity, np.zeros(3))
        message = conversions.odometry_message(truth, 7)
        assert pose_from(message) == PoseReading.of(7, as_odometry(truth))
    message.twist.twist.linear.y = math.nan
    assert pose_from(message).velocity is None


def newest(received) -> tuple[Command, int]:
    return conversions.command_from(received[-1][1])


def until(probe, received, command: Command, step) -> None:
    """Call a function every 30 ms until the guard's newest command is the given one."""

    def arrived() -> bool:
        step(time.time_ns())
        probe.spin(0.03)
        return newest(received)[0] == command

    probe.until(arrived, f"{command}")


FENCE = [-10.0, -10.0, 10.0, -10.0, 10.0, 10.0, -10.0, 10.0]


def test_outside_of_the_fence_the_guard_lands_until_the_pilot_takes_over(probe, guarded):
    received = guarded(
        topics.ODOM, topics.AUTOPILOT, fence_corners=FENCE, fence_action="land", land_speed_mps=0.3
    )
    diagnostics = probe.listen(topics.DIAGNOSTICS, "realtime")
    flying, landing = Command(0.5), Command(up_mps=-0.3)

    def at(x: float, obeys: bool = True):
        def step(now_ns: int) -> None:
            status = AutopilotStatus(Firmware.PX4, 1, "OFFBOARD", obeys, True)
            probe.publish(
                topics.AUTOPILOT, autopilot_message(topics.MAVLINK, status, True, now_ns)
            )
            probe.publish(topics.ODOM, odometry(x, now_ns))
            command = conversions.command_message(flying, now_ns)
            probe.publish(topics.POLICY_COMMAND, command)

        return step

    until(probe, received, flying, at(0.0))
    until(probe, received, landing, at(10.5))
    sent_ns = time.time_ns()
    until(probe, received, landing, lambda now_ns: None)
    probe.spin(0.3)
    command, stamp_ns = newest(received)
    assert command == landing
    assert stamp_ns > sent_ns + 100_000_000
    probe.until(
        lambda: (
            probe.events(diagnostics, "guard_node").get("action") == 4
            and probe.events(diagnostics, "guard_node")["fence_left"] >= 1
        ),
        "diagnostics",
    )
    status = [m.status[0] for _, m in diagnostics if m.status[0].name == "guard_node"][-1]
    assert status.level == b"\x02"
    assert status.message.startswith("the vehicle is outside of the fence")
    until(probe, received, landing, at(0.0))
    # The pilot has taken over: what the policy commands afterwards is passed on again.
    until(probe, received, flying, at(0.0, obeys=False))


def test_without_odometry_a_fence_means_hover_and_a_second_publisher_is_no_odometry(
    probe, guarded, launch
):
    received = guarded(topics.ODOM, fence_corners=FENCE)

    def step(now_ns: int) -> None:
        message = conversions.command_message(Command(0.5), now_ns)
        probe.publish(topics.POLICY_COMMAND, message)

    for _ in range(10):
        step(time.time_ns())
        probe.spin(0.03)
    assert {conversions.command_from(message)[0] for _, message in received} == {HOVER}

    def known(now_ns: int) -> None:
        probe.publish(topics.ODOM, odometry(0.0, now_ns))
        step(now_ns)

    until(probe, received, Command(0.5), known)
    other = probe.node.create_publisher(Odometry, topics.ODOM, 10)
    until(probe, received, HOVER, known)
    probe.node.destroy_publisher(other)


def test_handed_back_the_guard_publishes_hover_once_and_is_silent(probe, guarded):
    received = guarded(topics.BATTERY, min_battery=0.3, battery_action="hand_back")

    def step(charge: float):
        def publish(now_ns: int) -> None:
            probe.publish(topics.BATTERY, BatteryState(percentage=charge))
            message = conversions.command_message(Command(0.5), now_ns)
            probe.publish(topics.POLICY_COMMAND, message)

        return publish

    until(probe, received, Command(0.5), step(0.9))
    until(probe, received, HOVER, step(0.2))
    probe.spin(0.2)
    number = len(received)
    for _ in range(10):
        step(0.9)(time.time_ns())
        probe.spin(0.03)
    assert len(received) == number
    assert newest(received)[0] == HOVER


def test_a_fence_that_is_none_ends_the_start_with_one_line():
    bad = [
        {"fence_corners": [0.0, 0.0, 5.0, 5.0]},
        {"fence_corners": [0.0, 0.0, 9.0, 9.0, 9.0, 0.0, 0.0, 9.0]},
        {"min_battery": 20.0},
    ]
    failures = failed_starts("guard_node", bad)
    assert [(status, len(lines)) for status, lines in failures] == [(2, 1)] * 3
    first, second, third = (lines[0] for _, lines in failures)
    assert "guard_node: expected a fence of 3 to 100 corners, got 2 corners" in first
    assert "guard_node: the fence crosses itself: its edges 1 and 3 meet" in second
    assert "guard_node: min_battery: expected double from 0.0 to 1.0" in third
