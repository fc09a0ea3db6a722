"""Bounds of commands and sensitivities against flights and searches that try to break them."""

import numpy as np
import pytest
from certified_models import SHIPPED, TRAIL

from liquid_control.certification import (
    CertifiedCell,
    Effort,
    Interval,
    Region,
    invariant_box,
    local_region,
    search,
    sensitivity,
)
from liquid_control.certification.cell import CellLayer
from liquid_control.certification.search import Rollout
from liquid_control.certification.sensitivity import entry_bounds
from liquid_control.certification.state_bounds import commands_of, largest_state
from liquid_control.errors import CertificateError
from liquid_control.liquid import FlightCfC
from liquid_control.policy import load_model

pytestmark = pytest.mark.unit
QUICK = Effort(256, 0.02)


@pytest.fixture(scope="module")
def trail():
    return CertifiedCell.of(load_model(TRAIL))


@pytest.fixture(scope="module")
def box(trail):
    return invariant_box(trail, QUICK)


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_no_search_leaves_the_command_bounds(folder):
    cell = CertifiedCell.of(load_model(folder))
    bounds = commands_of(cell, invariant_box(cell, QUICK))
    found = search(cell, 1, rounds=24)
    assert np.all(bounds.lower <= found.lowest)
    assert np.all(found.highest <= bounds.upper)
    assert np.all(found.highest - found.lowest > 0.5 * (bounds.upper - bounds.lower))


def test_the_flight_step_in_float32_stays_in_the_box(trail, box):
    rng = np.random.default_rng(2)
    weights = load_model(TRAIL).weights
    cell, state = FlightCfC(weights), np.zeros(weights.wiring.neurons, np.float32)
    for _ in range(2000):
        x = (rng.choice([-1.0, 1.0], len(trail.limits)) * trail.limits).astype(np.float32)
        dt = float(np.exp(rng.uniform(*np.log(trail.dt_s))))
        state, _ = cell.step(x, state, dt)
        assert np.all(box.lower <= state)
        assert np.all(state <= box.upper)


def test_the_largest_state_of_one_neuron_by_hand():
    """tanh(2 z) (1 - s) + tanh(-z) s, gates half open at ta = 0: (tanh 2z - tanh z) / 2."""
    weight = np.array([[[2.0]], [[-1.0]], [[0.0]], [[0.0]]])
    neuron = CellLayer(weight, np.zeros((4, 1)), slice(0, 1))
    z = np.linspace(-3.0, 3.0, 200_001)
    exact = float((0.5 * (np.tanh(2.0 * z) - np.tanh(z))).max())
    inputs = Interval(np.array([-3.0]), np.array([3.0]))
    ticks = Interval(np.array([[0.02]]), np.array([[20.0]]))
    found = largest_state(neuron, inputs, ticks, 1.0, Effort(2000, 1e-3))
    assert exact <= found <= exact + 1.1e-3
    assert -exact - 1.1e-3 <= -largest_state(neuron, inputs, ticks, -1.0, Effort(2000, 1e-3))


def test_entry_bounds_are_above_and_close_to_a_dense_grid(trail, box):
    region = Region(trail.features, box, (0.001, 0.05))
    ticks = trail.ticks(region.dt_s)
    layer, found = trail.layers[2], trail.ranges(region)[2]
    bounds = entry_bounds(layer, found, ticks)
    for neuron, entry in zip(*np.nonzero(bounds), strict=True):
        ranges = [
            np.linspace(part.lower[0, neuron], part.upper[0, neuron], 41)
            for part in (found.first, found.second, found.gate)
        ]
        a, c, s = np.meshgrid(*ranges)
        wa, wc, wta, wtb = layer.weight[:, neuron, entry]
        values = [
            (1 - s) * (1 - a * a) * wa + s * (1 - c * c) * wc + (c - a) * s * (1 - s) * m
            for m in (wta * ticks.lower[0, 0] + wtb, wta * ticks.upper[0, 0] + wtb)
        ]
        largest = float(np.abs(values).max())
        assert largest <= bounds[neuron, entry] <= 1.1 * largest + 0.01


@pytest.mark.parametrize("longest_s", [0.02, 1.0])
def test_no_search_leaves_the_sensitivity_bounds(trail, box, longest_s):
    bounds = sensitivity(trail, Region(trail.features, box, (0.001, longest_s)))
    found = search(trail, 3, (0.001, longest_s), rounds=1)
    assert np.all(found.feature <= bounds.features.max(axis=1))
    assert np.all(found.all_features <= bounds.features.sum(axis=1))
    assert np.all(found.elapsed <= bounds.elapsed)


def test_gradients_of_the_search_are_those_of_finite_differences(trail):
    rng = np.random.default_rng(4)
    x = rng.uniform(-0.5, 0.5, (1, len(trail.limits)))
    state, ticks, step = rng.uniform(-0.5, 0.5, (1, trail.neurons)), np.array([1.0]), 1e-6
    rollout, own = Rollout(trail), trail.layers[-1].own
    by_features, by_time = rollout.derivatives(x, state, ticks)
    for feature in (0, 20, 35):
        moved = x.copy()
        moved[0, feature] += step
        change = rollout.step(moved, state, ticks) - rollout.step(x, state, ticks)
        assert np.abs(change[0, own] * trail.scales / step) == pytest.approx(
            by_features[0, :, feature], abs=1e-4
        )
    change = rollout.step(x, state, ticks + step) - rollout.step(x, state, ticks)
    expected = np.abs(change[0, own] * trail.scales / step / trail.time_unit_s)
    assert expected == pytest.approx(by_time[0], abs=1e-3)


def test_local_bounds_hold_within_their_radius_and_are_smaller(trail, box):
    features, state = np.zeros(len(trail.limits)), np.zeros(trail.neurons)
    local = sensitivity(trail, local_region(trail, features, state, 0.05, 0.02))
    whole = sensitivity(trail, Region(trail.features, box, (0.001, 0.05)))
    assert np.all(local.features.sum(axis=1) < whole.features.sum(axis=1))
    rng = np.random.default_rng(5)
    near = rng.uniform(-0.02, 0.02, (200, len(features)))
    states = rng.uniform(-0.02, 0.02, (200, trail.neurons))
    by_features, by_time = Rollout(trail).derivatives(near, states, np.ones(200))
    assert np.all(by_features <= local.features)
    assert np.all(by_time <= local.elapsed)


def test_another_core_is_refused_with_one_line():
    with pytest.raises(CertificateError, match="expected a model with core cfc_wired, got gru"):
        CertifiedCell.of(load_model("trail_gru"))
