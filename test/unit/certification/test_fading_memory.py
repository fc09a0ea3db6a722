import sys

import numpy as np
import pytest
from certified_models import TRAIL, with_state_weights

from liquid_control.certification import (
    CertifiedCell,
    Effort,
    find_trap,
    invariant_box,
    sensitivity,
)
from liquid_control.certification.fading_memory import (
    contraction,
    layer_contractions,
    memory_weights,
    region_of,
)
from liquid_control.certification.search import Rollout
from liquid_control.errors import CertificateError, DependencyError
from liquid_control.liquid import FlightCfC
from liquid_control.policy import load_model

pytestmark = pytest.mark.unit


def test_the_rate_is_the_spectral_radius_by_hand():
    found = contraction(np.array([[0.0, 4.0], [0.01, 0.0]]))
    assert found.rate == pytest.approx(0.2, abs=1e-3)
    assert found.weights[0] / found.weights[1] == pytest.approx(20.0, rel=1e-2)


def test_a_cell_with_small_state_weights_forgets_and_no_two_pasts_differ_more(tmp_path):
    cell = CertifiedCell.of(with_state_weights(tmp_path / "small", 0.3))
    state = invariant_box(cell, Effort(1, 1.0))
    bounds = sensitivity(cell, region_of(cell, state, 0.05)).states
    rate = max(layer.rate for layer in layer_contractions(cell, bounds))
    widths = state.upper - state.lower
    found = memory_weights(bounds, widths, cell.scales, rate, 20.0)
    assert found is not None
    assert rate < found.rate < 1.0
    rng = np.random.default_rng(0)
    rollout, count = Rollout(cell), 64
    one, other = (rng.uniform(state.lower, state.upper, (count, cell.neurons)) for _ in range(2))
    start = (np.abs(one - other) / found.weights).max(axis=1)
    for step in range(1, 40):
        x = rng.uniform(-1.0, 1.0, (count, len(cell.limits))) * cell.limits
        ticks = np.exp(rng.uniform(np.log(0.02), np.log(1.0), count))
        one, other = rollout.step(x, one, ticks), rollout.step(x, other, ticks)
        apart = (np.abs(one - other) / found.weights).max(axis=1)
        assert np.all(apart <= start * found.rate**step * (1.0 + 1e-9))


def test_a_trapped_input_keeps_two_pasts_of_the_flight_step_apart():
    model = load_model(TRAIL)
    trap = find_trap(CertifiedCell.of(model), 0.02, 0)
    assert trap is not None
    step, x = FlightCfC(model.weights), trap.features.astype(np.float32)
    for box in trap.boxes:
        for corner in (box.lower, box.upper, 0.5 * (box.lower + box.upper)):
            state = corner.astype(np.float32)
            for _ in range(300):
                state, _ = step.step(x, state, trap.dt_s)
            assert np.all(box.lower - 1e-6 <= state)
            assert np.all(state <= box.upper + 1e-6)
    one, other = trap.boxes
    assert np.any((one.upper < other.lower) | (other.upper < one.lower))


def test_a_missing_solver_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(DependencyError, match=r"scipy.* is needed to find the .*\[certify\]'"):
        memory_weights(np.array([[0.5]]), np.ones(1), np.ones(1), 0.5, 1.0)


def test_a_program_without_solution_is_one_line():
    from liquid_control.certification.fading_memory import _program

    with pytest.raises(CertificateError, match=r"found no weights of a norm with rate 0\.4000"):
        _program(np.array([[0.5]]), np.ones(1), np.ones(1), 0.4)
