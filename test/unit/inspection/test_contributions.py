from dataclasses import replace

import numpy as np
import pytest

from liquid_control.errors import ConfigError, ModelError
from liquid_control.inspection.contributions import (
    contributions,
    contributions_of_all,
    steps_of_last_second,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("steps", [1, 5, 20])
@pytest.mark.parametrize("frame", [1, 25, 59])
def test_contributions_sum_to_the_change_of_the_command(policy, flight, frame, steps):
    found = contributions(policy.model, flight, frame, steps)
    before = flight.commands[frame - found.steps]
    assert found.steps == min(steps, frame)
    assert found.change == pytest.approx(flight.commands[frame] - before)
    assert np.abs(found.total - found.change).max() < 1e-4


def test_contributions_of_all_frames_are_those_of_single_frames(policy, flight):
    fresh = flight.fresh.copy()
    fresh[35] = True
    flight = replace(flight, fresh=fresh)
    found = {one.frame: one for one in contributions_of_all(policy.model, flight)}
    assert sorted(found) == [frame for frame in range(len(flight)) if not flight.fresh[frame]]
    for frame, one in found.items():
        alone = contributions(policy.model, flight, frame, steps_of_last_second(flight, frame))
        assert (one.steps, one.nodes) == (alone.steps, alone.nodes)
        assert one.features == pytest.approx(alone.features, abs=1e-12)
        assert one.total == pytest.approx(one.change, abs=1e-4)
        for together, flow in zip(one.flows, alone.flows, strict=True):
            assert together == pytest.approx(flow, abs=1e-12)


def test_every_boundary_between_layers_carries_the_same_sum(policy, flight):
    found = contributions(policy.model, flight, 40, 20)
    inputs = found.features.sum(axis=(1, 2))
    assert [flow.shape for flow in found.flows] == [(4, 41, 9), (4, 9, 6), (4, 6, 4)]
    for flow in found.flows:
        assert flow.sum(axis=(1, 2)) == pytest.approx(inputs, abs=1e-5)
    assert found.flows[0].sum(axis=2) == pytest.approx(found.features.sum(axis=1))
    assert found.neurons.shape == (4, 19)


def test_a_motor_s_flow_ends_in_its_own_neuron(policy, flight):
    """Motor neurons of this wiring are not joined: all that reaches an axis ends in its neuron."""
    last = contributions(policy.model, flight, 40).flows[-1]
    for axis in range(4):
        others = np.delete(last[axis], axis, axis=1)
        assert np.abs(others).max() == pytest.approx(0.0, abs=1e-12)


def test_features_without_a_change_contribute_nothing(policy, flight):
    still = replace(flight, features=np.repeat(flight.features[:1], len(flight), axis=0))
    found = contributions(policy.model, still, 30, 5)
    assert not found.features.any()


def test_one_step_by_hand(policy, flight):
    """A small change of one feature contributes its slope times the change."""
    features = flight.features.copy()
    features[30] = features[29]
    features[30, 5] += np.float32(1e-3)
    weights, state = policy.model.weights, flight.states[29]

    def yaw(change):
        changed = features[29].copy()
        changed[5] += np.float32(change)
        return policy.act(changed, state, float(flight.elapsed_s[30])).command.values[3]

    found = contributions(policy.model, replace(flight, features=features), 30)
    assert weights.wiring.inputs == features.shape[1]
    assert found.features[3, 0, 5] == pytest.approx((yaw(0.1) - yaw(-0.1)) / 200, rel=0.05)
    assert np.delete(found.features[3, 0], 5).any() == False  # noqa: E712


def test_the_window_begins_after_a_fresh_start(policy, flight):
    fresh = flight.fresh.copy()
    fresh[35] = True
    cut = replace(flight, fresh=fresh)
    assert contributions(policy.model, cut, 40, 20).steps == 5
    with pytest.raises(ConfigError, match="where the state is fresh"):
        contributions(policy.model, cut, 35, 20)


def test_the_last_second_is_counted_by_stamps(flight):
    steps = steps_of_last_second(flight, 50)
    assert flight.seconds[50] - flight.seconds[50 - steps] <= 1.0
    assert flight.seconds[50] - flight.seconds[50 - steps - 1] > 1.0
    assert steps_of_last_second(flight, 1) == 1


def test_another_core_has_no_contributions(gru, gru_flight):
    with pytest.raises((ModelError, Exception), match="core"):
        contributions(gru.model, gru_flight, 20)
