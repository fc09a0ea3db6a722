"""Batches of single frames and the changes of their pictures."""

import numpy as np
import pytest
import torch

from liquid_control.command.motors import MotorScaling
from liquid_control.errors import ConfigError
from liquid_control.perception import INPUTS, MIRRORED_IMU, PerceptionSpec, input_size
from liquid_control.perception.cnn import PerceptionCNN
from liquid_control.training.auxiliary import AUXILIARY_SIZE, MIRRORED_ORDER, MIRRORED_SIGNS
from liquid_control.training.devices import CPU, picture_device
from liquid_control.training.encoder_network import EncoderNetwork, TargetUnits
from liquid_control.training.frame_batches import FrameChanges, FrameTensors, draw_changes
from liquid_control.training.frame_store import FrameStore
from liquid_control.training.tone_curves import ToneCurves, draw_curves

pytestmark = pytest.mark.unit
FRAMES = 40


@pytest.fixture
def store() -> FrameStore:
    """Random frames; every second one is on a trail."""
    rng = np.random.default_rng(3)
    auxiliary = rng.standard_normal((FRAMES, AUXILIARY_SIZE)).astype(np.float32)
    auxiliary[1::2, 0] = np.nan
    return FrameStore(
        images=rng.integers(0, 256, (FRAMES, 18, 32, 3)).astype(np.uint8),
        means=np.full(FRAMES, 127.5, np.float32),
        scales=np.full(FRAMES, 1.0 / 74.0, np.float32),
        imu=rng.standard_normal((FRAMES, 6)).astype(np.float32),
        labels=rng.standard_normal((FRAMES, 4)).astype(np.float32),
        inputs=rng.standard_normal((FRAMES, input_size(tuple(INPUTS)))).astype(np.float32),
        auxiliary=auxiliary,
        elapsed_s=np.full(FRAMES, 0.05, np.float32),
        starts=np.array([0, FRAMES]),
        sha256="",
    )


def test_rows_without_changes_are_those_of_the_store(store: FrameStore) -> None:
    rows = np.array([2, 5, 30])
    batch = FrameTensors.of(store, CPU).batch(rows)
    for name in ("images", "means", "scales", "imu", "labels", "inputs", "auxiliary"):
        expected = torch.from_numpy(getattr(store, name)[rows])
        assert torch.equal(getattr(batch, name).nan_to_num(9.0), expected.nan_to_num(9.0)), name
    assert (batch.gains == 1.0).all()


def test_a_mirrored_frame_has_all_its_values_mirrored(store: FrameStore) -> None:
    rows = np.array([4, 6])
    changes = FrameChanges(np.array([False, True]), np.full((2, 3), 1.5, np.float32), no_curves(2))
    batch = FrameTensors.of(store, CPU).batch(rows, changes)
    assert (batch.images[0].numpy() == store.images[4]).all()
    assert (batch.images[1].numpy() == store.images[6, :, ::-1]).all()
    np.testing.assert_array_equal(batch.imu[1], store.imu[6] * MIRRORED_IMU)
    np.testing.assert_array_equal(batch.labels[1], store.labels[6] * [1, -1, 1, -1])
    expected = store.auxiliary[6, MIRRORED_ORDER] * MIRRORED_SIGNS
    np.testing.assert_array_equal(batch.auxiliary[1], expected)
    assert (batch.gains == 1.5).all()


def test_curves_change_only_pictures_on_a_trail_and_never_the_store(store: FrameStore) -> None:
    before = store.images.copy()
    rows = np.arange(10)
    curves = draw_curves(np.random.default_rng(1), 10, 1.0)
    changes = FrameChanges(np.zeros(10, bool), np.ones((10, 3), np.float32), curves)
    batch = FrameTensors.of(store, CPU).batch(rows, changes)
    changed = (batch.images.numpy() != store.images[rows]).any(axis=(1, 2, 3))
    assert changed.tolist() == [True, False] * 5
    assert (store.images == before).all()


def test_parts_of_a_batch_are_the_batch(store: FrameStore) -> None:
    frames, rows = FrameTensors.of(store, CPU), np.arange(3, 33)
    changes = draw_changes(np.random.default_rng(2), len(rows), 0.1, 0.5)
    whole = frames.batch(rows, changes)
    parts = [frames.batch(rows[p], changes.of(p)) for p in np.array_split(np.arange(30), 4)]
    for name in ("images", "means", "imu", "labels", "gains"):
        joined = torch.cat([getattr(part, name) for part in parts])
        assert torch.equal(joined, getattr(whole, name)), name


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert picture_device("auto").type == "cpu"
    with pytest.raises(ConfigError, match=r"learner\.device: cuda: PyTorch finds no GPU"):
        picture_device("cuda")


def test_processes_of_torchrun_learn_on_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert picture_device("auto").type == "cuda"
    assert picture_device("cpu").type == "cpu"
    assert picture_device("auto", 2).type == "cpu"
    with pytest.raises(ConfigError, match="torchrun learn on CPUs"):
        picture_device("cuda", 2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no GPU here")
def test_a_gpu_computes_the_loss_of_a_cpu(store: FrameStore) -> None:
    changes = draw_changes(np.random.default_rng(2), 20, 0.1, 0.5)
    spec = PerceptionSpec(height=18, width=32, hidden=12, mount=True, features=6)
    network = EncoderNetwork(PerceptionCNN(spec, seed=1), MotorScaling(), 1)
    units = TargetUnits(torch.ones(4), torch.ones(AUXILIARY_SIZE))
    losses = []
    for device in (CPU, torch.device("cuda")):
        batch = FrameTensors.of(store, device).batch(np.arange(20), changes)
        losses.append(float(network.to(device).loss(batch, units.to(device))))
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


def no_curves(count: int) -> ToneCurves:
    return draw_curves(np.random.default_rng(0), count, 0.0)
