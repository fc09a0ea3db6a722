"""Event-driven form of the perception network in fixed point.

Every input of a layer, a channel at a pixel, holds the value that it sent last. It sends its
change when that is larger than a threshold, and the change times the weights is added to the sums
of the outputs that it reaches (Neil et al. 2017, arXiv 1612.05571; for convolutions, Cavigelli et
al. 2017, arXiv 1704.04313). An output is computed again only if one of its inputs has sent.

Values between layers are integers of 16 bits, nine of them after the point; 1 is one standard
deviation of the picture. Weights are rounded to 16 bits, with a power of two for each output. Sums
have 64 bits and are exact, so nothing drifts: a sum equals, bit for bit, the sum over the values
sent. With a threshold of 0 the features are those of the dense form, a network that receives the
picture for the first time. NumPy computes sums in float64, which is exact here: they stay far
below 2^53.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isqrt

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from liquid_control.errors import CellError, ObservationError
from liquid_control.liquid.event_step import Operations, check_threshold, integer_threshold
from liquid_control.liquid.fixed_point import (
    ARGUMENT_BITS,
    FEATURE_BITS,
    LARGEST,
    STATE_BITS,
    Integers,
    fixed_tanh,
    rounded,
    shifted,
)
from liquid_control.perception.camera_view import CONTRAST_FLOOR
from liquid_control.perception.network_spec import MOUNT_SIZE, LayerShape, PerceptionSpec
from liquid_control.types import Pixels

ACTIVATION_BITS = 9
"""Fraction bits of a value between two layers."""
ACTIVATION_LIMIT = 64.0
WEIGHT_BITS = 15
SUM_BYTES = 8


@dataclass(frozen=True, eq=False)
class FixedLayer:
    """One layer in integers.

    Attributes:
        shape: its sizes.
        weight: [K, O] with K in the order rows, columns, channels, 16 bits.
        shift: [O], right shifts from sums of products to the layer's output.
        bias: [O], in units of its sums.
    """

    shape: LayerShape
    weight: Integers
    shift: Integers
    bias: Integers

    @cached_property
    def exact_weight(self) -> NDArray[np.float64]:
        """The weights as float64, for the products of NumPy."""
        return self.weight.astype(np.float64)

    @cached_property
    def reach(self) -> Integers:
        """Number of output pixels that an input pixel reaches, [rows, columns]."""
        shape = self.shape
        down = _reach(shape.rows, shape.out_rows, shape)
        across = _reach(shape.columns, shape.out_columns, shape)
        return np.outer(down, across)

    def outputs(self, sums: Integers) -> Integers:
        """Return the values [n, O] of sums [n, O]: Q9 with ReLU, or Q16 in the last layer."""
        values = shifted(sums + self.bias, self.shift)
        return np.clip(values, 0, LARGEST) if self.shape.relu else values


@dataclass(frozen=True, slots=True, eq=False)
class EncoderState:
    """State of the network between two pictures.

    Attributes:
        sent: for each layer the values that its inputs sent last, [rows, columns, channels].
        sums: for each layer the sums of its outputs, [pixels, O].
        features: the features of the last picture, [F], Q13.
        begun: whether there was a picture.
    """

    sent: tuple[Integers, ...]
    sums: tuple[Integers, ...]
    features: Integers
    begun: bool = False


class EventEncoder:
    """Perception network that computes only where its inputs moved.

    Attributes:
        spec: layers and sizes.
        layers: in integers.
        threshold: largest change that is not sent, in units of one standard deviation of the
            picture; the same for all layers.
    """

    def __init__(
        self, spec: PerceptionSpec, arrays: Mapping[str, NDArray[np.float32]], threshold: float
    ) -> None:
        """Round the weights of a network.

        Raises:
            ConfigError: the threshold is negative or not below 64.
            CellError: a weight is outside of what fixed point represents.
        """
        check_threshold("encoder", threshold, ACTIVATION_LIMIT)
        self.spec, self.threshold = spec, threshold
        self.layers = fixed_layers(spec, arrays)
        self._step = integer_threshold(threshold, ACTIVATION_BITS)

    @property
    def state_bytes(self) -> int:
        """Memory of the state in exported C, bytes."""
        inputs = sum(layer.shape.inputs for layer in self.layers)
        sums = sum(layer.shape.size for layer in self.layers)
        pixels = sum(layer.shape.out_rows * layer.shape.out_columns for layer in self.layers)
        size = SUM_BYTES * sums + 2 * inputs + 2 * self.spec.features + pixels + 1
        return -(-size // SUM_BYTES) * SUM_BYTES

    @property
    def dense(self) -> Operations:
        """Operations of a picture in the dense form in which no value is 0."""
        counts = [layer.shape.size for layer in self.layers]
        macs = sum(
            int(layer.reach.sum()) * layer.shape.channels * layer.shape.outputs
            for layer in self.layers
        )
        sources = sum(layer.shape.inputs for layer in self.layers)
        return Operations(macs, sum(counts), macs, sources, sources, sum(counts), sum(counts))

    def init_state(self) -> EncoderState:
        """Return the state before the first picture: zeros were sent."""
        shapes = [layer.shape for layer in self.layers]
        return EncoderState(
            tuple(np.zeros((s.rows, s.columns, s.channels), np.int64) for s in shapes),
            tuple(np.zeros((s.out_rows * s.out_columns, s.outputs), np.int64) for s in shapes),
            np.zeros(self.spec.features, np.int64),
        )

    def encode(
        self,
        picture: Pixels,
        state: EncoderState,
        mount: NDArray[np.float32] | None = None,
    ) -> tuple[EncoderState, Operations]:
        """Compute the features of a picture from those of the one before.

        Args:
            picture: uint8 [H, W, 3], at the model's size.
            state: after the previous picture, from `init_state` at the start.
            mount: pitch and field of view of the camera, scaled, float32 [2]; needed if the
                network takes it.

        Returns:
            The new state, with the features, and the operations.

        Raises:
            ObservationError: the picture has another shape or type, or the mount is missing.
        """
        expected = (self.spec.height, self.spec.width, 3)
        if picture.shape != expected or picture.dtype != np.uint8:
            raise ObservationError(
                f"expected a picture uint8 {expected}, got {picture.dtype} {picture.shape}"
            )
        if self.spec.mount and mount is None:
            raise ObservationError("expected the camera's mount, got none")
        values = standardised_table(picture)[picture]
        tests = values.size
        all_sent, all_sums, counts = [], [], Operations()
        for index, layer in enumerate(self.layers):
            change = values - state.sent[index]
            change[np.abs(change) <= self._step] = 0
            sums, computed = _with_changes(layer, state.sums[index], change)
            computed |= not state.begun
            all_sent.append(state.sent[index] + change)
            all_sums.append(sums)
            outputs = int(computed.sum()) * layer.shape.outputs
            counts += _operations(layer, all_sent[-1], change, tests, outputs)
            if index + 1 < len(self.layers):
                values = self._inputs(index + 1, state.sent[index + 1], computed, sums, mount)
                tests = outputs + MOUNT_SIZE * (values.size - layer.shape.size > 0)
        arguments = self.layers[-1].outputs(all_sums[-1])[0]
        features = (fixed_tanh(arguments) + 2) >> (STATE_BITS - FEATURE_BITS)
        return EncoderState(tuple(all_sent), tuple(all_sums), features, True), counts

    def feature_bound(self) -> NDArray[np.float64]:
        """Return the largest difference of each feature to the dense form, [F], in units of one.

        It holds for every sequence of pictures, however long, because the values sent are within
        the threshold of the present ones: a layer's error is that of its inputs plus the
        threshold, times the absolute weights, plus rounding; ReLU, saturation and tanh do not
        enlarge it.
        """
        error: NDArray[np.float64] = np.zeros(3)
        for index, layer in enumerate(self.layers):
            shape = layer.shape
            if index == len(self.spec.convolutions):
                _, rows, columns = self.spec.map_shape
                mount = np.zeros(MOUNT_SIZE * self.spec.mount)
                error = np.concatenate([np.tile(error, rows * columns), mount])
            scale = 2.0 ** (ACTIVATION_BITS if shape.relu else ARGUMENT_BITS)
            real = np.abs(layer.weight) * 2.0 ** (ACTIVATION_BITS - layer.shift) / scale
            error = np.tile(error + self.threshold, shape.kernel**2) @ real + 1.0 / scale
        return error + 2.0 ** (1 - FEATURE_BITS)

    def _inputs(
        self,
        index: int,
        sent: Integers,
        computed: NDArray[np.bool_],
        sums: Integers,
        mount: NDArray[np.float32] | None,
    ) -> Integers:
        """Return the inputs of a layer; outputs that were not computed are as they were sent."""
        before = self.layers[index - 1]
        outputs = sent.reshape(-1)[: before.shape.size].reshape(sums.shape).copy()
        outputs[computed] = before.outputs(sums[computed])
        values: Integers = outputs.reshape(-1)
        if values.size < sent.size and mount is not None:
            given = np.clip(mount * np.float32(2**ACTIVATION_BITS), -LARGEST, LARGEST)
            values = np.concatenate([values, rounded(given)])
        return values.reshape(sent.shape)


def fixed_layers(
    spec: PerceptionSpec, arrays: Mapping[str, NDArray[np.float32]]
) -> tuple[FixedLayer, ...]:
    """Round the weights of a perception network to 16 bits.

    Raises:
        CellError: a weight is outside of what fixed point represents.
    """
    layers = []
    for name, shape in zip(spec.layer_names, spec.layers, strict=True):
        weight = spec.channels_last(name, arrays[f"{name}.weight"]).astype(np.float64).T
        largest = np.maximum(np.abs(weight).max(axis=0), 2.0**-WEIGHT_BITS)
        exponents = np.ceil(np.log2(largest)).astype(np.int64)
        units = np.rint(weight * 2.0 ** (WEIGHT_BITS - exponents))
        shift = WEIGHT_BITS - exponents
        sum_bits = ACTIVATION_BITS + shift
        if not shape.relu:
            shift = sum_bits - ARGUMENT_BITS
        bias = np.rint(arrays[f"{name}.bias"].astype(np.float64) * 2.0**sum_bits)
        if (shift < 0).any() or np.abs(bias).max(initial=0.0) >= 2.0**62:
            raise CellError(
                f"{name}: expected weights below {2**ACTIVATION_BITS // 2} for fixed point, "
                f"got {np.abs(weight).max():g}"
            )
        fixed = np.clip(units, -LARGEST, LARGEST).astype(np.int64)
        layers.append(FixedLayer(shape, fixed, shift, bias.astype(np.int64)))
    return tuple(layers)


def standardised_table(picture: Pixels) -> Integers:
    """Return the standardised value of each of the 256 pixel values, Q9.

    Mean and deviation come from exact integer sums and few float32 operations, those of the
    exported C, so that both give the same bits.
    """
    count, sums = picture.size, picture.astype(np.int64)
    total, squares = int(sums.sum()), int((sums * sums).sum())
    mean = np.float32(total // count) + np.float32(total % count) / np.float32(count)
    rest, unit = count * squares - total * total, np.float32(count)
    while 0 < rest < 1 << 62:
        rest, unit = rest * 4, unit * np.float32(2)
    deviation = np.float32(isqrt(rest)) / unit
    scale = np.float32(1) / max(deviation, np.float32(CONTRAST_FLOOR))
    values = (np.arange(256).astype(np.float32) - mean) * scale
    return rounded(np.clip(values * np.float32(2**ACTIVATION_BITS), -LARGEST, LARGEST))


def _with_changes(
    layer: FixedLayer, sums: Integers, change: Integers
) -> tuple[Integers, NDArray[np.bool_]]:
    """Return the sums [pixels, O] after changes of the inputs, and which pixels they reach."""
    shape = layer.shape
    border = [(shape.padding, shape.padding)] * 2 + [(0, 0)]
    padded = np.pad(change, border)
    windows = sliding_window_view(padded, (shape.kernel, shape.kernel), axis=(0, 1))
    windows = windows[:: shape.stride, :: shape.stride][: shape.out_rows, : shape.out_columns]
    patches = windows.transpose(0, 1, 3, 4, 2).reshape(len(sums), shape.taps)
    reached: NDArray[np.bool_] = np.asarray(patches.any(axis=1))
    after = sums.copy()
    after[reached] += (patches[reached].astype(np.float64) @ layer.exact_weight).astype(np.int64)
    return after, reached


def _operations(
    layer: FixedLayer, sent: Integers, change: Integers, tests: int, outputs: int
) -> Operations:
    """Count the operations of a layer.

    Args:
        layer: the layer.
        sent: the values of its inputs, after they sent.
        change: their changes, 0 where nothing was sent.
        tests: inputs that were tested for a change.
        outputs: outputs that were computed.
    """
    reach = layer.reach[..., None] * layer.shape.outputs
    return Operations(
        macs=int((reach * (change != 0)).sum()),
        additions=tests + outputs,
        nonzero_macs=int((reach * (sent != 0)).sum()),
        sent=int(np.count_nonzero(change)),
        sources=layer.shape.inputs,
        computed=outputs,
        neurons=layer.shape.size,
    )


def _reach(inputs: int, outputs: int, shape: LayerShape) -> Integers:
    """Return how many outputs along an axis each input reaches."""
    first = np.arange(outputs) * shape.stride - shape.padding
    place = np.arange(inputs)[:, None]
    return np.asarray(((place >= first) & (place < first + shape.kernel)).sum(axis=1))
