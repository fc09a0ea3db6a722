"""The wired CfC as a set-valued function: ranges of every layer over a region of inputs.

A layer with inputs z = [u, h] and elapsed time t in time units is, as in
`liquid_control.liquid.reference`,

    a, c, ta, tb = W z + b,   A = tanh(a), C = tanh(c), s = sigma(ta t + tb)
    h' = (1 - s) A + s C

so its derivative by z_j is a polynomial in A, C and s,

    J_j = (1 - s) (1 - A^2) wa_j + s (1 - C^2) wc_j + (C - A) s (1 - s) (wta_j t + wtb_j).
"""

from dataclasses import dataclass

import numpy as np

from liquid_control.certification.intervals import (
    UNIT_ROUNDOFF_32,
    Interval,
    add,
    gamma,
    gate_product,
    linear,
    multiply,
    outward,
    quadratic,
    sigmoid,
    tanh,
)
from liquid_control.command.motors import MOTORS
from liquid_control.errors import CertificateError
from liquid_control.perception import IMU_FEATURES, IMU_LIMIT, INPUTS
from liquid_control.perception.inputs import INPUT_LIMIT
from liquid_control.policy import Model
from liquid_control.types import Floats

IMAGE_LIMIT = 1.0 + 2.0**-16
"""Largest magnitude of a picture's feature: a tanh in float32, whose kernels may exceed 1."""
DT_RANGE_S = (0.001, 1.0)
"""Elapsed times that certificates cover, s."""
_TANH_ERROR_32 = 2.0**-21
"""Taken error of a tanh in float32: four units in the last place are 2^-22."""
_LAYER_ERROR_32 = 2.0**-20
"""Bound of the roundings in (1 - s) A + s C in float32."""


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A set of inputs of one step.

    Attributes:
        features: box of the features, [F].
        state: box of the state before the step, [N].
        dt_s: smallest and largest elapsed time, s.
    """

    features: Interval
    state: Interval
    dt_s: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class LayerRange:
    """Ranges of one layer of H neurons over B boxes, each [B, H].

    Attributes:
        first: of A = tanh(ff1); `second`: of C = tanh(ff2); `gate`: of s.
        second: see `first`.
        gate: see `first`.
        slope: of ta, 1 a time unit.
        offset: of tb.
        state: of the new state, in exact arithmetic.
    """

    first: Interval
    second: Interval
    gate: Interval
    slope: Interval
    offset: Interval
    state: Interval


@dataclass(frozen=True, slots=True, eq=False)
class CellLayer:
    """Weights of a layer in float64, exactly those of the model.

    Attributes:
        weight: [4, H, K + H]; bias: [4, H].
        bias: see `weight`.
        own: the layer's neurons in the state.
    """

    weight: Floats
    bias: Floats
    own: slice

    @property
    def size(self) -> int:
        """Number of neurons."""
        return int(self.bias.shape[1])

    def neuron(self, index: int) -> "CellLayer":
        """Return the layer of one neuron alone; its inputs stay those of the whole layer."""
        part = slice(index, index + 1)
        start = self.own.start + index
        return CellLayer(self.weight[:, part], self.bias[:, part], slice(start, start + 1))

    def range(self, inputs: Interval, ticks: Interval) -> LayerRange:
        """Return the ranges over boxes of inputs [B, K + H] and time units [B, 1]."""
        maps = linear(self.weight.reshape(-1, self.weight.shape[2]), self.bias.ravel(), inputs)
        parts = [
            Interval(*(np.asarray(end[:, part]) for end in maps))
            for part in np.split(np.arange(4 * self.size), 4)
        ]
        first, second = tanh(parts[0]), tanh(parts[1])
        gate = sigmoid(add(multiply(parts[2], ticks), parts[3]))
        state = mixed(first, second, gate)
        return LayerRange(first, second, gate, parts[2], parts[3], state)

    def jacobian(self, found: LayerRange, ticks: Interval) -> tuple[Interval, Interval]:
        """Return the ranges of one neuron's derivatives, by its inputs and by time units.

        Args:
            found: ranges of a layer of one neuron, [B, 1].
            ticks: [B, 1].

        Returns:
            [B, K + H] and [B, 1].
        """
        ones, zeros = np.ones_like(found.gate.lower), np.zeros_like(found.gate.lower)
        rest = Interval(ones - found.gate.upper, ones - found.gate.lower)
        difference = add(found.second, Interval(-found.first.upper, -found.first.lower))
        mixed = multiply(difference, gate_product(found.gate))
        own, other = (
            multiply(rest, quadratic(found.first)),
            multiply(found.gate, quadratic(found.second)),
        )
        wa, wc, wta, wtb = (Interval(row, row) for row in self.weight[:, 0][:, None, :])
        timed = add(multiply(wta, ticks), wtb)
        by_inputs = add(multiply(own, wa), multiply(other, wc), multiply(mixed, timed))
        return by_inputs, add(multiply(mixed, found.slope), Interval(zeros, zeros))

    def rounding(self, inputs: Interval, ticks: float) -> Floats:
        """Return the largest difference of a state computed in float32 from the exact one, [H].

        The sums may have any order. Of n nonzero weights there are at most 2 n + 8 roundings in
        the argument of a gate, and fewer elsewhere (Higham 2002, lemma 3.1). tanh changes no
        error upwards and sigma divides it by four.
        """
        size, reach = np.abs(self.weight), inputs.magnitude
        sums = size @ reach + np.abs(self.bias)
        count = 2 * np.count_nonzero(self.weight, axis=2).max(axis=0) + 8
        factor = gamma(count, UNIT_ROUNDOFF_32)
        heads = factor * np.maximum(sums[0], sums[1]) + _TANH_ERROR_32
        gates = factor * (sums[2] * ticks + sums[3]) / 4.0 + _TANH_ERROR_32
        return np.asarray((heads + 2.0 * gates + _LAYER_ERROR_32) * (1.0 + 2.0**-30))


def mixed(first: Interval, second: Interval, gate: Interval) -> Interval:
    """Return the range of (1 - s) A + s C: linear in s, so its extremes are at ends of s."""
    ends = gate.lower, gate.upper
    lows = [(1.0 - s) * first.lower + s * second.lower for s in ends]
    highs = [(1.0 - s) * first.upper + s * second.upper for s in ends]
    return outward(np.minimum(*lows), np.maximum(*highs))


@dataclass(frozen=True, slots=True, eq=False)
class CertifiedCell:
    """A wired CfC with the sets for which it is certified.

    Attributes:
        layers: in the order of the wiring.
        time_unit_s: unit of elapsed time, s.
        limits: largest magnitude of each feature, [F].
        offsets: of the commands, [4]; `scales`: of the commands, [4].
        scales: see `offsets`.
        dt_s: smallest and largest elapsed time, s.
    """

    layers: tuple[CellLayer, ...]
    time_unit_s: float
    limits: Floats
    offsets: Floats
    scales: Floats
    dt_s: tuple[float, float] = DT_RANGE_S

    @classmethod
    def of(cls, model: Model) -> "CertifiedCell":
        """Return the cell of a model.

        Raises:
            CertificateError: the model has another core than the wired CfC.
        """
        settings = model.settings
        if settings.core.wiring is None:
            raise CertificateError(
                f"{model.path}: expected a model with core cfc_wired, got {settings.core.kind}: "
                "only the wired CfC can be certified"
            )
        weights, features = model.weights, settings.features
        layers = tuple(
            CellLayer(layer.weight.astype(np.float64), layer.bias.astype(np.float64), own)
            for own, layer in zip(weights.wiring.slices, weights.layers, strict=True)
        )
        others = features.total - features.image - IMU_FEATURES
        limits = [IMAGE_LIMIT] * features.image + [IMU_LIMIT] * IMU_FEATURES
        motors = [getattr(settings.motors, name) for name in MOTORS]
        return cls(
            layers,
            weights.time_unit_s,
            np.array(limits + [INPUT_LIMIT] * others),
            np.array([motor.offset for motor in motors]),
            np.array([motor.scale for motor in motors]),
        )

    @property
    def neurons(self) -> int:
        """Size of the state."""
        return int(self.layers[-1].own.stop)

    @property
    def features(self) -> Interval:
        """Box of all features."""
        return Interval(-self.limits, self.limits)

    def ticks(self, dt_s: tuple[float, float]) -> Interval:
        """Return elapsed times in time units, [1, 1]."""
        low, high = (np.array([[dt / self.time_unit_s]]) for dt in dt_s)
        return outward(low, high)

    def ranges(self, region: Region) -> list[LayerRange]:
        """Return the ranges of every layer over a region, each with B = 1.

        Each layer receives the box of the preceding layer's new states in float32.
        """
        ticks, found = self.ticks(region.dt_s), []
        before = region.features
        for layer in self.layers:
            inputs = joined(before, region.state, layer)
            batch = Interval(inputs.lower[None], inputs.upper[None])
            found.append(layer.range(batch, ticks))
            before = self.rounded(layer, inputs, found[-1], region.dt_s[1])
        return found

    def rounded(
        self, layer: CellLayer, inputs: Interval, found: LayerRange, dt_s: float
    ) -> Interval:
        """Return the box [H] of a layer's states computed in float32."""
        error = layer.rounding(inputs, dt_s / self.time_unit_s)
        return outward(found.state.lower[0] - error, found.state.upper[0] + error)


def joined(before: Interval, state: Interval, layer: CellLayer) -> Interval:
    """Return the inputs [K + H] of a layer: what it receives, then its own previous states."""
    ends = zip(before, state, strict=True)
    return Interval(*(np.concatenate([end, own[layer.own]]) for end, own in ends))


def feature_names(model: Model) -> list[str]:
    """Return the name of each feature of a model, in order."""
    settings = model.settings.features
    names = [f"image_{index}" for index in range(settings.image)]
    names += [f"{kind}_{axis}" for kind in ("rate", "force") for axis in "xyz"]
    for name in settings.inputs:
        size = INPUTS[name].size
        names += [name] if size == 1 else [f"{name}_{index}" for index in range(size)]
    return names
