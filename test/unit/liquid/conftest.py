import numpy as np
import pytest
import torch

from liquid_control.liquid import CfCWeights, Masking, auto_ncp, random_weights

torch.set_num_threads(1)


@pytest.fixture(params=list(Masking), ids=lambda masking: masking.value)
def weights(request) -> CfCWeights:
    rng = np.random.default_rng(5)
    return random_weights(auto_ncp(34, 19, 4), rng, masking=request.param)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)
