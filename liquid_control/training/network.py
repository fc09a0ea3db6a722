"""The policy as a torch module, from pictures and IMU features to motor values."""

import torch
from torch import Tensor, nn

from liquid_control.command.motors import MotorScaling
from liquid_control.config import Scenario
from liquid_control.cores import WiredCfC
from liquid_control.liquid.wiring_generators import auto_ncp
from liquid_control.perception import IMU_FEATURES, PerceptionSpec
from liquid_control.perception.cnn import PerceptionCNN
from liquid_control.training.training_settings import NetworkSettings
from liquid_control.training.windows import Batch

MOTOR_NEURONS = 4
TARGET_LIMIT = 0.97
"""Largest magnitude of a motor target: the neurons reach 1 only asymptotically."""


class PolicyNetwork(nn.Module):
    """Encoder, cell and motor scaling.

    Attributes:
        encoder: pictures to features.
        cell: features to motor neurons, over time.
        motors: range of each motor neuron.
    """

    def __init__(self, encoder: PerceptionCNN, cell: WiredCfC, motors: MotorScaling) -> None:
        super().__init__()
        self.encoder = encoder
        self.cell = cell
        self.motors = motors

    @classmethod
    def fresh(cls, settings: NetworkSettings, scenario: Scenario, seed: int) -> "PolicyNetwork":
        """Return a network with initial weights for a scenario's camera."""
        camera = scenario.camera
        spec = PerceptionSpec(height=camera.height, width=camera.width, features=settings.features)
        wiring = auto_ncp(
            settings.features + IMU_FEATURES, settings.neurons, MOTOR_NEURONS, settings.sparsity
        )
        cell = WiredCfC(wiring, seed=seed, time_unit_s=1.0 / camera.rate_hz)
        return cls(PerceptionCNN(spec, seed=seed), cell, settings.motors)

    def sequence(self, batch: Batch, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run the network over windows.

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
        encoded = self.encoder(pictures).unflatten(0, (windows, steps))
        features = torch.cat([encoded, torch.from_numpy(batch.imu)], dim=-1)
        elapsed = torch.from_numpy(batch.elapsed_s)
        outputs, after = self.cell.sequence(
            features, state, elapsed, torch.from_numpy(batch.valid)
        )
        return outputs, after

    def motor_values(self, labels: Tensor) -> Tensor:
        """Return commands [..., 4] as motor values, limited to the neurons' range."""
        return torch.from_numpy(self.motors.motors(labels.numpy(), TARGET_LIMIT))


def standardise(images: Tensor, means: Tensor, scales: Tensor) -> Tensor:
    """Normalise mean and contrast of pictures, as `perception.image.standardise` does.

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
