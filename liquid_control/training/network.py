"""The policy as a torch module, from pictures and IMU features to motor values."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from liquid_control.command.motors import MotorScaling
from liquid_control.config import Scenario
from liquid_control.config.suggestions import suggestion
from liquid_control.cores import CORES, Core, WiredCfC, make_core, step_graph
from liquid_control.errors import CellError, ConfigError
from liquid_control.perception import (
    DEFAULT_CONVOLUTIONS,
    IMU_FEATURES,
    PerceptionSpec,
    input_columns,
    input_size,
)
from liquid_control.perception.cnn import PerceptionCNN
from liquid_control.policy import ModelCore
from liquid_control.policy.model import CORE_PREFIX
from liquid_control.training.encoder_files import load_encoder
from liquid_control.training.network_settings import CoreChoice, NetworkSettings
from liquid_control.training.windows import Batch

MOTOR_VALUES = 4
TARGET_LIMIT = 0.97
"""Largest magnitude of a motor target: the neurons reach 1 only asymptotically."""


class PolicyNetwork(nn.Module):
    """Encoder, recurrent core and motor scaling.

    Attributes:
        encoder: pictures to features.
        core: features to motor values, over time.
        motors: range of each motor value.
        described: the core, as `model.yaml` holds it.
        inputs: names of the optional inputs of the core.
        frozen: whether the encoder is not trained, and batches hold its features.
    """

    def __init__(
        self,
        encoder: PerceptionCNN,
        core: Core,
        motors: MotorScaling,
        described: ModelCore,
        inputs: Sequence[str] = (),
        frozen: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.core = core
        self.motors = motors
        self.described = described
        self.inputs = tuple(inputs)
        self.frozen = frozen
        encoder.requires_grad_(not frozen)

    @classmethod
    def fresh(cls, settings: NetworkSettings, scenario: Scenario, seed: int) -> "PolicyNetwork":
        """Return a network with initial weights for a scenario's camera."""
        camera = scenario.camera
        encoder = PerceptionCNN(encoder_spec(settings, camera.height, camera.width), seed=seed)
        if settings.encoder:
            trained = load_encoder(settings.encoder)
            encoder = PerceptionCNN(trained.spec)
            encoder.load_arrays(dict(trained.arrays))
        total = encoder.spec.features + IMU_FEATURES + input_size(settings.inputs)
        core, described = build_core(settings.core, total, 1.0 / camera.rate_hz, seed)
        frozen = bool(settings.encoder) and settings.frozen
        return cls(encoder, core, settings.motors, described, settings.inputs, frozen)

    def core_arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return the arrays of the core by name, as `weights.npz` holds them."""
        if isinstance(self.core, WiredCfC):
            return self.core.weights().arrays()
        tensors = {**self.core.state_dict(), "initial_state": self.core.init_state(1)[0]}
        return {
            f"{CORE_PREFIX}{name}": tensor.detach().to(torch.float32).numpy()
            for name, tensor in tensors.items()
        }

    def core_graph(self) -> bytes | None:
        """Return one step of the core as an ONNX graph; None for the wired CfC."""
        return None if isinstance(self.core, WiredCfC) else step_graph(self.core)

    def sequence(self, batch: Batch, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run the network over windows.

        Args:
            batch: B windows of L steps.
            state: [B, N], before the first step.

        Returns:
            Motor values [B, L, 4] in (-1, 1), and the state after the last step.
        """
        encoded = torch.from_numpy(batch.features) if self.frozen else self._encode(batch)
        inputs = torch.from_numpy(batch.inputs)[..., input_columns(self.inputs)]
        features = torch.cat([encoded, torch.from_numpy(batch.imu), inputs], dim=-1)
        elapsed = torch.from_numpy(batch.elapsed_s)
        outputs, after = self.core.sequence(
            features, state, elapsed, torch.from_numpy(batch.valid)
        )
        return (outputs if self.core.bounded else torch.tanh(outputs)), after

    def _encode(self, batch: Batch) -> Tensor:
        windows, steps = batch.images.shape[:2]
        pictures = standardise(
            torch.from_numpy(batch.images).flatten(0, 1),
            torch.from_numpy(batch.means).flatten(),
            torch.from_numpy(batch.scales).flatten(),
        )
        inputs = torch.from_numpy(batch.inputs)
        mount = inputs[..., input_columns(("mount",))].flatten(0, 1)
        features: Tensor = self.encoder(pictures, mount if self.encoder.spec.mount else None)
        return features.view(windows, steps, -1)


def motor_values(motors: MotorScaling, labels: Tensor) -> Tensor:
    """Return commands [..., 4] as motor values, limited to the neurons' range."""
    offsets, scales = (labels.new_tensor(part) for part in (motors.offsets, motors.scales))
    return ((labels - offsets) / scales).clamp(-TARGET_LIMIT, TARGET_LIMIT)


def encoder_spec(settings: NetworkSettings, height: int, width: int) -> PerceptionSpec:
    """Return the layers of an encoder for pictures of a size."""
    convolutions = [
        layer.model_copy(update={"channels": channels, "stride": stride})
        for layer, channels, stride in zip(
            DEFAULT_CONVOLUTIONS, settings.channels, settings.strides, strict=True
        )
    ]
    return PerceptionSpec(
        height=height,
        width=width,
        convolutions=tuple(convolutions),
        hidden=settings.hidden,
        mount=settings.mount,
        features=settings.features,
    )


def build_core(
    choice: CoreChoice, inputs: int, time_unit_s: float, seed: int
) -> tuple[Core, ModelCore]:
    """Return a core with random weights, and its description for `model.yaml`.

    Args:
        choice: kind, size and options.
        inputs: number of features.
        time_unit_s: unit of elapsed time, s.
        seed: of the weights.

    Raises:
        ConfigError: no core has this name, or an option does not fit it.
    """
    if choice.kind not in CORES:
        raise ConfigError(
            f"network.core: unknown core {choice.kind!r}; {suggestion(choice.kind, CORES)}"
        )
    timed = {"time_unit_s": time_unit_s} if CORES[choice.kind].accepts("time_unit_s") else {}
    options = {**timed, **choice.options}
    try:
        core = make_core(choice.kind, inputs, MOTOR_VALUES, size=choice.size, seed=seed, **options)
    except (TypeError, CellError) as error:
        raise ConfigError(f"network.core: {choice.kind}: {error}") from error
    if isinstance(core, WiredCfC):
        described = ModelCore(
            kind=choice.kind,
            wiring=core.wiring.to_dict(),
            masking=core.masking,
            time_unit_s=core.time_unit_s,
        )
        return core, described
    sizes = {"small": CORES[choice.kind].small, "base": CORES[choice.kind].base}[choice.size]
    described = ModelCore(
        kind=choice.kind,
        options={**sizes, **choice.options},
        state_size=core.state_size,
        time_unit_s=options.get("time_unit_s", time_unit_s),
    )
    return core, described


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
