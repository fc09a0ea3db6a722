"""Rows of flights for the certificate of the closed loop."""

import numpy as np
import pytest

from liquid_control.certification.flight_rows import FlightRows, fly_rows
from liquid_control.config import load_scenario, project_file
from liquid_control.policy import Policy, load_model
from liquid_control_sim import fly

pytestmark = pytest.mark.sim
SETTINGS = {"trail.difficulty": 0.0, "trail.length_m": 5.5, "camera.drop_rate": 0.2}


def test_rows_are_those_of_the_flight(tmp_path):
    policy = Policy(load_model(project_file("models/trail_cfc19")))
    scenario = load_scenario("trail", SETTINGS)
    rows, endings = fly_rows(fly, policy, scenario, [7, 8])
    assert endings == ["completed", "completed"]
    assert set(rows.flight) == {0.0, 1.0}
    motors = policy.model.settings.motors
    for state, command in zip(rows.state, rows.command, strict=True):
        expected = motors.command(state[-4:].astype(np.float32)).values
        np.testing.assert_allclose(command, expected, atol=1e-6)
    np.testing.assert_array_equal(rows.pushed, rows.command)
    assert set(np.round(rows.dt_s, 3)) >= {0.05, 0.1}
    # The heading moves with its rate and the trail's curvature.
    same = rows.flight[1:] == rows.flight[:-1]
    turned = np.diff(rows.vehicle[:, 1])[same]
    rate = 0.5 * (rows.vehicle[1:, 4] + rows.vehicle[:-1, 4])[same]
    along = (rows.curvature * rows.vehicle[:, 2])[1:][same]
    np.testing.assert_allclose(turned, (rate - along) * rows.dt_s[1:][same], atol=0.02)
    rows.save(tmp_path / "rows.npz")
    again = FlightRows.load(tmp_path / "rows.npz")
    np.testing.assert_array_equal(again.features, rows.features)
    pushed, _ = fly_rows(fly, policy, scenario, [7], (0.2, 0.3, 0.2))
    assert np.abs(pushed.pushed - pushed.command)[:, [0, 1, 3]].max() > 0.1
    assert np.all(pushed.pushed[:, 2] == pushed.command[:, 2])
