from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from liquid_control.cores import CORES, Core, make_core
from liquid_control.liquid import CfCWeights, Masking, auto_ncp, random_weights

torch.set_num_threads(1)

INPUTS, OUTPUTS = 5, 3


@dataclass(frozen=True)
class Case:
    """A core, a state after three steps, and a subsequent sequence; all float64."""

    core: Core
    x: Tensor
    state: Tensor
    dt: Tensor


def make_case(core: Core, batch: int = 4, steps: int = 9, seed: int = 1) -> Case:
    core = core.double()
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, steps + 3, core.input_size, generator=random, dtype=torch.float64)
    dt = 0.2 * torch.rand(batch, steps + 3, generator=random, dtype=torch.float64)
    with torch.no_grad():
        _, state = core.sequence(x[:, :3], core.init_state(batch), dt[:, :3])
    return Case(core, x[:, 3:], state, dt[:, 3:])


@pytest.fixture(params=list(CORES))
def name(request) -> str:
    return request.param


@pytest.fixture
def core(name) -> Core:
    return make_core(name, INPUTS, OUTPUTS, seed=3)


@pytest.fixture
def case(core) -> Case:
    return make_case(core)


@pytest.fixture(params=list(Masking), ids=lambda masking: masking.value)
def weights(request) -> CfCWeights:
    rng = np.random.default_rng(5)
    return random_weights(auto_ncp(34, 19, 4), rng, masking=request.param)
