from dataclasses import replace

import numpy as np
import pytest

from liquid_control.errors import ConfigError
from liquid_control.inspection.counterfactuals import (
    Clamp,
    ClampedPolicy,
    clamped_model,
    run_again,
    single_clamps,
    without,
)
from liquid_control.inspection.moment import moment_of
from liquid_control.liquid.weights import LayerWeights
from liquid_control.policy import PolicyPilot

pytestmark = pytest.mark.unit


def test_the_unchanged_policy_gives_the_flown_commands_bit_for_bit(policy, flight):
    again = run_again(policy, flight)
    assert np.array_equal(again.commands, flight.commands)
    assert np.array_equal(again.states, flight.states)


@pytest.mark.parametrize("words", [["inter_7"], ["command_2=0.5"], ["image_3=0.25", "motor_1"]])
def test_a_counterfactual_equals_flying_the_clamped_policy_bit_for_bit(
    policy, flight, frames, words
):
    """The pilot runs pictures, network, session and cell, as in flight."""
    clamp = Clamp.parse(words, policy.model)
    found = without(policy, flight, clamp)
    pilot = PolicyPilot(ClampedPolicy(policy.model, clamp))
    flown = [pilot.command(frame, None).values for frame in frames]
    assert np.array_equal(found.commands, np.array(flown))
    assert not np.array_equal(found.commands, flight.commands)


def test_a_clamped_neuron_has_its_value_before_others_read_it(policy, flight):
    """By hand: the inter layer's neuron is replaced between the layers, in float64."""
    weights, wiring = policy.model.weights, policy.model.weights.wiring
    index, value = 7, 0.4
    found = without(policy, flight, Clamp({index: value}))
    state = np.zeros(wiring.neurons)
    for frame in range(10):
        given, parts = flight.features[frame].astype(np.float64), []
        ticks = flight.elapsed_s[frame] / weights.time_unit_s
        for own, layer in zip(wiring.slices, weights.layers, strict=True):
            joined = np.concatenate([given, state[own]])
            ff1, ff2, a, b = (layer.weight.astype(np.float64) @ joined) + layer.bias
            gate = 1.0 / (1.0 + np.exp(-(a * ticks + b)))
            given = np.tanh(ff1) * (1.0 - gate) + np.tanh(ff2) * gate
            if own.start <= index < own.stop:
                given[index - own.start] = value
            parts.append(given)
        state = np.concatenate(parts)
        assert found.states[frame] == pytest.approx(state, abs=2e-6)


def test_a_lesioned_neuron_is_exactly_zero(policy, flight):
    found = without(policy, flight, Clamp({3: 0.0}))
    assert not found.states[:, 3].any()


def test_another_core_is_clamped_between_steps(gru, gru_flight):
    found = without(gru, gru_flight, Clamp.parse(["state_4=0.2"], gru.model))
    assert (found.states[:, 4] == np.float32(0.2)).all()
    assert not np.array_equal(found.commands[1:], gru_flight.commands[1:])


def test_every_neuron_and_feature_has_a_clamp(policy, flight):
    clamps = single_clamps(policy.model, flight)
    assert len(clamps) == 19 + 41
    assert clamps[7].label == "inter_7 = 0"
    assert clamps[19].features == {0: pytest.approx(flight.features[:, 0].mean())}


def test_a_moment_names_the_neuron_that_alone_reaches_an_axis(policy, flight):
    moment = moment_of(policy, flight, 1.5, [Clamp.parse(["inter_7"], policy.model)])
    assert moment.sentences(3)[0].startswith("with inter_7 = 0 the yaw command is ")
    by_label = {one.label: one for one in moment.what_ifs}
    assert by_label["motor_3 = 0"].command[3] == 0.0
    assert moment.step.frame == flight.frame_at(1.5) == moment.frame


def test_a_core_without_wiring_keeps_its_what_ifs(gru, gru_flight):
    moment = moment_of(gru, gru_flight, 1.5)
    assert moment.second is None
    assert len(moment.what_ifs) == 13 + 41


def test_bad_clamps_and_moments_are_refused_in_one_line(policy, flight):
    with pytest.raises(ConfigError, match="no neuron or feature 'inter_9' in trail_cfc19"):
        Clamp.parse(["inter_9"], policy.model)
    with pytest.raises(ConfigError, match="expected a finite number, got 'much'"):
        Clamp.parse(["inter_2=much"], policy.model)
    with pytest.raises(ConfigError, match="a neuron's state is within"):
        Clamp.parse(["inter_2=1.0"], policy.model)
    with pytest.raises(ConfigError, match=r"expected a moment from 0 to .* got 99 s"):
        moment_of(policy, flight, 99.0)


def test_a_clamped_model_changes_one_neuron_only(policy):
    before, after = policy.model.weights, clamped_model(policy.model, {10: 0.0}).weights
    for layer, (old, new) in enumerate(zip(before.layers, after.layers, strict=True)):
        changed = np.argwhere((old.weight != new.weight).any(axis=(0, 2))).ravel().tolist()
        assert changed == ([1] if layer == 1 else [])
    assert isinstance(after.layers[0], LayerWeights)
    assert replace(before).wiring == after.wiring
