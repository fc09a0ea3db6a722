"""Pilots of the exported forms of a model: what they answer to one frame."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.exported_flights import exported_pilots
from benchmarks.policy import example_frame
from liquid_control.types import VehicleState

pytestmark = pytest.mark.unit

FLIGHT = Path(__file__).parents[2] / "golden" / "flight.mcap"
AT_REST = VehicleState(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]), np.zeros(3), np.zeros(3))
LARGEST = {"python": 0.0, "c": 1e-5, "q15": 0.01, "int8": 0.2}
"""Largest difference of a command from that of the Python policy, m/s and rad/s."""


def test_every_form_answers_a_frame_nearly_alike(tmp_path):
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    pilots = exported_pilots("trail_from_bags", FLIGHT, tmp_path)
    assert list(pilots) == list(LARGEST)
    frame = example_frame(54, 96)
    commands = {
        name: np.array(make().command(frame, AT_REST).values) for name, make in pilots.items()
    }
    for name, command in commands.items():
        difference = np.abs(command - commands["python"]).max()
        assert difference <= LARGEST[name], name
        assert (difference > 0.0) == (name != "python")
