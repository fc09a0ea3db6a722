"""Rules of a bridge over ROS topics: which autopilot, which set-point when, and what is news."""

import math

import pytest

from liquid_control.autopilots import ArmCheck, AutopilotStatus, Firmware, LinkEvent, SetpointRules
from liquid_control.autopilots.bridge_session import BridgeRules, BridgeSession
from liquid_control.autopilots.mavros_topics import frame_problem
from liquid_control.autopilots.px4_topics import (
    ODOMETRY,
    SETPOINT,
    STATUS,
    format_hash,
    format_problem,
    version_problem,
)
from liquid_control.types import HOVER, Command

pytestmark = pytest.mark.unit

MS = 1_000_000
FLY = Command(1.0, 0.5, 0.25, 0.125)
CHECK = ArmCheck(False, ("no GPS",))


def px4(system: int = 1, mode: str = "OFFBOARD", armed: bool = True) -> AutopilotStatus:
    return AutopilotStatus(Firmware.PX4, system, mode, mode == "OFFBOARD", armed)


class Clock:
    """A session whose time the test advances, with a status every 100 ms."""

    def __init__(self, *states: AutopilotStatus, **rules) -> None:
        self.session = BridgeSession(BridgeRules(**rules))
        self.states, self.now_ns = states, 0
        self.sent: list[tuple[int, Command]] = []
        self.news: list[tuple[LinkEvent, str]] = []

    def run(self, seconds: float, command: Command | None = None, heading=None) -> None:
        for _ in range(round(seconds * 100)):
            self.now_ns += 10 * MS
            if self.now_ns % (100 * MS) == 0:
                for state in self.states:
                    self.session.status(state, self.now_ns, CHECK)
            if heading is not None:
                self.session.heading(heading, self.now_ns)
            if command is not None:
                self.session.command(command, self.now_ns, 0, self.now_ns)
            if (setpoint := self.session.poll(self.now_ns)) is not None:
                self.sent.append((self.now_ns, setpoint[0]))
            self.news += self.session.notices()

    def texts(self, event: LinkEvent) -> list[str]:
        return [text for one, text in self.news if one is event]


def test_nothing_is_sent_before_the_autopilot_is_known():
    clock = Clock(px4())
    clock.run(1.4, FLY)
    assert clock.sent == []
    assert clock.session.state is None
    clock.run(0.4, FLY)
    assert clock.sent[-1][1] == FLY
    assert clock.texts(LinkEvent.CONNECTED) == ["PX4 (system 1), OFFBOARD, armed"]


def test_zero_velocity_follows_150_ms_after_the_last_command_at_most():
    clock = Clock(px4())
    clock.run(2.0, FLY)
    last_ns = clock.now_ns
    clock.run(1.0)
    moving = [at for at, command in clock.sent if command == FLY]
    assert max(moving) <= last_ns + 140 * MS
    hover = [at for at, command in clock.sent if at > last_ns and command == HOVER]
    assert hover[0] <= last_ns + 150 * MS
    assert len(hover) >= 15  # 20 Hz go on
    assert clock.texts(LinkEvent.STALE) == ["hovering: no fresh command"]


def test_stop_ends_the_setpoints():
    clock = Clock(px4(), setpoints=SetpointRules(on_stale="stop"))
    clock.run(2.0, FLY)
    last_ns = clock.now_ns
    clock.run(1.0)
    after = [command for at, command in clock.sent if at > last_ns + 130 * MS]
    assert after == [HOVER]
    assert clock.session.last() is None


def test_without_a_heading_the_velocity_is_zero():
    clock = Clock(px4(), needs_heading=True)
    clock.run(2.0, FLY)
    assert {command for _, command in clock.sent} == {HOVER}
    assert clock.texts(LinkEvent.HOVERING) == ["no heading of the vehicle within 0.5 s: hovering"]
    clock.run(0.2, FLY, heading=0.5)
    assert clock.sent[-1][1] == FLY
    assert clock.session.poll(clock.now_ns + 100 * MS)[1] == 0.5
    clock.run(0.6, FLY)
    assert clock.sent[-1][1] == HOVER


def test_a_problem_of_the_bridge_means_zero_velocity_and_one_line():
    clock = Clock(px4())
    clock.session.problem = "another frame"
    clock.run(3.0, FLY)
    assert {command for _, command in clock.sent} == {HOVER}
    assert clock.texts(LinkEvent.HOVERING) == ["another frame: hovering"]
    assert math.isnan(clock.session.poll(clock.now_ns + 100 * MS)[1])


def test_with_a_mismatch_nothing_is_sent():
    clock = Clock(px4())
    clock.session.mismatch = "other fields"
    clock.run(3.0, FLY)
    assert clock.sent == []
    assert clock.session.last() is None


