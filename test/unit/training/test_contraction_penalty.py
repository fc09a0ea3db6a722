import numpy as np
import pytest
import torch
from test_learner import bars, learner

from liquid_control.cores import WiredCfC
from liquid_control.errors import ConfigError
from liquid_control.training.contraction_penalty import (
    contraction_penalty,
    derivative_bounds,
    layer_rates,
)
from liquid_control.training.training_settings import load_training

pytestmark = pytest.mark.unit


def test_bounds_of_one_neuron_by_hand():
    """wa = wc = 0.8 and gates that do not depend on the state: the head alone, 0.8."""
    weight = torch.tensor([[[0.8]], [[-0.8]], [[0.0]], [[0.0]]])
    assert derivative_bounds(weight, 2.0).item() == pytest.approx(0.8)
    # Heads of zero: (C - A) s (1 - s) m with C - A = 2 and s = 1/2, so m / 2.
    weight = torch.tensor([[[0.0]], [[0.0]], [[0.3]], [[-0.4]]])
    assert derivative_bounds(weight, 2.0).item() == pytest.approx(0.5, rel=1e-3)


def test_bounds_are_above_a_dense_grid():
    rng = np.random.default_rng(0)
    a, c, s = np.meshgrid(*(np.linspace(low, 1.0, 41) for low in (-1.0, -1.0, 0.0)))
    for _ in range(20):
        wa, wc, wta, wtb = rng.normal(size=4)
        bound = derivative_bounds(torch.tensor([[[wa]], [[wc]], [[wta]], [[wtb]]]), 1.5).item()
        for m in (wtb, 1.5 * wta + wtb):
            value = (1 - s) * (1 - a * a) * wa + s * (1 - c * c) * wc + (c - a) * s * (1 - s) * m
            assert np.abs(value).max() <= bound * (1.0 + 5e-3)


def test_rates_are_those_of_the_best_weights():
    weight = torch.zeros(4, 2, 2)
    weight[0, 0, 1], weight[0, 1, 0] = 4.0, 0.01
    weight[1] = weight[0]
    assert layer_rates(weight, 1.0).max().item() == pytest.approx(0.2, abs=2e-2)


def test_descent_on_the_penalty_reaches_the_target():
    core = WiredCfC.with_auto_ncp(8, 4, seed=1)
    optimiser = torch.optim.Adam(core.parameters(), lr=0.02)
    first = contraction_penalty(core, 0.8, 0.1)
    assert first.item() > 0.1
    for _ in range(300):
        optimiser.zero_grad()
        torch.autograd.backward(contraction_penalty(core, 0.8, 0.1))
        optimiser.step()
    assert contraction_penalty(core, 0.8, 0.1).item() < 0.02
    for weight in core.state_weights():
        assert layer_rates(weight, 2.0).max().item() < 0.83


def test_the_learner_adds_it_and_leaves_other_trainings_unchanged(tmp_path):
    def trained(**changes):
        one = learner(**changes)
        one.begin(0)
        one.learn(bars(), 12, tmp_path / str(len(changes)), lambda _: None)
        return one

    plain, penalised = trained(), trained(contraction={"weight": 5.0, "rate": 0.5, "dt_s": 0.1})
    off = trained(contraction={"weight": 0.0, "rate": 0.5, "dt_s": 0.1}, save_every_s=99.0)
    for one, other in zip(plain.network.parameters(), off.network.parameters(), strict=True):
        assert torch.equal(one, other)
    before, after = (contraction_penalty(n.network.core, 0.5, 0.1) for n in (plain, penalised))
    assert after.item() < before.item()


@pytest.mark.parametrize(
    "core", [{"kind": "gru"}, {"kind": "cfc_wired", "options": {"mode": "pure"}}]
)
def test_another_core_is_refused_before_training(core):
    changes = {"learner.contraction.weight": 1.0, "network.core.kind": core["kind"]}
    if "options" in core:
        changes["network.core.options"] = core["options"]
    with pytest.raises(ConfigError, match=r"contraction\.weight needs the core cfc_wired"):
        load_training("config/train/trail_core.yaml", changes)
