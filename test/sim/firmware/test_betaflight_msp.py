"""MSP against a real Betaflight: state, rate of frames, and a flight over MSP override.

LIQUID_CONTROL_BETAFLIGHT is the path of a Betaflight that was built for the target SITL.
"""

import os
import socket
import time
from pathlib import Path

import numpy as np
import pytest

from liquid_control.autopilots import BetaflightAutopilot, BetaflightOptions
from liquid_control.autopilots.betaflight_rc import MSP_STATUS, MspReader, msp_request
from liquid_control.config import load_scenario
from liquid_control.graph.betaflight_flight import BetaflightSetup, connect
from liquid_control.types import Command
from liquid_control_sim.dynamics.vectors import ZERO
from liquid_control_sim.firmware import FirmwareFlyer, FirmwareSortie
from liquid_control_sim.place.terrain import FLAT
from liquid_control_sim.quiet_bullet import pybullet
from liquid_control_sim.world import VehicleSite

pytestmark = [
    pytest.mark.sim,
    pytest.mark.skipif(
        not os.environ.get("LIQUID_CONTROL_BETAFLIGHT"),
        reason="LIQUID_CONTROL_BETAFLIGHT is not set to a Betaflight of target SITL",
    ),
]

BETAFLIGHT = Path(os.environ.get("LIQUID_CONTROL_BETAFLIGHT", ""))
LIMIT_S = 60.0
START = (np.array([0.0, 0.0, 1.5]), 0.5)


def test_a_real_firmware_states_variant_modes_and_what_keeps_it_from_arming(tmp_path):
    """It is in angle mode by no switch, since no receiver sends any; RXLOSS says so."""
    setup = BetaflightSetup(BETAFLIGHT, lockstep=False)
    process = setup.start(tmp_path)
    autopilot = BetaflightAutopilot(BetaflightOptions("tcp://127.0.0.1:5761"))
    try:
        autopilot.start()
        end = time.monotonic() + LIMIT_S
        while autopilot.state is None:
            assert time.monotonic() < end, autopilot.absence(LIMIT_S)
            time.sleep(0.1)
        assert str(autopilot.state) == "Betaflight, ACRO, disarmed"
        assert "RXLOSS" in autopilot.arm_check().reasons
        assert autopilot.health().connected
        assert autopilot.health().refused == 0
    finally:
        autopilot.close()
        process.end()


def longest_answer_s(port: socket.socket, rate_hz: float, seconds: float) -> float:
    """Ask for the status at a rate; return the longest time to an answer."""
    reader, sent_s, answers = MspReader(), [], []
    begun_s = time.monotonic()
    while len(answers) < rate_hz * seconds:
        now_s = time.monotonic() - begun_s
        assert now_s < LIMIT_S
        if len(sent_s) < rate_hz * min(now_s, seconds):
            port.sendall(msp_request(MSP_STATUS))
            sent_s.append(now_s)
        try:
            for _ in reader.feed(port.recv(65536)):
                answers.append(time.monotonic() - begun_s - sent_s[len(answers)])
        except BlockingIOError:
            time.sleep(0.001)
    return max(answers)


def test_more_frames_than_the_firmware_reads_wait_for_each_other(tmp_path):
    """60 a second, as `rc_keeper` sends them, are answered at once; 150 are not."""
    process = BetaflightSetup(BETAFLIGHT, lockstep=False).start(tmp_path)
    try:
        with connect(process) as port:
            port.setblocking(False)
            assert longest_answer_s(port, 60.0, 2.0) < 0.3
            assert longest_answer_s(port, 150.0, 3.0) > 0.6
    finally:
        process.end()


@pytest.mark.slow
def test_a_real_firmware_obeys_sticks_over_msp_override(tmp_path):
    """Forward for 3 s at a heading of 0.5 rad, then down to the ground."""
    client = pybullet.connect(pybullet.DIRECT)
    site = VehicleSite(client, load_scenario("trail"), 1, FLAT)
    sortie = FirmwareSortie()
    setup = BetaflightSetup(BETAFLIGHT, pace=1.0, override=True)
    with FirmwareFlyer(setup, tmp_path).hovering(site, START, sortie) as vehicle:
        for _ in range(720):
            vehicle.step(Command(forward_mps=1.0), ZERO)
        velocity = vehicle.state.velocity
    pybullet.disconnect(client)
    np.testing.assert_allclose(velocity, [np.cos(0.5), np.sin(0.5), 0.0], atol=0.25)
    assert sortie.landed_s is not None