def test_another_system_id_is_refused():
    clock = Clock(px4(system=7), target_system=1)
    clock.run(3.0, FLY)
    assert clock.session.refusal == "expected the autopilot with system id 1, found system 7"
    assert clock.sent == []


def test_two_autopilots_on_one_set_of_topics_are_refused():
    clock = Clock(px4(1), px4(2), separation="give each a namespace")
    clock.run(3.0, FLY)
    expected = "2 autopilots on the link, system 1 and system 2: give each a namespace"
    assert (clock.session.refusal, clock.sent) == (expected, [])


def test_a_second_autopilot_in_flight_means_hover_until_it_is_gone():
    clock = Clock(px4(1))
    clock.run(2.0, FLY)
    clock.states = (px4(1), px4(2))
    clock.run(0.3, FLY)
    assert clock.sent[-1][1] == HOVER
    assert len(clock.texts(LinkEvent.HOVERING)) == 1
    clock.states = (px4(1),)
    clock.run(3.5, FLY)
    assert clock.sent[-1][1] == FLY


def test_the_pilot_takes_over_and_the_link_is_lost_and_found():
    clock = Clock(px4())
    clock.run(2.0)
    clock.states = (px4(mode="POSCTL"),)
    clock.run(0.2)
    assert clock.texts(LinkEvent.MODE_CHANGED) == [
        "PX4 (system 1), POSCTL, armed: the pilot has control, set-points need OFFBOARD"
    ]
    clock.states = ()
    clock.run(4.0)
    assert not clock.session.health(clock.now_ns).connected
    assert len(clock.texts(LinkEvent.HEARTBEAT_LOST)) == 1
    clock.states = (px4(),)
    clock.run(0.2)
    assert clock.session.health(clock.now_ns).connected
    assert len(clock.texts(LinkEvent.CONNECTED)) == 2


def test_an_autopilot_that_never_arms_is_one_line():
    clock = Clock(px4(armed=False))
    clock.run(35.0, FLY)
    assert clock.texts(LinkEvent.NOT_ARMED) == [
        "the vehicle is not armed after 30 s of commands: PX4 (system 1), OFFBOARD, disarmed; "
        "set-points need OFFBOARD, armed; no GPS"
    ]


def test_commands_that_are_not_used_are_named():
    clock = Clock(px4())
    clock.run(2.0, FLY)
    now_ns = clock.now_ns
    clock.session.command(FLY, now_ns - 200 * MS, 200 * MS, now_ns)
    clock.session.command(Command(math.nan), now_ns + 1, 0, now_ns)
    assert [text for _, text in clock.session.notices()] == [
        "a command is 200 ms old: not used",
        "a command is not finite: hovering",
    ]


VERSIONS = {STATUS: 4, SETPOINT: 0, ODOMETRY: 0}


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ((), ""),
        (("/fmu/out/vehicle_status_v4", "/fmu/in/trajectory_setpoint"), ""),
        (("/fmu/out/vehicle_status_v1", "/fmu/out/vehicle_status_v4"), ""),
        (("/fmu/out/vehicle_status_v1",), "PX4 has /fmu/out/vehicle_status_v1, px4_msgs has ver"),
        (("/fmu/out/vehicle_status",), "PX4 has /fmu/out/vehicle_status, px4_msgs has version 4"),
        (("/fmu/in/trajectory_setpoint_v1",), "px4_msgs has version 0 of TrajectorySetpoint: bu"),
        (("/fmu/out/vehicle_status_vtol",), ""),
        (("/other/fmu/out/vehicle_status_v1",), ""),
    ],
)
def test_versions_of_messages(present, expected):
    found = version_problem(present, "/", VERSIONS)
    assert expected in found
    assert bool(expected) == bool(found)


def test_formats_of_messages():
    # FNV-1a, 32 bits: values of the reference implementation for "" and "a"
    assert (format_hash(""), format_hash("a")) == (0x811C9DC5, 0xE40C292C)
    assert format_problem("/fmu/in/x", True, 1, 1) == ""
    assert "/fmu/in/x has other fields in PX4 than in px4_msgs" in format_problem(
        "/fmu/in/x", True, 1, 2
    )
    assert "PX4 has no topic /fmu/in/x" in format_problem("/fmu/in/x", False, 1, 1)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("BODY_NED", ""),
        ("LOCAL_NED", "mav_frame of /mavros/setpoint_velocity is LOCAL_NED, expected BODY_NED"),
        (None, "mav_frame of /mavros/setpoint_velocity does not exist, expected BODY_NED"),
    ],
)
def test_mav_frame(found, expected):
    line = frame_problem("/mavros/setpoint_velocity", "BODY_NED", found)
    assert line.startswith(expected)
    assert bool(line) == bool(expected)
