from pathlib import Path

import numpy as np
import pytest
import torch
from toy_flight import ToyExpert, ToyWorld, fly
from toy_run import toy_settings

from liquid_control.errors import ConfigError, ModelError
from liquid_control.export import model_graphs
from liquid_control.perception import CONTRAST_FLOOR, moments
from liquid_control.perception import standardise as standardise_in_flight
from liquid_control.policy import Policy, PolicyPilot, load_model
from liquid_control.training.data_pilots import DataPilot, flight_data, round_plans
from liquid_control.training.dataset import load_dataset, write_flight
from liquid_control.training.model_card import ModelSize
from liquid_control.training.network import PolicyNetwork, motor_values, standardise
from liquid_control.training.publish import save_candidate
from liquid_control.training.windows import Windows, cut
from liquid_control.types import Command

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def settings():
    return toy_settings()


@pytest.fixture(scope="module")
def network(settings):
    return PolicyNetwork.fresh(settings.network, settings.base_scenario(), 5)


@pytest.fixture(scope="module")
def candidate(settings, network, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("models") / "toy"
    save_candidate(path, network, settings, model_graphs)
    return path


class Listening:
    """A pilot that keeps what another one answered."""

    def __init__(self, pilot):
        self.name, self.pilot, self.answers = pilot.name, pilot, []

    def start(self, world):
        self.pilot.start(world)

    def command(self, observation, truth):
        self.answers.append(self.pilot.command(observation, truth).values)
        return Command(*self.answers[-1])


def test_what_is_trained_is_what_flies(settings, network, candidate, tmp_path):
    """The same flight through ONNX Runtime and NumPy, and as windows through torch."""
    plan = round_plans(settings, 1)[0]
    learner = Listening(PolicyPilot(Policy(load_model(candidate))))
    pilot = DataPilot(ToyExpert(), learner, 0.5, 1.0, None, 1)
    record = fly(plan.scenario, plan.seed, pilot)
    write_flight(tmp_path / "0.npz", flight_data(pilot.log, record.result, "0"))
    data = load_dataset([tmp_path / "0.npz"], 1.0 / settings.base_scenario().camera.rate_hz)
    whole = Windows(np.array([0]), np.array([data.frames]), np.array([False]))
    with torch.no_grad():
        outputs, _ = network.sequence(cut(data, whole, data.frames, 0), network.core.init_state(1))
    commands = network.motors.commands(outputs[0].numpy())
    assert data.frames > 30
    assert len({round(float(dt), 3) for dt in data.elapsed_s}) > 2
    np.testing.assert_allclose(commands, np.array(learner.answers), atol=2e-5)


def test_pictures_are_standardised_as_in_flight():
    images = np.random.default_rng(0).integers(0, 255, (3, 18, 32, 3), dtype=np.uint8)
    images[2] = 40
    pairs = [moments(image) for image in images]
    found = standardise(
        torch.from_numpy(images),
        torch.tensor([mean for mean, _ in pairs], dtype=torch.float32),
        torch.tensor([1 / max(dev, CONTRAST_FLOOR) for _, dev in pairs], dtype=torch.float32),
    )
    for index, image in enumerate(images):
        np.testing.assert_allclose(found[index], standardise_in_flight(image), atol=1e-6)


def test_motor_values_undo_the_scaling_and_keep_within_reach(network):
    labels = torch.tensor([[2.0, -0.5, 0.1, 0.3], [9.0, -9.0, 0.0, 0.0]])
    values = motor_values(network.motors, labels)
    np.testing.assert_allclose(network.motors.commands(values[0].numpy()), labels[0], atol=1e-6)
    assert values[1, :2].tolist() == pytest.approx([0.97, -0.97])


def test_same_seed_makes_the_same_network(settings, network):
    again = PolicyNetwork.fresh(settings.network, settings.base_scenario(), 5)
    other = PolicyNetwork.fresh(settings.network, settings.base_scenario(), 6)
    for name, value in network.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)
    assert not torch.equal(
        other.state_dict()["core.weight.0"], network.state_dict()["core.weight.0"]
    )


def test_candidate_is_described_by_the_scenario(settings, candidate):
    model = load_model(candidate)
    assert (model.settings.camera.width, model.settings.camera.height) == (32, 18)
    assert model.settings.nominal_dt_s == pytest.approx(0.05)
    assert model.settings.core.time_unit_s == pytest.approx(0.05)
    arrays = sum(array.size for array in model.arrays.values())
    absent = sum(int((model.arrays[f"cfc.{i}.weight"] == 0).sum()) for i in range(3))
    assert ModelSize.of(model).parameters == arrays - absent


def test_camera_of_another_shape_is_refused(candidate):
    pilot = PolicyPilot(Policy(load_model(candidate)))
    with pytest.raises(ModelError, match="the model expects at least 32x18 of that shape"):
        pilot.start(
            ToyWorld(
                toy_settings(overrides={})
                .base_scenario()
                .model_copy(
                    update={
                        "camera": toy_settings()
                        .base_scenario()
                        .camera.model_copy(update={"width": 24})
                    }
                )
            )
        )


def test_an_unknown_core_and_an_unknown_option_are_named(settings):
    for core, message in (
        ({"kind": "gruu"}, "network.core: unknown core 'gruu'; .*gru"),
        (
            {"kind": "gru", "options": {"units": 3}},
            "network.core: gru: .*unexpected keyword.*units",
        ),
    ):
        changed = toy_settings(network={"core": core})
        with pytest.raises(ConfigError, match=message):
            PolicyNetwork.fresh(changed.network, changed.base_scenario(), 0)
