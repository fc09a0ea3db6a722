from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
import torch
from toy_run import toy_settings

from liquid_control.errors import OutputError
from liquid_control.training.auxiliary import AUXILIARY_SIZE
from liquid_control.training.dataset import Dataset
from liquid_control.training.learner import Learner, lr_scale
from liquid_control.training.network import PolicyNetwork
from liquid_control.training.network_settings import LearnerSettings
from liquid_control.training.windows import Windows

pytestmark = pytest.mark.unit


def bars(frames=240):
    """Pictures with a moving bright bar; the sideways label is its position."""
    rng = np.random.default_rng(0)
    places = np.round(16 + 11 * np.sin(np.arange(frames) / 7.0)).astype(int)
    images = rng.integers(30, 60, (frames, 18, 32, 3), dtype=np.uint8)
    for image, place in zip(images, places, strict=True):
        image[:, place - 1 : place + 2] = 220
    labels = np.zeros((frames, 4), np.float32)
    labels[:, 0], labels[:, 1] = 1.5, (16 - places) / 12.0
    flat = images.reshape(frames, -1).astype(np.float64)
    return Dataset(
        inputs=np.zeros((frames, 6), np.float32),
        auxiliary=np.zeros((frames, AUXILIARY_SIZE), np.float32),
        features=np.zeros((2, frames, 0), np.float32),
        images=images,
        means=flat.mean(axis=1).astype(np.float32),
        scales=(1.0 / flat.std(axis=1)).astype(np.float32),
        imu=np.zeros((frames, 6), np.float32),
        labels=labels,
        elapsed_s=np.full(frames, 0.05, np.float32),
        starts=np.arange(0, frames + 1, 24),
        origins=np.arange(len(np.arange(0, frames + 1, 24)) - 1),
        sha256="",
    )


def learner(**changes):
    settings = toy_settings()
    values = {"windows": 4, "window_steps": 8, "burn_in_steps": 2, "threads": 2, **changes}
    network = PolicyNetwork.fresh(settings.network, settings.base_scenario(), 0)
    return Learner(network, LearnerSettings(**values), seed=0)


def weights(one: Learner):
    return {
        **one.network.state_dict(),
        **{f"a.{k}": v for k, v in one.average.state_dict().items()},
    }


def learn(one: Learner, steps: int, folder, until=None):
    """Learn a round of `steps` steps; stop at step `until`."""

    def on_step(_loss):
        if one.step == until:
            raise KeyboardInterrupt

    one.begin(0)
    with suppress(KeyboardInterrupt):
        one.learn(bars(), steps, folder, on_step)


def test_it_learns(tmp_path):
    one = learner(average_decay=0.5)
    before = one.validation_loss(bars())
    learn(one, 80, tmp_path)
    assert one.curve[-1].validation == pytest.approx(one.validation_loss(bars()))
    assert one.curve[-1].validation < 0.4 * before
    assert one.curve[-1].step == 80


def test_resumed_learner_ends_with_the_same_bits(tmp_path):
    straight, killed, resumed = (learner(save_every_s=1e-9) for _ in range(3))
    learn(straight, 30, tmp_path / "a")
    learn(killed, 30, tmp_path / "b", until=25)
    assert resumed.restore(tmp_path / "b")
    assert (resumed.round, resumed.step) == (0, 20)
    learn(resumed, 30, tmp_path / "b")
    assert resumed.curve == straight.curve
    for name, value in weights(straight).items():
        assert torch.equal(weights(resumed)[name], value), name


def test_number_of_threads_changes_rounding_only(tmp_path):
    one, two = learner(threads=1), learner(threads=2)
    learn(one, 5, tmp_path)
    learn(two, 5, tmp_path)
    for name, value in weights(one).items():
        torch.testing.assert_close(weights(two)[name], value, rtol=2e-3, atol=2e-4)


def test_a_new_round_starts_from_the_weights(tmp_path):
    one = learner()
    learn(one, 10, tmp_path)
    before = weights(one)["core.weight.0"].clone()
    one.begin(1)
    assert (one.round, one.step, one.total) == (1, 0, 10)
    assert torch.equal(weights(one)["core.weight.0"], before)


def test_average_follows_slowly(tmp_path):
    one = learner(average_decay=0.99)
    start = one.average.core.weight[0].clone()
    learn(one, 3, tmp_path)
    live = (one.network.core.weight[0] - start).abs().max()
    assert 0 < (one.average.core.weight[0] - start).abs().max() < live + 1e-6
    assert not any(parameter.requires_grad for parameter in one.average.parameters())


def test_steps_in_burn_in_do_not_count():
    """Labels of uncounted steps do not change the gradient; labels of counted steps do."""
    gradients = []
    for changed in (None, 1, 5):
        one, data = learner(), bars()
        window = Windows(np.array([3]), np.array([24]), np.array([False]))
        if changed is not None:
            data.labels[3 + changed] += 0.3
        gradients.append(one._gradients(data, window).gradients[-1])
    assert torch.equal(gradients[0], gradients[1])
    assert not torch.equal(gradients[0], gradients[2])


def test_damaged_checkpoint_is_named(tmp_path):
    (tmp_path / "learner.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(OutputError, match=r"learner\.pt: is not a checkpoint"):
        learner().restore(tmp_path)
    assert not learner().restore(tmp_path / "elsewhere")


def test_rate_rises_then_falls_to_a_fiftieth():
    shares = [lr_scale(step, 100) for step in range(100)]
    assert shares[0] == pytest.approx(0.2)
    assert max(shares) == shares[5] == 1.0
    assert all(a > b for a, b in pairwise(shares[5:]))
    assert shares[-1] == pytest.approx(0.02, abs=1e-3)
    assert lr_scale(0, 1) == 1.0
