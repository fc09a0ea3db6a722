"""Faults while PX4 flies through the graph, and the nodes' parts of it.

LIQUID_CONTROL_PX4 is the path of a `bin/px4` that was built for SITL.
"""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from liquid_control.config import project_file
from liquid_control.errors import ConfigError
from liquid_control.graph.fault_campaign import RULES, FaultCampaign, run_faults
from liquid_control.graph.fault_kinds import choose_kinds
from liquid_control.graph.firmware_faults import with_firmware
from liquid_control.nodes.simulated_firmware import StandLimit
from liquid_control.types import VehicleState

pytestmark = pytest.mark.ros

PROGRAM = os.environ.get("LIQUID_CONTROL_PX4", "")
SECOND_NS = 1_000_000_000


def state(speed_mps: float) -> VehicleState:
    return VehicleState(
        np.zeros(3),
        np.array([0.0, 0.0, 0.0, 1.0]),
        np.array([speed_mps, 0.0, 0.0]),
        np.zeros(3),
    )


def ends(limit_s: float, speeds: list[float]) -> list[bool]:
    """Return whether the flight is over at each second."""
    limit = StandLimit(limit_s)
    return [limit.is_over(k * SECOND_NS, state(speed)) for k, speed in enumerate(speeds)]


def test_a_flight_ends_when_its_vehicle_stands_after_it_flew():
    assert ends(2.0, [0.0, 0.0, 0.0, 0.0, 0.0]) == [False] * 5
    assert ends(2.0, [1.0, 0.1, 0.1, 0.1]) == [False, False, False, True]
    assert ends(2.0, [1.0, 0.1, 0.1, 1.0, 0.1, 0.1, 0.1]) == [False] * 6 + [True]
    assert ends(0.0, [1.0, 0.1, 0.1, 0.1]) == [False] * 4


@pytest.mark.skipif(not PROGRAM, reason="LIQUID_CONTROL_PX4 is not set to a PX4 built for SITL")
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_px4_holds_without_a_link_and_lands_for_its_pilot(tmp_path):
    """The rows are found again by the second campaign; another firmware is another campaign."""
    kinds = choose_kinds(["link_lost", "pilot_land"], firmware=True)
    model = project_file("models/trail_cfc19")
    campaign = FaultCampaign(
        kinds, [10_000], model, rules=with_firmware(RULES), firmware=Path(PROGRAM).resolve()
    )
    rows = run_faults(campaign, tmp_path)
    lost, landed = rows
    assert (lost.outcome, landed.outcome) == ("hovered", "landed")
    assert lost.reason == "stands; AUTO.LOITER"
    assert 0.5 < lost.standstill_s < 4.0
    assert 0.5 < lost.travelled_m < 8.0
    assert landed.reason.endswith("m/s; AUTO.LAND")
    assert run_faults(campaign, tmp_path, resume=True) == rows
    other = FaultCampaign(
        kinds, [10_000], model, rules=campaign.rules, firmware=Path(sys.executable)
    )
    with pytest.raises(ConfigError, match=r"--resume: the run in .* was begun with firmware: "):
        run_faults(other, tmp_path, resume=True)
