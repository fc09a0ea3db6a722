"""Model folders with any core: one contract for all of them, without torch in flight."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from liquid_control.cores import CORES
from liquid_control.errors import CellError, ModelError, ObservationError
from liquid_control.export import model_graphs
from liquid_control.perception import IMU_FEATURES
from liquid_control.policy import BACKENDS, Policy, PolicySession, load_model
from liquid_control.training.network import PolicyNetwork
from liquid_control.training.publish import save_candidate
from liquid_control.training.training_settings import TrainingSettings

pytestmark = pytest.mark.unit
FEATURES = 28 + IMU_FEATURES
CASES = [(kind, size) for kind in CORES for size in ("small", "base")]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join(case))
def trained(request, tmp_path_factory):
    """Return a network of one core, and the model folder written from it."""
    kind, size = request.param
    settings = TrainingSettings(name=kind, network={"core": {"kind": kind, "size": size}})
    network = PolicyNetwork.fresh(settings.network, settings.base_scenario(), seed=4)
    path = tmp_path_factory.mktemp("models") / f"{kind}_{size}"
    save_candidate(path, network, settings, model_graphs)
    return network, load_model(path)


def irregular(steps, seed=3):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(steps, FEATURES)).astype(np.float32)
    return features, rng.uniform(0.005, 0.4, steps)


CHAOTIC = "ode_rnn"
"""With random weights its states diverge: float32 and float64 differ by hundreds after a while."""


def torch_step(network, row, hidden, dt):
    outputs, after = network.core.step(
        torch.from_numpy(row)[None], hidden, torch.tensor([dt], dtype=torch.float32)
    )
    return (outputs if network.core.bounded else torch.tanh(outputs))[0].numpy(), after


def test_flight_equals_torch_over_500_irregular_steps(trained):
    """Every step from the same state; then, where states do not diverge, the whole flight."""
    network, model = trained
    policy = Policy(model)
    features, elapsed = irregular(500)
    state, hidden, flown = policy.init_state(), network.core.init_state(1), []
    for row, dt in zip(features, elapsed, strict=True):
        decision = policy.act(row, state, float(dt))
        with torch.no_grad():
            motors, after = torch_step(network, row, torch.from_numpy(state)[None], dt)
            whole, hidden = torch_step(network, row, hidden, dt)
        scale = max(1.0, float(np.abs(state).max(initial=0.0)))
        state = decision.state
        wanted = model.settings.motors.commands(motors)
        np.testing.assert_allclose(decision.command.values, wanted, atol=1e-5 * scale)
        np.testing.assert_allclose(state, after[0].numpy(), atol=1e-5 * scale)
        if model.settings.core.kind != CHAOTIC:
            wanted = model.settings.motors.commands(whole)
            np.testing.assert_allclose(decision.command.values, wanted, atol=1e-5)
        flown.append(decision.command.values)
    assert np.ptp(np.array(flown), axis=0).min() > 1e-3, "the commands depend on the features"


def test_a_state_continues_where_it_was_left(trained):
    _, model = trained
    policy = Policy(model)
    features, elapsed = irregular(20)
    stamps_ns = np.cumsum(np.round(elapsed * 1e9)).astype(int)
    whole = PolicySession(policy)
    expected = [whole.answer(row, int(t)) for row, t in zip(features, stamps_ns, strict=True)]
    first, second = PolicySession(policy), PolicySession(Policy(model))
    for index, (row, stamp_ns) in enumerate(zip(features, stamps_ns, strict=True)):
        if index == 9:
            second.restore(first.state())
        session = first if index < 9 else second
        decision = session.answer(row, int(stamp_ns))
        assert decision.command == expected[index].command
        assert np.array_equal(decision.state, expected[index].state)


def test_a_new_session_starts_from_the_initial_state(trained):
    network, model = trained
    policy = Policy(model)
    features, _ = irregular(2)
    session = PolicySession(policy)
    first = session.answer(features[0], 0)
    session.answer(features[1], 10**8)
    assert PolicySession(policy).answer(features[0], 5).command == first.command
    np.testing.assert_array_equal(policy.init_state(), network.core.init_state(1)[0].numpy())
    assert len(policy.state_names) == len(policy.init_state()) == network.core.state_size


def test_bad_inputs_are_one_error(trained):
    _, model = trained
    policy = Policy(model)
    features, state = irregular(1)[0][0], policy.init_state()
    with pytest.raises(ObservationError, match="expected finite features"):
        policy.act(np.full_like(features, np.nan), state, 0.05)
    with pytest.raises(CellError):
        policy.act(features[:-1], state, 0.05)
    with pytest.raises(CellError):
        policy.act(features, state, -0.05)


def test_gates_exist_only_for_a_wired_cfc(trained):
    _, model = trained
    policy = Policy(model)
    decision = policy.act(irregular(1)[0][0], policy.init_state(), 0.05)
    wired = model.settings.core.kind == "cfc_wired"
    assert len(decision.gates) == (len(decision.state) if wired else 0)


def test_the_reference_exists_only_for_a_wired_cfc(trained):
    _, model = trained
    if model.settings.core.kind == "cfc_wired":
        assert BACKENDS["reference"](model).init_state().shape == model.initial_state.shape
    else:
        with pytest.raises(ModelError, match="expected a model with core cfc_wired, got"):
            BACKENDS["reference"](model)


def test_flying_imports_no_torch(trained):
    _, model = trained
    code = (
        "import sys, numpy as np\n"
        "from liquid_control.policy import Policy, load_model\n"
        f"policy = Policy(load_model({str(model.path)!r}))\n"
        f"policy.act(np.zeros({FEATURES}, np.float32), policy.init_state(), 0.05)\n"
        "assert 'torch' not in sys.modules\n"
    )
    if model.settings.core.kind not in ("gru", "cfc_wired"):
        pytest.skip("one core per controller is enough: the others use the same one")
    subprocess.run([sys.executable, "-c", code], check=True)
