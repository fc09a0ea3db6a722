import math
import time

import pytest
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import DescribeParameters, SetParameters

from liquid_control import topics
from liquid_control.config import project_file
from liquid_control.nodes import conversions
from liquid_control.types import HOVER, Command

from .conftest import failed_starts

pytestmark = pytest.mark.ros

MS = 1_000_000
TIMEOUT_S = 0.15
TOLERANCE_S = 0.15
"""Two processes must run for a hover to arrive, and a busy machine delays them."""


@pytest.fixture
def guarded(probe, launch):
    """Return a function that starts a guard and returns the growing list of its commands."""

    def make(mode: str, **parameters):
        received = probe.listen(topics.COMMAND, mode)
        probe.advertise(topics.POLICY_COMMAND, mode)
        if mode == "lockstep":
            probe.advertise(topics.CLOCK, mode)
            parameters["use_sim_time"] = True
        launch("guard_node", mode=mode, **parameters)
        probe.until(probe.matched, "the guard")
        return received

    return make


def publish(probe, command: Command, stamp_ns: int) -> None:
    probe.publish(topics.POLICY_COMMAND, conversions.command_message(command, stamp_ns))


def answers(received) -> list[tuple[int, Command]]:
    parsed = [conversions.command_from(message) for _, message in received]
    return [(stamp_ns, command) for command, stamp_ns in parsed]


def test_in_real_time_hover_is_out_within_150_ms_of_the_last_fresh_command(probe, guarded):
    received = guarded("realtime")
    probe.until(lambda: received, "the guard's first hover")
    for _ in range(10):
        stamp_ns = time.time_ns()
        publish(probe, Command(1.0), stamp_ns)
        probe.spin(0.05)
    probe.until(lambda: answers(received)[-1][1] == HOVER, "hover")
    moving = max(i for i, (_, command) in enumerate(answers(received)) if command != HOVER)
    arrival_s, _ = received[moving + 1]
    hover_ns, command = answers(received)[moving + 1]
    assert command == HOVER
    assert answers(received)[moving][0] == stamp_ns
    assert (hover_ns - stamp_ns) * 1e-9 < TIMEOUT_S + TOLERANCE_S
    assert 0.1 < arrival_s - stamp_ns * 1e-9 < TIMEOUT_S + TOLERANCE_S


def test_in_simulated_time_hover_is_out_at_the_last_poll_within_150_ms(probe, guarded):
    received = guarded("lockstep")
    publish(probe, Command(1.0), 50 * MS)
    probe.until(lambda: received, "the answer to the command")
    for now_ms in range(50, 300, 25):
        before = len(received)
        probe.publish(topics.CLOCK, conversions.clock_message(now_ms * MS))
        if now_ms > 50:
            probe.until(lambda before=before: len(received) > before, f"an answer to {now_ms} ms")
    assert answers(received) == [
        (stamp_ms * MS, Command(1.0) if stamp_ms < 200 else HOVER)
        for stamp_ms in range(50, 300, 25)
    ]


def test_nan_becomes_hover_at_once_and_is_counted(probe, guarded):
    received = guarded("lockstep")
    diagnostics = probe.listen(topics.DIAGNOSTICS, "lockstep")
    publish(probe, Command(1.0), 50 * MS)
    publish(probe, Command(1.0, math.nan), 100 * MS)
    probe.until(lambda: len(received) == 2, "two answers")
    assert answers(received) == [(50 * MS, Command(1.0)), (100 * MS, HOVER)]
    probe.until(
        lambda: probe.events(diagnostics, "guard_node").get("not_finite") == 1, "the event"
    )


def test_stamps_that_go_back_or_jump_ahead_are_dropped_and_counted(probe, guarded):
    received = guarded("realtime")
    diagnostics = probe.listen(topics.DIAGNOSTICS, "realtime")
    probe.until(lambda: received, "the guard's first hover")
    now_ns = time.time_ns()
    publish(probe, Command(1.0), now_ns)
    publish(probe, Command(2.0), now_ns - 10 * MS)
    publish(probe, Command(3.0), now_ns + 3_600_000 * MS)
    probe.until(
        lambda: probe.events(diagnostics, "guard_node").get("stamp_ahead") == 1, "the event"
    )
    assert probe.events(diagnostics, "guard_node")["stamp_backwards"] == 1
    assert {command for _, command in answers(received)} <= {HOVER, Command(1.0)}


def set_parameter(probe, name: str, value: float):
    value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=value)
    request = SetParameters.Request(parameters=[Parameter(name=name, value=value)])
    return probe.call(SetParameters, "/guard_node/set_parameters", request).results[0]


def test_parameters_are_described_and_held_to_their_range(probe, guarded):
    received = guarded("lockstep")
    request = DescribeParameters.Request(names=["max_forward_mps", "period_s", "mode"])
    forward, period, mode = probe.call(
        DescribeParameters, "/guard_node/describe_parameters", request
    ).descriptors
    assert forward.description == "forward and backward speed, m/s"
    assert forward.floating_point_range[0].to_value == 20.0
    assert (forward.read_only, period.read_only) == (False, True)
    assert mode.additional_constraints == "one of: lockstep, realtime"

    refused = set_parameter(probe, "max_forward_mps", 99.0)
    assert not refused.successful
    assert set_parameter(probe, "period_s", 0.05).successful is False
    assert set_parameter(probe, "max_forward_mps", 0.5).successful
    publish(probe, Command(2.0), 50 * MS)
    probe.until(lambda: received, "the answer")
    assert answers(received)[0][1] == Command(0.5)


def test_the_parameter_file_reaches_the_node(probe, guarded, tmp_path):
    text = project_file("config/nodes/guard.yaml").read_text()
    (tmp_path / "guard.yaml").write_text(text.replace("mps: 4.0 ", "mps: 0.7 "))
    received = guarded("lockstep", file=tmp_path / "guard.yaml")
    publish(probe, Command(2.0), 50 * MS)
    probe.until(lambda: received, "the answer")
    assert answers(received)[0][1] == Command(0.7)


BAD_PARAMETERS = [
    ({"timeout_s": 9.0}, "guard_node: timeout_s: expected double from 0.02 to 2.0"),
    ({"max_up_mps": "fast"}, "guard_node: max_up_mps: expected double from 0.0 to 10.0"),
    (
        {"publishers": ["/policy/cmd_vel=controller_node"]},
        "publishers: expected topic=node, topic of policy/cmd_vel, clock, got '/policy/cmd_vel=",
    ),
    ({"second_publisher": "first"}, "second_publisher: input should be 'hover', 'same_name' or"),
    ({"mode": "slow"}, "guard_node: mode: input should be 'lockstep' or 'realtime'"),
    (
        {"fence_corner": [0.0, 0.0, 9.0, 0.0, 9.0, 9.0]},
        "guard_node: unknown parameter fence_corner; did you mean fence_corners",
    ),
]


def test_an_invalid_parameter_ends_the_start_with_one_line():
    failures = failed_starts("guard_node", [bad for bad, _ in BAD_PARAMETERS])
    for (bad, message), (status, errors) in zip(BAD_PARAMETERS, failures, strict=True):
        assert (status, len(errors)) == (2, 1), bad
        assert message in errors[0]


def test_parameters_of_other_nodes_in_a_section_for_all_are_none_of_the_guard(probe, launch):
    received = probe.listen(topics.COMMAND, "realtime")
    others = {"link": "udpin://127.0.0.1:1", "camera_timeout_s": 0.5, "use_sim_time": False}
    launch("guard_node", mode="realtime", **others)
    probe.until(lambda: received, "hover")
