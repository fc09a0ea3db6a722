import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from liquid_control.errors import CellError, ModelError, ObservationError
from liquid_control.export import model_graphs
from liquid_control.liquid import CfC
from liquid_control.perception import PerceptionSpec, fit
from liquid_control.perception.cnn import PerceptionCNN
from liquid_control.policy import Policy, load_model, save_model
from liquid_control.types import ImuWindow, Observation

pytestmark = pytest.mark.unit


@pytest.fixture(scope="session")
def policy(model):
    return Policy(model)


def test_features_are_image_features_then_imu_features(policy, observe):
    features = policy.features(observe())
    assert features.shape == (34,)
    assert features.dtype == np.float32
    assert policy.feature_count == 34
    rest = Observation(
        0, observe().image, ImuWindow(np.zeros(0, np.int64), *[np.zeros((0, 3))] * 2)
    )
    np.testing.assert_array_equal(policy.features(rest)[:28], features[:28])
    np.testing.assert_array_equal(policy.features(rest)[28:], np.zeros(6))


def test_act_equals_the_reference_scaled_by_the_motors(policy, model, observe):
    features = policy.features(observe())
    state = np.random.default_rng(0).uniform(-1, 1, 19).astype(np.float32)
    decision = policy.act(features, state, 0.08)
    output, after, gates = CfC(model.weights, np.float64).step_with_gates(
        features[None], state[None], np.array([0.08])
    )
    np.testing.assert_allclose(decision.state, after[0], atol=1e-6)
    np.testing.assert_allclose(decision.gates, gates[0], atol=1e-6)
    expected = model.settings.motors.command(output[0]).values
    assert decision.command.values == pytest.approx(expected, abs=1e-5)


def test_two_nodes_equal_one_process(model, observe):
    """Perception and controller as two policies that exchange bytes, against `step`."""
    perception, controller, whole = Policy(model), Policy(model), Policy(model)
    state_apart, state_whole = controller.init_state(), whole.init_state()
    for frame in range(30):
        observation, dt = observe(frame), 0.03 + 0.01 * (frame % 4)
        sent = perception.features(observation).tobytes()
        decision = controller.act(np.frombuffer(sent, np.float32), state_apart, dt)
        state_apart = np.frombuffer(decision.state.tobytes(), np.float32)
        command, state_whole = whole.step(observation, state_whole, dt)
        assert decision.command == command
        np.testing.assert_array_equal(state_apart, state_whole)


def test_same_bits_in_another_process(model, observe):
    script = (
        "import sys, numpy as np\n"
        "from liquid_control.policy import Policy, load_model\n"
        "policy = Policy(load_model(sys.argv[1]))\n"
        "assert 'torch' not in sys.modules\n"
        "features = np.frombuffer(bytes.fromhex(sys.argv[2]), np.float32)\n"
        "decision = policy.act(features, policy.init_state(), 0.04)\n"
        "print(decision.state.tobytes().hex())\n"
    )
    policy = Policy(model)
    features = policy.features(observe())
    expected = policy.act(features, policy.init_state(), 0.04).state
    run = subprocess.run(
        [sys.executable, "-c", script, str(model.path), features.tobytes().hex()],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"},
    )
    assert run.stdout.strip() == expected.tobytes().hex()


def test_elapsed_time_matters(policy, observe):
    features = policy.features(observe())
    state = np.full(19, 0.5, np.float32)
    short, long = (policy.act(features, state, dt).state for dt in (0.02, 0.4))
    assert np.abs(short - long).max() > 0.05


def test_brightness_hardly_matters(policy, observe):
    rng = np.random.default_rng(0)
    smooth = np.linspace(40, 240, 54 * 96).reshape(54, 96, 1) + rng.normal(0, 5, (54, 96, 3))
    empty = ImuWindow(np.zeros(0, np.int64), np.zeros((0, 3)), np.zeros((0, 3)))
    bright, dark = (
        policy.features(Observation(0, np.clip(gain * smooth, 0, 255).astype(np.uint8), empty))
        for gain in (1.0, 0.3)
    )
    assert np.abs(dark - bright).mean() < 0.02
    assert np.abs(bright[:28]).mean() > 0.2


