"""The bridge over MSP against a real Betaflight, without its physics.

LIQUID_CONTROL_BETAFLIGHT is the path of a Betaflight that was built for the target SITL.
"""

import os
import time
from pathlib import Path

import pytest

from liquid_control.autopilots import BetaflightAutopilot, BetaflightOptions
from liquid_control.graph.betaflight_flight import BetaflightSetup

pytestmark = pytest.mark.sim

BETAFLIGHT = os.environ.get("LIQUID_CONTROL_BETAFLIGHT", "")
LIMIT_S = 60.0


@pytest.mark.skipif(
    not BETAFLIGHT, reason="LIQUID_CONTROL_BETAFLIGHT is not set to a Betaflight of target SITL"
)
def test_a_real_firmware_states_variant_modes_and_what_keeps_it_from_arming(tmp_path):
    """It is in angle mode by no switch, since no receiver sends any; RXLOSS says so."""
    setup = BetaflightSetup(Path(BETAFLIGHT), lockstep=False)
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
