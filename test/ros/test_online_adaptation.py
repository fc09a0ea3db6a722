"""Online adaptation in the graph: as in process, recorded, and refused in one line."""

import json
import shutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from liquid_control.bags import read_bag
from liquid_control.config import parse_settings
from liquid_control.errors import CertificateError
from liquid_control.evaluation import CampaignEntry, load_record, plan_flights
from liquid_control.evaluation.bag_recorder import fly_and_record
from liquid_control.graph import GraphPlan, fly_through_graph
from liquid_control.nodes import conversions
from liquid_control.policy import (
    CERTIFICATE,
    OnlineAdaptation,
    Policy,
    PolicyPilot,
    ReadoutBox,
    load_model,
    velocity_reading,
)
from liquid_control.types import VehicleState
from liquid_control_sim.flight import fly

from .conftest import SEED, failed_starts

pytestmark = pytest.mark.ros

OVERRIDES = ("time_limit_s=5", "faults.velocity_bias_mps=0.5", "camera.drop_rate=0.1")


@pytest.fixture(scope="module")
def certified(model, tmp_path_factory) -> Path:
    """Return a copy of the random model with the parts of a certificate that a start reads."""
    folder = tmp_path_factory.mktemp("certified") / "random"
    shutil.copytree(model, folder)
    settings = load_model(folder).settings
    box = ReadoutBox.around(settings.motors, 0.3, 0.3)
    content = {
        "weights_sha256": settings.sha256["weights.npz"],
        "constants": {"commands": settings.motors.model_dump()},
        "claims": {"box": {"readout": box.to_claim()}},
    }
    (folder / CERTIFICATE).write_text(json.dumps(content))
    return folder


class RowsPilot(PolicyPilot):
    """Keeps the state of the adaptation after every frame."""

    def command(self, observation, truth):
        command = super().command(observation, truth)
        self.rows = [*getattr(self, "rows", ()), list(self.session.adapted.rows.values())]
        return command


@pytest.mark.parametrize("composed", [False, True], ids=["two processes", "composed"])
def test_an_adapted_flight_equals_the_one_in_process_and_its_state_is_in_the_bag(
    certified, tmp_path, composed
):
    plan = GraphPlan(
        "trail",
        SEED,
        certified,
        tmp_path,
        OVERRIDES,
        composed=composed,
        online_adaptation="certified",
    )
    flight = fly_through_graph(plan)
    policy = Policy(load_model(certified))
    pilot = RowsPilot(policy, OnlineAdaptation.for_model(policy.model))
    entry = CampaignEntry(
        name="adapted", scenario="trail", seeds=str(SEED), set=parse_settings(OVERRIDES)
    )
    (job,) = plan_flights([entry], ["random"])
    expected = fly_and_record(fly, job, pilot, tmp_path / "in_process.mcap")
    record, bag = load_record(flight.record), read_bag(flight.bag)
    for field in fields(expected):
        np.testing.assert_array_equal(
            getattr(record, field.name), getattr(expected, field.name), err_msg=field.name
        )
    assert pilot.session.adapted.updates > 20
    np.testing.assert_array_equal(bag.adaptation.stamp_ns, expected.stamp_ns[expected.framed])
    np.testing.assert_array_equal(bag.adaptation.values, np.array(pilot.rows))
    assert np.abs(bag.adaptation.values[-1, :4, 1]).max() > 0.01
    in_process = read_bag(tmp_path / "in_process.mcap").adaptation
    np.testing.assert_array_equal(in_process.stamp_ns, bag.adaptation.stamp_ns)
    np.testing.assert_array_equal(in_process.values, bag.adaptation.values)


def test_a_node_without_a_certificate_does_not_start(model, tmp_path):
    parameters = {"model": str(model), "autostart": True, "online_adaptation": "0.1,0.1"}
    ((status, lines),) = failed_starts("controller_node", [parameters])
    assert status == 2
    assert len(lines) == 1
    assert "online adaptation needs a certificate with a box" in lines[0]
    with pytest.raises(CertificateError, match="is missing"):
        fly_through_graph(GraphPlan("trail", 3, model, tmp_path, online_adaptation="certified"))


def test_odometry_gives_the_bits_of_the_state_and_bad_odometry_nothing():
    rng = np.random.default_rng(1)
    for _ in range(50):
        quaternion = rng.normal(size=4)
        quaternion /= np.linalg.norm(quaternion)
        state = VehicleState(*rng.normal(size=(1, 3)), quaternion, *rng.normal(size=(2, 3)))
        message = conversions.odometry_message(state, 7)
        assert conversions.velocity_reading_from(message) == velocity_reading(state, 7)
    message.twist.twist.linear.y = float("nan")
    assert conversions.velocity_reading_from(message) is None
