"""The encoder with the heads that train it: commands of the expert and auxiliary targets."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from liquid_control.command.motors import MotorScaling
from liquid_control.perception import IMU_FEATURES, INPUTS, MOUNT_SIZE, input_columns, input_size
from liquid_control.perception.cnn import PerceptionCNN
from liquid_control.training.auxiliary import AUXILIARY_SIZE, SCALARS
from liquid_control.training.frame_batches import FrameBatch
from liquid_control.training.network import motor_values, standardise

TASKS = ("trail", "visit")
"""Tasks with a head of commands each: a trail to follow, targets to visit."""
HEAD_WIDTH = 128
HUBER_DELTA = 0.3
COMMAND_WEIGHTS = (1.0, 2.0, 1.0, 2.0)
DEPTH_WEIGHT = 2.0


class EncoderNetwork(nn.Module):
    """Encoder and heads.

    Attributes:
        encoder: pictures to features; the part that is kept.
        motors: range of the commands.
    """

    def __init__(self, encoder: PerceptionCNN, motors: MotorScaling, seed: int) -> None:
        super().__init__()
        self.encoder, self.motors = encoder, motors
        features = encoder.spec.features
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.truth = _head(features + MOUNT_SIZE, AUXILIARY_SIZE)
            width = features + IMU_FEATURES + input_size(tuple(INPUTS))
            self.command = _head(width, len(TASKS) * len(COMMAND_WEIGHTS))

    def features(self, batch: FrameBatch) -> Tensor:
        """Return the encoder's features [B, F]."""
        pictures = standardise(batch.images, batch.means, batch.scales)
        pictures = pictures * batch.gains[:, :, None, None]
        _, mount = _inputs(batch)
        # A GPU computes convolutions in bfloat16 several times as fast; sums stay in float32.
        with torch.autocast("cuda", torch.bfloat16, enabled=pictures.is_cuda):
            features: Tensor = self.encoder(pictures, mount if self.encoder.spec.mount else None)
        return features.to(torch.float32)

    def predict(self, batch: FrameBatch) -> tuple[Tensor, Tensor]:
        """Return motor values [B, tasks, 4] in (-1, 1), and auxiliary values [B, A]."""
        features, (inputs, mount) = self.features(batch), _inputs(batch)
        commands = torch.tanh(self.command(torch.cat([features, batch.imu, inputs], dim=1)))
        truth = self.truth(torch.cat([features, mount], dim=1))
        return commands.view(len(commands), len(TASKS), -1), truth

    def loss(self, batch: FrameBatch) -> Tensor:
        """Return the loss summed over the frames."""
        commands, truth = self.predict(batch)
        auxiliary = batch.auxiliary
        on_trail = torch.isfinite(auxiliary[:, 0])
        flown = torch.where(on_trail[:, None], commands[:, 0], commands[:, 1])
        wanted = motor_values(self.motors, batch.labels)
        errors = functional.huber_loss(flown, wanted, reduction="none", delta=HUBER_DELTA)
        command = (errors * errors.new_tensor(COMMAND_WEIGHTS)).sum(1)
        known = torch.isfinite(auxiliary)
        auxiliary = torch.where(known, auxiliary, 0.0)
        errors = functional.huber_loss(truth, auxiliary, reduction="none", delta=HUBER_DELTA)
        errors = errors * known
        count = len(SCALARS)
        return (command + errors[:, :count].sum(1) + DEPTH_WEIGHT * errors[:, count:].sum(1)).sum()


def _inputs(batch: FrameBatch) -> tuple[Tensor, Tensor]:
    """Return all optional inputs, 0 where unknown, and the camera's mount among them."""
    inputs = torch.nan_to_num(batch.inputs)
    return inputs, inputs[:, input_columns(("mount",))]


def _head(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(inputs, HEAD_WIDTH),
        nn.SiLU(),
        nn.Linear(HEAD_WIDTH, HEAD_WIDTH),
        nn.SiLU(),
        nn.Linear(HEAD_WIDTH, outputs),
    )