def test_commands_stay_in_their_ranges(policy):
    rng = np.random.default_rng(0)
    state = policy.init_state()
    for _ in range(200):
        features = rng.uniform(-3, 3, 34).astype(np.float32)
        decision = policy.act(features, state, float(rng.uniform(0, 1)))
        state = decision.state
        assert 0.0 <= decision.command.forward_mps <= 3.0
        assert abs(decision.command.yaw_rate_radps) <= 1.5


def test_rejects_features_that_are_not_finite(policy):
    features = np.zeros(34, np.float32)
    features[3] = np.nan
    with pytest.raises(ObservationError, match="expected finite features, got"):
        policy.act(features, policy.init_state(), 0.05)


def test_rejects_features_and_dt_that_the_cell_rejects(policy):
    with pytest.raises(CellError, match=r"features float32 \(34,\), got float32 \(30,\)"):
        policy.act(np.zeros(30, np.float32), policy.init_state(), 0.05)
    with pytest.raises(CellError, match=r"a state float32 \(19,\)"):
        policy.act(np.zeros(34, np.float32), np.zeros(64, np.float32), 0.05)
    with pytest.raises(CellError, match=">= 0, got nan"):
        policy.act(np.zeros(34, np.float32), policy.init_state(), float("nan"))


def test_rejects_observations(policy, observe):
    with pytest.raises(ObservationError, match="got a smaller image, 64x36"):
        policy.features(observe(size=(36, 64)))


def test_checks_the_camera(policy):
    policy.check_camera(640, 360, 90.4)
    with pytest.raises(ModelError, match="field of view of 90"):
        policy.check_camera(640, 360, 60.0)
    with pytest.raises(ObservationError, match="encoding rgb8, got 'mono8'"):
        policy.check_camera(640, 360, 90.0, "mono8")


def test_names_neurons(policy):
    assert len(policy.state_names) == 19
    assert policy.state_names[-4:] == ("motor_0", "motor_1", "motor_2", "motor_3")


def test_rejects_a_graph_of_another_size(tmp_path, settings, arrays):
    spec = PerceptionSpec(height=60)
    other = settings.model_copy(update={"perception": spec})
    graphs = model_graphs(other, {**arrays, **PerceptionCNN(spec).arrays()})
    save_model(tmp_path / "m", settings, arrays, model_graphs(settings, arrays), "")
    foreign = replace(load_model(tmp_path / "m"), perception=graphs["perception.onnx"])
    with pytest.raises(ModelError, match=r"\(54, 96, 28\), got \(60, 96, 28\)"):
        Policy(foreign)


def test_a_graph_that_does_not_load_is_named(model):
    with pytest.raises(ModelError, match=r"demo/perception\.onnx: expected an ONNX graph, got"):
        Policy(replace(model, perception=b"no graph"))


def test_a_fitted_picture_has_the_features_of_the_observation_bit_for_bit(policy, model, observe):
    for size in ((54, 96), (270, 480), (480, 853)):
        observation = observe(7, size=size)
        picture = fit(observation.image, model.settings.camera.view)
        np.testing.assert_array_equal(
            policy.features_of_fitted(picture, observation), policy.features(observation)
        )


@pytest.mark.parametrize("picture", [np.zeros((60, 96, 3), np.uint8), np.zeros((54, 96, 3))])
def test_rejects_a_picture_that_is_not_fitted(policy, picture):
    with pytest.raises(
        ObservationError, match=r"expected a fitted picture uint8 \(54, 96, 3\), got"
    ):
        policy.features_of_fitted(picture, Observation(0, picture, ImuWindow.empty()))
