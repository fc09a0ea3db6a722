"""The companion of ArduPilot and PX4 in simulated time, against the peer of the MAVLink tests."""

import socket

import numpy as np
import pytest
from mavlink_peer import ARDUPILOT, PX4, AutopilotPeer, free_udp_port

from liquid_control.graph.mavlink_flight import MavlinkCompanion
from liquid_control.types import HOVER, Command, VehicleState
from liquid_control_sim.firmware import FlightStage

pytestmark = pytest.mark.sim

NAV_TAKEOFF, ARM_DISARM = 22, 400
FORWARD, DOWN = Command(forward_mps=1.0), Command(up_mps=-0.5)


class Loop:
    """Steps the companion at 240 Hz of simulated time; the peer answers at each step."""

    def __init__(self, autopilot: int) -> None:
        port = free_udp_port()
        self.peer = AutopilotPeer(autopilot)
        self.companion = MavlinkCompanion(f"udpin://127.0.0.1:{port}")
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.address = ("127.0.0.1", port)
        self.tick = 0

    def run(self, seconds: float, stage: FlightStage, command: Command = HOVER, z=0.0) -> None:
        state = VehicleState(np.array([0.0, 0.0, z]), np.array([0, 0, 0, 1.0]), *np.zeros((2, 3)))
        for _ in range(round(seconds * 240)):
            now_ns = self.tick * 1_000_000_000 // 240
            if data := self.peer.poll(now_ns):
                self.socket.sendto(data, self.address)
            self.companion.step(now_ns, state, command, stage)
            try:
                while answer := self.peer.receive(self.socket.recv(4096), now_ns):
                    self.socket.sendto(answer, self.address)
            except BlockingIOError:
                pass
            self.tick += 1

    def commands(self, number: int) -> list:
        found = [one.values for one in self.peer.named("COMMAND_LONG")]
        return [values for values in found if values["command"] == number]

    def last_setpoint(self) -> dict:
        return self.peer.named("SET_POSITION_TARGET_LOCAL_NED")[-1].values


@pytest.fixture(params=[ARDUPILOT, PX4], ids=["ardupilot", "px4"])
def loop(request):
    made = Loop(request.param)
    yield made
    made.companion.close()
    made.socket.close()


def test_it_streams_then_requests_mode_and_arming_then_flies_and_disarms(loop):
    assert not loop.companion.is_armed
    loop.run(10.0, FlightStage.ARM)
    assert loop.peer.armed
    assert loop.companion.is_armed
    assert loop.last_setpoint()["vx"] == 0.0
    loop.run(1.0, FlightStage.FLY, FORWARD, z=0.0)
    takes_off = loop.commands(NAV_TAKEOFF)
    if loop.peer.autopilot == ARDUPILOT:
        assert takes_off[0]["param7"] == 1.5
        assert loop.last_setpoint()["vx"] == 0.0  # velocities are ignored on the ground
    else:
        assert takes_off == []
    loop.run(1.0, FlightStage.FLY, FORWARD, z=1.0)
    assert loop.last_setpoint()["vx"] == 1.0
    loop.run(2.5, FlightStage.DISARM, DOWN)
    assert loop.last_setpoint()["vz"] == 0.5  # its land detector needs the descent
    assert loop.commands(ARM_DISARM)[-1]["param1"] == 0.0
    assert not loop.peer.armed
    loop.run(1.5, FlightStage.DISARM, DOWN)
    assert not loop.companion.is_armed


@pytest.mark.parametrize("loop", [ARDUPILOT], indirect=True)
def test_no_set_point_ends_the_take_off_of_ardupilot(loop):
    """In GUIDED a set-point replaces the take-off, and one of zero velocity keeps it down."""
    loop.run(10.0, FlightStage.ARM)
    loop.run(4.0, FlightStage.FLY, FORWARD, z=0.0)
    assert loop.peer.takes_off
    assert len(loop.commands(NAV_TAKEOFF)) == 1
    loop.run(3.0, FlightStage.FLY, FORWARD, z=0.5)
    assert loop.peer.takes_off
    loop.run(0.5, FlightStage.FLY, FORWARD, z=0.8)
    assert loop.last_setpoint()["vx"] == 1.0
    loop.run(0.5, FlightStage.FLY, FORWARD, z=0.1)  # low flight is not another take-off
    assert not loop.peer.takes_off


def test_disarming_is_requested_until_the_firmware_has_found_the_ground(loop):
    """A touch-down is seen by PX4 4 s later; until then it refuses."""
    loop.run(10.0, FlightStage.ARM)
    loop.peer.refuse_disarming = True
    loop.run(3.5, FlightStage.DISARM, DOWN)
    assert loop.companion.is_armed
    assert len(loop.commands(ARM_DISARM)) >= 3
    assert loop.last_setpoint()["vz"] == 0.5
    loop.peer.refuse_disarming = False
    loop.run(2.5, FlightStage.DISARM, DOWN)
    assert not loop.companion.is_armed


def test_it_states_why_a_firmware_does_not_arm(loop):
    loop.peer.refuse_mode = True
    loop.run(8.0, FlightStage.ARM)
    problem = loop.companion.arming_problem()
    assert "disarmed" in problem
    assert "refused mode" in problem


def test_without_an_autopilot_the_problem_names_the_link():
    companion = MavlinkCompanion(f"udpin://127.0.0.1:{free_udp_port()}")
    state = VehicleState(*np.zeros((2, 3)), *np.zeros((2, 3)))
    for tick in range(480):
        companion.step(tick * 4_166_667, state, HOVER, FlightStage.ARM)
    assert "udpin://127.0.0.1" in companion.arming_problem()
    companion.close()
