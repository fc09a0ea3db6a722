"""Saliency maps by integrated gradients and occlusion, with captum on the network in PyTorch.

A map explains one number. For a command axis it is the command of one step from the recorded
state, with IMU and other inputs as recorded, in m/s or rad/s; integrated gradients then sum to the
command minus that of the baseline, within the error of their 128 steps. For `features` it is the
squared distance of the picture's features: from those of the baseline for integrated gradients,
from those of the whole picture for occlusion. The baseline, and the value of an occluded pixel,
is 0 after standardisation: the mean of the picture.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from liquid_control.cores import CORES, Core, WiredCfC, make_core
from liquid_control.dependencies import require
from liquid_control.errors import ConfigError, ModelError
from liquid_control.inspection.flight import AXES, Array, InspectedFlight
from liquid_control.perception import standardise
from liquid_control.perception.cnn import PerceptionCNN
from liquid_control.policy import Model
from liquid_control.policy.model import CORE_PREFIX, INITIAL_STATE

STEPS = 128
"""Steps of integrated gradients from baseline to picture."""
PATCH = 6
STRIDE = 3
"""Size of an occluding square and distance between two, pixels of the model's picture."""
FEATURES = "features"
TARGETS = (FEATURES, *AXES)
BATCH = 256

Output = Callable[..., Tensor]


def load_captum() -> Any:
    """Return `captum.attr`.

    Raises:
        DependencyError: captum is not installed.
    """
    return require("captum.attr", "inspect", "compute integrated gradients and occlusion")


def check_target(name: str) -> str:
    """Return the name of what a map explains.

    Raises:
        ConfigError: it is not one of `TARGETS`.
    """
    if name not in TARGETS:
        raise ConfigError(f"--target: expected {', '.join(TARGETS)}, got {name!r}")
    return name


class TorchPolicy:
    """A model's perception network and core in PyTorch.

    Args:
        model: any model.

    Attributes:
        encoder: pictures to features.
        core: features to motor values.
    """

    def __init__(self, model: Model) -> None:
        self.encoder = PerceptionCNN(model.settings.perception)
        self.encoder.load_arrays(dict(model.arrays))
        self.encoder.requires_grad_(False)
        self.core = torch_core(model).requires_grad_(False)
        motors = model.settings.motors
        self._offsets, self._scales = torch.tensor(motors.offsets), torch.tensor(motors.scales)
        self._images = model.settings.features.image

    def command(
        self, pictures: Tensor, mount: Tensor, rest: Tensor, state: Tensor, dt: Tensor
    ) -> Tensor:
        """Return commands [B, 4] of one step.

        Args:
            pictures: standardised, [B, 3, H, W].
            mount: [B, 2], or [B, 0] without.
            rest: the features that do not come from the picture, [B, F - image].
            state: [B, S].
            dt: [B], s.
        """
        features = torch.cat([self.features(pictures, mount), rest], dim=1)
        outputs, _ = self.core.step(features, state, dt)
        motors = outputs if self.core.bounded else torch.tanh(outputs)
        return self._offsets + self._scales * motors

    def features(self, pictures: Tensor, mount: Tensor) -> Tensor:
        """Return the features of the pictures, [B, image]."""
        found: Tensor = self.encoder(pictures, mount if mount.shape[1] else None)
        return found


def torch_core(model: Model) -> Core:
    """Return the core of a model in PyTorch.

    Raises:
        ModelError: its arrays do not fit the core that its settings name.
    """
    settings = model.settings.core
    if settings.wiring is not None:
        return WiredCfC.from_weights(model.weights)
    kind = CORES.get(settings.kind)
    timed = {}
    if kind is not None and kind.accepts("time_unit_s"):
        timed = {"time_unit_s": settings.time_unit_s}
    options = {**timed, **settings.options}
    core = make_core(settings.kind, model.settings.features.total, len(AXES), **options)
    arrays = {
        name.removeprefix(CORE_PREFIX): torch.tensor(array)
        for name, array in model.arrays.items()
        if name.startswith(CORE_PREFIX) and name != INITIAL_STATE
    }
    try:
        core.load_state_dict(arrays)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"{model.path}: core {settings.kind}: {reason}") from error
    return core


class Attribution:
    """Saliency maps of a flight's frames by one method of captum.

    Args:
        model: the model.
        target: `features` or a command axis.
    """

    def __init__(self, model: Model, target: str = FEATURES) -> None:
        self._captum = load_captum()
        self._network = TorchPolicy(model)
        self._target = check_target(target)
        self._images = model.settings.features.image

    def integrated_gradients(self, flight: InspectedFlight, frame: int) -> Array:
        """Return the signed contribution of every pixel, float32 [H, W], summed over channels."""
        picture, rest = self._inputs(flight, frame)
        output = self._output(torch.zeros_like(picture), rest, 1.0)
        method = self._captum.IntegratedGradients(output)
        found = method.attribute(
            picture,
            baselines=0.0,
            additional_forward_args=rest,
            n_steps=STEPS,
            internal_batch_size=BATCH,
        )
        values: Array = found[0].sum(dim=0).numpy().astype(np.float32)
        return values

    def occlusion(self, flight: InspectedFlight, frame: int) -> Array:
        """Return what an occluded square takes from the output, float32 [H, W].

        Every pixel has the mean over the squares that cover it.
        """
        picture, rest = self._inputs(flight, frame)
        output = self._output(picture, rest, -1.0)
        with torch.no_grad():
            found = self._captum.Occlusion(output).attribute(
                picture,
                sliding_window_shapes=(3, PATCH, PATCH),
                strides=(3, STRIDE, STRIDE),
                baselines=0.0,
                additional_forward_args=rest,
                perturbations_per_eval=BATCH,
            )
        values: Array = found[0, 0].numpy().astype(np.float32)
        return values

    def _inputs(self, flight: InspectedFlight, frame: int) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return a frame's picture, [1, 3, H, W], and its other inputs."""
        picture = torch.tensor(standardise(flight.pictures[frame]))[None]
        mount = np.zeros(0, np.float32) if flight.mounts is None else flight.mounts[frame]
        rest = flight.features[frame, self._images :]
        others = (mount, rest, flight.before[frame])
        elapsed = torch.tensor([flight.elapsed_s[frame]], dtype=torch.float32)
        return picture, (*(torch.tensor(value)[None] for value in others), elapsed)

    def _output(self, reference: Tensor, rest: Sequence[Tensor], sign: float) -> Output:
        """Return the function that a map explains: pictures [B, 3, H, W] to numbers [B]."""
        network = self._network
        if self._target != FEATURES:
            axis = AXES.index(self._target)

            def command(pictures: Tensor, *others: Tensor) -> Tensor:
                fitted = [value.expand(len(pictures), *value.shape[1:]) for value in others]
                return network.command(pictures, *fitted)[:, axis]

            return command
        with torch.no_grad():
            expected = network.features(reference, rest[0])

        def distance(pictures: Tensor, mount: Tensor, *_: Tensor) -> Tensor:
            found = network.features(pictures, mount.expand(len(pictures), mount.shape[1]))
            return sign * ((found - expected) ** 2).sum(dim=1)

        return distance
