import pytest
import torch

from liquid_control.cores.rwkv import RWKV

from .conftest import make_case

pytestmark = pytest.mark.unit


def test_a_layer_by_the_papers_sums():
    core = RWKV(3, 2, width=4, layers=1).double()
    random = torch.Generator().manual_seed(0)
    x = torch.randn(1, 6, 3, generator=random, dtype=torch.float64)
    dt = torch.rand(1, 6, generator=random, dtype=torch.float64)
    mixing, channel = core.time_mixing[0], core.channel_mixing[0]
    torch.nn.init.normal_(mixing.bonus, generator=random)
    features = core.embed(x)[0]

    def shifted(shift, values):
        normed = shift.norm(values)
        before = torch.cat([torch.zeros(1, 4).double(), normed[:-1]])
        return [mix * normed + (1 - mix) * before for mix in shift.mix]

    for_r, for_k, for_v = shifted(mixing.shift, features)
    receptance = torch.sigmoid(mixing.receptance(for_r))
    key, value = mixing.key(for_k), mixing.value(for_v)
    now, decay = (dt[0] / 0.05).cumsum(dim=0), torch.exp(mixing.log_decay)
    average = torch.zeros(6, 4).double()
    for t in range(6):
        weights = [torch.exp(-decay * (now[t] - now[i]) + key[i]) for i in range(t)]
        weights = torch.stack([*weights, torch.exp(mixing.bonus + key[t])])
        average[t] = (weights * value[: t + 1]).sum(dim=0) / weights.sum(dim=0)
    features = features + mixing.out(receptance * average)
    for_r, for_k = shifted(channel.shift, features)
    hidden = torch.relu(channel.key(for_k)) ** 2
    features = features + torch.sigmoid(channel.receptance(for_r)) * channel.value(hidden)
    outputs, _ = core.sequence(x, core.init_state(1), dt)
    torch.testing.assert_close(outputs[0], core.readout(features))


def test_large_keys_do_not_overflow():
    case = make_case(RWKV(3, 2, width=4, layers=1))
    core = case.core.float()
    with torch.no_grad():
        core.time_mixing[0].key.weight.mul_(1e4)
    outputs, after = core.sequence(case.x.float(), core.init_state(4), case.dt.float())
    assert torch.isfinite(outputs).all()
    assert torch.isfinite(after).all()
