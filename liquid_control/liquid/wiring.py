"""Wirings as data: synapses, their polarities and the layers of neurons.

`wiring_generators` draws a wiring once; it is then stored with the model. A stored model therefore
does not depend on the sequence of a random generator.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import CellError

Synapses = NDArray[np.int8]

_SIGNS = {-1: "-", 0: ".", 1: "+"}
_VALUES = {sign: value for value, sign in _SIGNS.items()}


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of neurons with one role.

    Attributes:
        role: `inter`, `command`, `motor`, or another name.
        size: number of neurons.
    """

    role: str
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Wiring:
    """Synapses between sensory inputs and neurons; neurons are in the order of the layers.

    Attributes:
        layers: in the order in which a step computes them; the last one is the output.
        sensory: int8 [I, N], from input (row) to neuron (column): 0 for none, 1 excitatory, -1
            inhibitory.
        recurrent: int8 [N, N], from neuron (row) to neuron (column), as `sensory`.
    """

    layers: tuple[Layer, ...]
    sensory: Synapses
    recurrent: Synapses

    def __post_init__(self) -> None:
        if not self.layers or any(layer.size < 1 for layer in self.layers):
            raise CellError(f"a wiring needs layers of at least one neuron, got {self.layers}")
        count = self.neurons
        if self.recurrent.shape != (count, count):
            raise CellError(
                f"recurrent synapses must have shape {(count, count)}, got {self.recurrent.shape}"
            )
        if self.sensory.ndim != 2 or self.sensory.shape[0] < 1 or self.sensory.shape[1] != count:
            raise CellError(
                f"sensory synapses must have shape (inputs, {count}), got {self.sensory.shape}"
            )
        for name in ("sensory", "recurrent"):
            object.__setattr__(self, name, _frozen_signs(name, getattr(self, name)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Wiring) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.layers, self.sensory.tobytes(), self.recurrent.tobytes()))

    @property
    def inputs(self) -> int:
        """Number of sensory inputs."""
        return int(self.sensory.shape[0])

    @property
    def neurons(self) -> int:
        """Number of neurons, the size of the state."""
        return sum(layer.size for layer in self.layers)

    @property
    def outputs(self) -> int:
        """Number of neurons of the last layer."""
        return self.layers[-1].size

    @property
    def slices(self) -> tuple[slice, ...]:
        """Slice of each layer's neurons in the state."""
        ends = np.cumsum([layer.size for layer in self.layers]).tolist()
        return tuple(
            slice(end - layer.size, end) for end, layer in zip(ends, self.layers, strict=True)
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Name of every neuron: its role and its index in the layer, such as `command_3`."""
        return tuple(f"{layer.role}_{i}" for layer in self.layers for i in range(layer.size))

    @property
    def synapse_count(self) -> int:
        """Number of synapses between neurons."""
        return int(np.count_nonzero(self.recurrent))

    @property
    def sensory_synapse_count(self) -> int:
        """Number of synapses from inputs to neurons."""
        return int(np.count_nonzero(self.sensory))

    def to_dict(self) -> dict[str, Any]:
        """Return data for YAML or JSON; a row of synapses is a string of `+`, `-` and `.`."""
        return {
            "layers": [{"role": layer.role, "size": layer.size} for layer in self.layers],
            "sensory": _rows(self.sensory),
            "recurrent": _rows(self.recurrent),
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Wiring":
        """Build a wiring from the result of `to_json`.

        Raises:
            CellError: the text is not JSON, a key is missing or unknown, or a row does not fit.
        """
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise CellError(f"expected a wiring as JSON, got {text[:40]!r}: {error}") from error
        return cls.from_dict(content)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Wiring":
        """Build a wiring from the result of `to_dict`.

        Raises:
            CellError: a key is missing or unknown, or a row does not fit.
        """
        if not isinstance(content, Mapping) or set(content) != {"layers", "sensory", "recurrent"}:
            got = sorted(content) if isinstance(content, Mapping) else type(content).__name__
            raise CellError(f"a wiring has the keys layers, recurrent and sensory, got {got}")
        try:
            layers = tuple(
                Layer(str(layer["role"]), int(layer["size"])) for layer in content["layers"]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CellError("a wiring's layers must each have a role and a size") from error
        return cls(
            layers,
            _matrix("sensory", content["sensory"]),
            _matrix("recurrent", content["recurrent"]),
        )


def _frozen_signs(name: str, synapses: NDArray[Any]) -> Synapses:
    if not np.isin(synapses, (-1, 0, 1)).all():
        raise CellError(f"{name} synapses must be -1, 0 or 1, got {np.unique(synapses).tolist()}")
    frozen = synapses.astype(np.int8)
    frozen.setflags(write=False)
    return frozen


def _rows(synapses: Synapses) -> list[str]:
    return ["".join(_SIGNS[int(value)] for value in row) for row in synapses]


def _matrix(name: str, rows: Sequence[str]) -> Synapses:
    try:
        return np.array([[_VALUES[sign] for sign in row] for row in rows], dtype=np.int8)
    except (KeyError, TypeError, ValueError) as error:
        raise CellError(
            f"{name} synapses must be rows of +, - and . of one length, got {rows!r}"
        ) from error
