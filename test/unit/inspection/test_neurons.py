from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from liquid_control.errors import ConfigError
from liquid_control.inspection import decoders, neurons
from liquid_control.inspection.counterfactuals import clamped_model
from liquid_control.inspection.model_measures import (
    Measures,
    measure,
    measures_document,
    measures_table,
    predicted,
)
from liquid_control.journal import plain
from liquid_control.liquid import fully_connected, random_weights
from liquid_control.liquid.flight_step import FlightCfC
from liquid_control.policy import Policy

pytestmark = pytest.mark.unit

needs_trees = pytest.mark.skipif(
    find_spec("sklearn") is None, reason="scikit-learn is not installed"
)


def test_a_planted_dead_neuron_is_found(policy, make_flight):
    planted = Policy(clamped_model(policy.model, {4: 0.3}))
    assert neurons.findings([make_flight(planted)]).dead == ("inter_4",)


def test_a_planted_duplicate_is_found(flight):
    """Neuron 3 of a fully connected cell gets all weights of neuron 1."""
    wiring = fully_connected(flight.features.shape[1], 6)
    weights = random_weights(wiring, np.random.default_rng(0))
    (layer,) = weights.layers
    for array in (layer.weight, layer.bias):
        array[:, 3] = array[:, 1]
    cell, state, states = FlightCfC(weights), np.zeros(6, np.float32), []
    for features, elapsed_s in zip(flight.features, flight.elapsed_s, strict=True):
        state, _ = cell.step(features, state, float(elapsed_s))
        states.append(state)
    planted = replace(flight, states=np.array(states), state_names=tuple("abcdef"))
    found = neurons.findings([planted])
    assert [pair[:2] for pair in found.duplicates] == [("b", "d")]
    assert found.duplicates[0][2] == pytest.approx(1.0)
    assert found.dead == ()


def test_the_first_component_of_one_direction_has_all_variance(flight):
    line = np.outer(np.linspace(-1, 1, len(flight)), np.arange(1.0, 20.0)).astype(np.float32)
    assert neurons.component_shares([replace(flight, states=line)])[0] == pytest.approx(1.0)
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(5000, 4)).astype(np.float32)
    shares = neurons.component_shares([replace(flight, states=flat)])
    assert shares == pytest.approx(np.full(4, 0.25), abs=0.03)


def test_lipschitz_constants_by_hand(flight):
    states = np.zeros_like(flight.states)
    states[10:, 2] = 0.5
    found = neurons.lipschitz_constants(states, flight)
    assert found[2] == pytest.approx(0.5 / flight.elapsed_s[10])
    assert np.delete(found, 2).max() == 0.0


def test_noise_moves_states_and_repeats(policy, flight):
    one, other = (neurons.noisy_states(policy, flight, 0.1) for _ in range(2))
    assert np.array_equal(one, other)
    assert not np.array_equal(one, flight.states)
    clean = neurons.noisy_states(policy, flight, 0.0)
    assert clean == pytest.approx(flight.states, abs=1e-4)


def known_flights(make_flight, policy, count=4):
    """Return flights in which a quantity is a function of one neuron, and another is not."""
    found = []
    for seed in range(count):
        flight = make_flight(policy, seed, 120)
        rng = np.random.default_rng(seed)
        noise = np.cumsum(rng.normal(size=len(flight)))
        known = 2.0 * flight.states[:, 5].astype(np.float64)
        found.append(replace(flight, quantities={"known": known, "unrelated": noise}))
    return found


@needs_trees
def test_decoders_are_scored_on_flights_that_they_were_not_fitted_on(policy, make_flight):
    flights = known_flights(make_flight, policy)
    known, unrelated = decoders.decode(flights)
    assert known.quantity == "known"
    assert known.closest == "inter_5"
    assert known.score > known.chance
    assert known.p_value == pytest.approx(1 / 21)
    assert next(iter(known.neurons)) == "inter_5"
    assert unrelated.score < 0.3
    assert decoders.decode(flights)[0] == known


class MemoryTree:
    """A decoder that knows the frames that it was fitted on, and nothing else."""

    def __init__(self, **_):
        self.known = {}

    def fit(self, states, values):
        self.known = {row.tobytes(): value for row, value in zip(states, values, strict=True)}
        return self

    def predict(self, states):
        assert not any(row.tobytes() in self.known for row in states)
        return np.zeros(len(states))


def test_no_frame_of_the_scored_flight_is_fitted():
    class Trees:
        DecisionTreeRegressor = MemoryTree

    rng = np.random.default_rng(0)
    states = [rng.normal(size=(50, 3)) for _ in range(3)]
    values = [rng.normal(size=50) for _ in range(3)]
    assert decoders.held_out_score(Trees, states, values) <= 0.1


@needs_trees
def test_one_flight_is_not_decoded(policy, make_flight):
    flights = known_flights(make_flight, policy, 1)
    with pytest.raises(ConfigError, match=r"expected at least two flights, .* got 1"):
        decoders.decode(flights)


def test_numbers_of_record_repeat_and_name_their_core(policy, gru, make_flight):
    measured = [measure(one, [make_flight(one, 0, 30)]) for one in (policy, gru)]
    again = measure(policy, [make_flight(policy, 0, 30)])
    assert plain(again) == plain(measured[0])
    assert [one.core for one in measured] == ["cfc_wired", "gru"]
    for one in measured:
        assert 0.0 < one.first_component <= 1.0
        assert set(one.saliency_ssim) == set(one.lipschitz) == {"0.1", "0.2", "0.3"}
        assert len(one.lipschitz_of["0.1"]) == {"cfc_wired": 19, "gru": 13}[one.core]
    table = measures_table(measured)
    assert "| trail_cfc19 | cfc_wired |" in table
    assert "No correlation with success: it needs 3 models" in table
    assert measures_document(measured)["predictions"] == []


def test_a_core_without_state_has_no_measures_of_neurons(policy, make_flight):
    flight = make_flight(policy, 0, 30)
    one, bare = measure(policy, [flight]), replace(flight, states=flight.states[:, :0])
    assert not len(neurons.component_shares([bare]))
    assert np.isnan(neurons.path_correlation([bare]))
    rated = [replace(one, success_rate=rate, first_component=rate) for rate in (0.2, 0.5, 0.9)]
    stateless = replace(one, success_rate=0.1, first_component=float("nan"))
    found = {each.measure: each for each in predicted([*rated, stateless])}
    assert found["first_component"].models == 3
    assert found["first_component"].correlation == pytest.approx(1.0)
    assert found["deletion"].models == 4
    assert np.isnan(found["deletion"].correlation)
    assert "first_component" not in {each.measure for each in predicted([*rated[:2], stateless])}
    assert "| – |" in measures_table([stateless])
    assert "| first_component | +1.00 | – to – | 0.333 | 0.333 | 3 |" in measures_table(rated)


def test_measures_are_restored_from_a_row(policy, make_flight):
    one = replace(measure(policy, [make_flight(policy, 0, 30)]), path_correlation=0.25)
    assert Measures.restored(plain(one)) == one
    bare = replace(one, first_component=float("nan"), lipschitz={"0.1": float("nan")})
    again = Measures.restored(plain(bare))
    assert np.isnan(again.first_component)
    assert np.isnan(again.lipschitz["0.1"])
    assert (again.success_rate, again.dead) == (None, one.dead)
    with pytest.raises(KeyError):
        Measures.restored({"model": "x"})
