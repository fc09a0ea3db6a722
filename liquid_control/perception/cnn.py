"""Perception network in torch, for training; in flight it runs in ONNX Runtime (`encoder.py`).

The network has plain strided convolutions and no normalisation layers: its input is standardised.
Training throughput determined the sizes: a first stride of 3 trains on three times as many
pictures per second and thread as a first stride of 2, and channels-last memory is faster.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from liquid_control.errors import ModelError
from liquid_control.perception.network_spec import PerceptionSpec
from liquid_control.seeding import stream


class PerceptionCNN(nn.Module):
    """Maps standardised pictures [B, 3, H, W] to features [B, F] in (-1, 1).

    Attributes:
        spec: layers and sizes.
    """

    def __init__(self, spec: PerceptionSpec | None = None, *, seed: int = 0) -> None:
        """Initialise the weights (He et al. 2015) from `seed`."""
        super().__init__()
        self.spec = spec or PerceptionSpec()
        rng = stream(seed, "perception.init")
        arrays = {
            name: _initial(shape, rng, gain=1.0 if "linear" in name else math.sqrt(2.0))
            for name, shape in self.spec.array_shapes().items()
        }
        self.parameters_by_name = nn.ParameterDict(
            {_key(name): nn.Parameter(torch.tensor(array)) for name, array in arrays.items()}
        )

    def forward(self, pictures: Tensor, mount: Tensor | None = None) -> Tensor:
        """Return features [B, F].

        Args:
            pictures: standardised, float32 [B, 3, H, W].
            mount: pitch and field of view of the camera, scaled as in `perception.inputs`,
                float32 [B, 2]; needed if and only if `spec.mount`.
        """
        maps = pictures.contiguous(memory_format=torch.channels_last)
        for index, conv in enumerate(self.spec.convolutions):
            weight = self._array(f"perception.conv{index}.weight")
            maps = functional.conv2d(
                maps,
                weight.contiguous(memory_format=torch.channels_last),
                self._array(f"perception.conv{index}.bias"),
                stride=conv.stride,
                padding=conv.padding,
            ).relu_()
        flat = maps.flatten(1)
        if self.spec.mount:
            if mount is None:
                raise ModelError("expected the camera's mount: spec.mount is true")
            flat = torch.cat([flat, mount], dim=1)
        if self.spec.hidden:
            weight = self._array("perception.hidden.weight")
            flat = functional.linear(flat, weight, self._array("perception.hidden.bias")).relu_()
        linear = functional.linear(
            flat, self._array("perception.linear.weight"), self._array("perception.linear.bias")
        )
        return torch.tanh(linear)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return the weights by name, in the format of model files."""
        return {
            name: self._array(name).detach().cpu().numpy().astype(np.float32)
            for name in self.spec.array_shapes()
        }

    def load_arrays(self, arrays: dict[str, NDArray[np.float32]]) -> None:
        """Load weights that `arrays` returned.

        Raises:
            ModelError: an array is missing or has another shape.
        """
        for name, shape in self.spec.array_shapes().items():
            if name not in arrays or arrays[name].shape != shape:
                received = arrays[name].shape if name in arrays else "nothing"
                raise ModelError(f"{name}: expected an array of shape {shape}, got {received}")
            with torch.no_grad():
                self._array(name).copy_(torch.tensor(arrays[name]))

    def _array(self, name: str) -> Tensor:
        array: Tensor = self.parameters_by_name[_key(name)]
        return array


def _key(name: str) -> str:
    return name.replace(".", "_")


def _initial(shape: tuple[int, ...], rng: np.random.Generator, gain: float) -> NDArray[np.float32]:
    if len(shape) == 1:
        return np.zeros(shape, dtype=np.float32)
    fan_in = math.prod(shape[1:])
    return (rng.standard_normal(shape) * gain / math.sqrt(fan_in)).astype(np.float32)
