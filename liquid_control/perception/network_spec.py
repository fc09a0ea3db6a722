"""Specification of the perception network, for building the torch module and the ONNX graph."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from liquid_control.config import Settings


class Convolution(Settings):
    """One convolution, followed by ReLU."""

    channels: int = Field(ge=1, le=512, description="output channels")
    kernel: int = Field(ge=1, le=15, description="kernel size, pixels")
    stride: int = Field(ge=1, le=8, description="stride, pixels")
    padding: int = Field(ge=0, le=7, description="zeros around the picture, pixels")

    def reach(self, pixels: int) -> int:
        """Return the output size along an axis of the given input size."""
        return (pixels + 2 * self.padding - self.kernel) // self.stride + 1


DEFAULT_CONVOLUTIONS = (
    Convolution(channels=16, kernel=6, stride=3, padding=2),
    Convolution(channels=32, kernel=3, stride=2, padding=1),
    Convolution(channels=48, kernel=3, stride=2, padding=1),
    Convolution(channels=48, kernel=3, stride=1, padding=1),
)


MOUNT_SIZE = 2
"""Values that describe the camera's mount: pitch and field of view, scaled."""


class LayerShape(NamedTuple):
    """Sizes of a layer; a dense layer is a convolution of kernel 1 over one pixel."""

    rows: int
    columns: int
    channels: int
    kernel: int
    stride: int
    padding: int
    out_rows: int
    out_columns: int
    outputs: int
    relu: bool

    @property
    def size(self) -> int:
        """Number of outputs over all pixels."""
        return self.out_rows * self.out_columns * self.outputs

    @property
    def inputs(self) -> int:
        """Number of inputs over all pixels."""
        return self.rows * self.columns * self.channels

    @property
    def taps(self) -> int:
        """Number of inputs of one output."""
        return self.kernel**2 * self.channels


class PerceptionSpec(Settings):
    """Convolutions over a standardised RGB picture, a hidden layer, a linear layer and tanh."""

    height: int = Field(54, ge=8, le=1080, description="picture rows")
    width: int = Field(96, ge=8, le=1920, description="picture columns")
    convolutions: tuple[Convolution, ...] = Field(DEFAULT_CONVOLUTIONS, min_length=1)
    hidden: int = Field(
        0, ge=0, le=1024, description="units with ReLU before the linear layer; 0 for none"
    )
    mount: bool = Field(
        False, description="whether pitch and field of view of the camera enter the hidden layer"
    )
    features: int = Field(28, ge=1, le=1024, description="outputs, in (-1, 1)")

    @model_validator(mode="after")
    def _picture_survives(self) -> "PerceptionSpec":
        _, rows, columns = self.map_shape
        if rows < 1 or columns < 1:
            raise ValueError(f"the convolutions leave nothing of {self.height}x{self.width}")
        if self.mount and not self.hidden:
            raise ValueError("mount needs a hidden layer: expected hidden >= 1, got 0")
        return self

    @property
    def map_shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns after the last convolution."""
        rows, columns = self.height, self.width
        for convolution in self.convolutions:
            rows, columns = convolution.reach(rows), convolution.reach(columns)
        return self.convolutions[-1].channels, rows, columns

    def array_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the network's arrays by name, as in model files."""
        shapes: dict[str, tuple[int, ...]] = {}
        channels = 3
        for index, conv in enumerate(self.convolutions):
            kernel = (conv.channels, channels, conv.kernel, conv.kernel)
            shapes[f"perception.conv{index}.weight"] = kernel
            shapes[f"perception.conv{index}.bias"] = (conv.channels,)
            channels = conv.channels
        count, rows, columns = self.map_shape
        width = count * rows * columns + (MOUNT_SIZE if self.mount else 0)
        if self.hidden:
            shapes["perception.hidden.weight"] = (self.hidden, width)
            shapes["perception.hidden.bias"] = (self.hidden,)
            width = self.hidden
        shapes["perception.linear.weight"] = (self.features, width)
        shapes["perception.linear.bias"] = (self.features,)
        return shapes

    @property
    def layers(self) -> tuple["LayerShape", ...]:
        """The layers in order, for code that computes all of them in one way."""
        layers = []
        rows, columns, channels = self.height, self.width, 3
        for conv in self.convolutions:
            kernel = (conv.kernel, conv.stride, conv.padding)
            reached = (conv.reach(rows), conv.reach(columns))
            layers.append(
                LayerShape(rows, columns, channels, *kernel, *reached, conv.channels, True)
            )
            rows, columns, channels = *reached, conv.channels
        inputs = rows * columns * channels + MOUNT_SIZE * self.mount
        if self.hidden:
            layers.append(LayerShape(1, 1, inputs, 1, 1, 0, 1, 1, self.hidden, True))
            inputs = self.hidden
        layers.append(LayerShape(1, 1, inputs, 1, 1, 0, 1, 1, self.features, False))
        return tuple(layers)

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Names of the layers in model files, without `.weight` and `.bias`."""
        names = [name for name in self.array_shapes() if name.endswith(".weight")]
        return tuple(name.removesuffix(".weight") for name in names)

    def channels_last(self, name: str, weight: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a layer's weights [O, K] with K in the order rows, columns, channels."""
        if weight.ndim == 4:
            return weight.transpose(0, 2, 3, 1).reshape(len(weight), -1)
        channels, height, width = self.map_shape
        if name.endswith("linear") and self.hidden:
            return weight
        maps, mount = np.split(weight, [channels * height * width], axis=1)
        ordered = maps.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
        return np.concatenate([ordered.reshape(len(weight), -1), mount], axis=1)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for YAML."""
        return self.model_dump(mode="json")
