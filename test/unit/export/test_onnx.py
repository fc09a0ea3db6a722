"""Comparison of reference, flight step, torch and ONNX over a golden sequence of 500 steps."""

from pathlib import Path

import numpy as np
import pytest
import torch

from liquid_control.command import Motor, MotorScaling
from liquid_control.cores import WiredCfC
from liquid_control.export import controller_graph
from liquid_control.liquid import CfC, CfCWeights, FlightCfC, Masking, auto_ncp, random_weights
from liquid_control.onnx_runtime import onnxruntime

pytestmark = pytest.mark.unit

GOLDEN = np.load(Path(__file__).parents[2] / "golden" / "cfc19.npz")
WEIGHTS = CfCWeights.from_arrays(dict(GOLDEN), auto_ncp(34, 19, 4), Masking.SYNAPSES, 0.05)
X = (GOLDEN["x"] / 127).astype(np.float32)
DT = GOLDEN["dt"]
STATES, GATES = GOLDEN["states"], GOLDEN["gates"]
TOLERANCE = 1e-5


def session(weights, motors=None):
    graph = controller_graph(weights, motors or MotorScaling())
    return onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])


def test_golden_sequence_covers_a_wide_range():
    assert STATES.shape == (500, 19)
    assert DT.min() < 0.006
    assert DT.max() > 0.9
    assert STATES.std(axis=0).min() > 0.05
    assert np.abs(STATES).max() < 1.0


def test_reference():
    outputs, _ = CfC(WEIGHTS, np.float64).sequence(X[None], np.zeros((1, 19)), DT[None])
    np.testing.assert_allclose(outputs[0], STATES[:, 15:], atol=1e-7)
    outputs, _ = CfC(WEIGHTS).sequence(X[None], np.zeros((1, 19)), DT[None])
    np.testing.assert_allclose(outputs[0], STATES[:, 15:], atol=TOLERANCE)


def test_flight_step():
    cell = FlightCfC(WEIGHTS)
    state = cell.init_state()
    for t in range(500):
        state, gates = cell.step(X[t], state, float(DT[t]))
        np.testing.assert_allclose(state, STATES[t], atol=TOLERANCE)
        np.testing.assert_allclose(gates, GATES[t], atol=TOLERANCE)


def test_torch():
    cell = WiredCfC.from_weights(WEIGHTS)
    with torch.no_grad():
        outputs, after = cell.sequence(
            torch.tensor(X)[None], cell.init_state(), torch.tensor(DT)[None]
        )
    np.testing.assert_allclose(outputs[0], STATES[:, 15:], atol=TOLERANCE)
    np.testing.assert_allclose(after[0], STATES[-1], atol=TOLERANCE)


def test_onnx():
    run = session(WEIGHTS).run
    motors = MotorScaling()
    state = np.zeros((1, 19), np.float32)
    for t in range(500):
        inputs = {"features": X[t : t + 1], "state": state, "dt": DT[t : t + 1]}
        command, state, gates = run(["command", "next_state", "gates"], inputs)
        np.testing.assert_allclose(state[0], STATES[t], atol=TOLERANCE)
        np.testing.assert_allclose(gates[0], GATES[t], atol=TOLERANCE)
        np.testing.assert_allclose(command[0], motors.commands(state[0, 15:]), atol=1e-6)


@pytest.mark.parametrize("masking", list(Masking))
def test_onnx_takes_batches_and_every_masking(masking):
    rng = np.random.default_rng(1)
    weights = random_weights(auto_ncp(5, 12, 4), rng, masking=masking, time_unit_s=0.2)
    motors = MotorScaling(forward=Motor(offset=1.0, scale=0.5))
    x = rng.uniform(-1, 1, (12, 5)).astype(np.float32)
    state = rng.uniform(-1, 1, (12, 12)).astype(np.float32)
    dt = rng.uniform(0, 1, 12).astype(np.float32)
    got = session(weights, motors).run(None, {"features": x, "state": state, "dt": dt})
    output, after, gates = CfC(weights, np.float64).step_with_gates(x, state, dt)
    for value, expected in zip(got, (motors.commands(output), after, gates), strict=True):
        np.testing.assert_allclose(value, expected, atol=TOLERANCE)
