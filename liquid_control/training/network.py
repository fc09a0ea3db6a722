"""The whole policy in torch, from pictures and IMU features to motor values, as it flies."""

import torch
from torch import Tensor, nn

from liquid_control.command.motors import MotorScaling
from liquid_control.config import Scenario
from liquid_control.cores.wired_cfc import TorchCfC
from liquid_control.liquid.wiring_generators import auto_ncp
from liquid_control.perception.cnn import PerceptionCNN
from liquid_control.perception.imu_features import FEATURES as IMU_FEATURES
from liquid_control.perception.network_spec import PerceptionSpec
from liquid_control.training.training_settings import NetworkSettings
from liquid_control.training.windows import Batch

MOTOR_NEURONS = 4
TARGET_LIMIT = 0.97
"""Largest magnitude of a motor target: the neurons reach one only asymptotically."""


class PolicyNetwork(nn.Module):
    """Encoder, cell and motor scaling.

    Attributes:
        encoder: pictures to features.
        cell: features to motor neurons, over time.
        motors: what the motor neurons stand for.
    """

    def __init__(self, encoder: PerceptionCNN, cell: TorchCfC, motors: MotorScaling) -> None:
        super().__init__()
        self.encoder = encoder
        self.cell = cell
        self.motors = motors

    @classmethod
    def fresh(cls, settings: NetworkSettings, scenario: Scenario, seed: int) -> "PolicyNetwork":
        """Return a network with weights to start from, for a scenario's camera."""
        camera = scenario.camera
        spec = PerceptionSpec(height=camera.height, width=camera.width, features=settings.features)
        wiring = auto_ncp(
            settings.features + IMU_FEATURES, settings.neurons, MOTOR_NEURONS, settings.sparsity
        )
        cell = TorchCfC.fresh(wiring, seed=seed, time_unit_s=1.0 / camera.rate_hz)
        return cls(PerceptionCNN(spec, seed=seed), cell, settings.motors)

    def sequence(self, batch: Batch, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run windows through.

        Args:
            batch: B windows of L steps.
            state: [B, N], before the first step.

        Returns:
            Motor values [B, L, 4] in (-1, 1), and the state after the last step.
        """
        windows, steps = batch.images.shape[:2]
        pictures = standardise(
            torch.from_numpy(batch.images).flatten(0, 1),
            torch.from_numpy(batch.means).flatten(),
            torch.from_numpy(batch.scales).flatten(),
        )
        seen = self.encoder(pictures).unflatten(0, (windows, steps))
        features = torch.cat([seen, torch.from_numpy(batch.imu)], dim=-1)
        elapsed = torch.from_numpy(batch.elapsed_s)
        outputs, after = self.cell.sequence(
            features, state, elapsed, torch.from_numpy(batch.valid)
        )
        return outputs, after

    def motor_values(self, labels: Tensor) -> Tensor:
        """Return commands [..., 4] as motor values, held to what the neurons can reach."""
        return torch.from_numpy(self.motors.motors(labels.numpy(), TARGET_LIMIT))


def standardise(images: Tensor, means: Tensor, scales: Tensor) -> Tensor:
    """Take mean and contrast out of pictures, as `perception.image.standardise` does.

    Args:
        images: uint8 [B, H, W, 3].
        means: float32 [B], the pictures' means.
        scales: float32 [B], one over their standard deviations.

    Returns:
        float32 [B, 3, H, W], channels last in memory.
    """
    pictures = images.to(torch.float32)
    pictures.sub_(means[:, None, None, None]).mul_(scales[:, None, None, None])
    return pictures.permute(0, 3, 1, 2)
