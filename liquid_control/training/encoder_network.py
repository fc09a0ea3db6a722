"""The encoder with the heads that train it: commands of the expert and auxiliary targets."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from liquid_control.command.motors import MotorScaling
from liquid_control.perception import IMU_FEATURES, INPUTS, MOUNT_SIZE, input_columns, input_size
from liquid_control.perception.cnn import PerceptionCNN
from liquid_control.training.auxiliary import AUXILIARY_SIZE, ROUTE, SCALARS
from liquid_control.training.frame_batches import FrameBatch
from liquid_control.training.network import motor_values, standardise

TASKS = ("trail", "visit")
"""Tasks with a head of commands each: a trail to follow, targets to visit."""
HEAD_WIDTH = 128
HUBER_DELTA = 2.0
"""Error above which the loss is linear, in standard deviations of a target."""
_LEAST_UNIT = 0.05
"""Of a target that hardly varies, whose small errors must not outweigh those of all others."""
COMMAND_WEIGHTS = (1.0, 4.0, 0.5, 4.0)
"""Of forward, left, up and yaw rate in the loss."""
ROUTE_WEIGHT, SCALAR_WEIGHT, DEPTH_WEIGHT = 1.0, 0.5, 4.0
"""Of each distance along the expert's route, of each other scalar, and of the whole depth map."""
_ROUTE = [name in ROUTE for name in SCALARS]


@dataclass(frozen=True, slots=True)
class TargetUnits:
    """Standard deviations of the targets over the frames of a training.

    Errors are divided by them: else the many cells of the depth map outweigh the commands.

    Attributes:
        commands: float32 [4], of motor values.
        auxiliary: float32 [A]; one value for all cells of the depth map.
    """

    commands: Tensor
    auxiliary: Tensor

    @classmethod
    def of(cls, commands: Tensor, auxiliary: Tensor) -> "TargetUnits":
        """Return the units of motor values [N, 4] and of auxiliary targets [N, A], NaN unknown."""
        known = torch.isfinite(auxiliary)
        count = known.sum(0).clamp(min=1)
        filled = torch.where(known, auxiliary, 0.0)
        mean = filled.sum(0) / count
        variance = (torch.where(known, filled - mean, 0.0) ** 2).sum(0) / count
        scalars = len(SCALARS)
        variance[scalars:] = variance[scalars:].mean()
        return cls(
            commands.std(0, correction=0).clamp(min=_LEAST_UNIT),
            variance.sqrt().clamp(min=_LEAST_UNIT),
        )

    def to(self, device: torch.device) -> "TargetUnits":
        """Return the units on a device."""
        return TargetUnits(self.commands.to(device), self.auxiliary.to(device))


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

    def loss(self, batch: FrameBatch, units: TargetUnits) -> Tensor:
        """Return the loss summed over the frames."""
        commands, truth = self.predict(batch)
        auxiliary = batch.auxiliary
        on_trail = torch.isfinite(auxiliary[:, 0])
        flown = torch.where(on_trail[:, None], commands[:, 0], commands[:, 1])
        wanted = motor_values(self.motors, batch.labels)
        command = _huber((flown - wanted) / units.commands) @ flown.new_tensor(COMMAND_WEIGHTS)
        known = torch.isfinite(auxiliary)
        errors = torch.where(known, truth - torch.where(known, auxiliary, 0.0), 0.0)
        errors = _huber(errors / units.auxiliary)
        count = len(SCALARS)
        weights = [ROUTE_WEIGHT if route else SCALAR_WEIGHT for route in _ROUTE]
        scalars = errors[:, :count] @ errors.new_tensor(weights)
        return (command + scalars + DEPTH_WEIGHT * errors[:, count:].mean(1)).sum()


def _huber(errors: Tensor) -> Tensor:
    zeros = torch.zeros_like(errors)
    return functional.huber_loss(errors, zeros, reduction="none", delta=HUBER_DELTA)


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
