"""Places and colours of a drawn wiring: inputs on the left, then one column or ring a layer.

Every drawing of a wiring has them from here, so that they look alike.
"""

from dataclasses import dataclass

import numpy as np

from liquid_control.liquid.wiring import Wiring
from liquid_control.types import Floats

EXCITATORY, INHIBITORY, NEURON, INPUT = "#1f6fb4", "#d1495b", "#2f3b45", "#8a949c"

HEIGHT = 1.2
GAP = 0.8
"""Height of a column of many neurons, and distance between two groups."""
BEND = 0.08
"""Distance of a synapse's control point from the middle of its ends, as a part of their distance;
to the right of the direction of travel, so that two synapses in opposite directions differ."""


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Neurons drawn as one column, or as one ring if they are connected with each other.

    Attributes:
        name: `inputs`, or the role of the layer.
        places: x to the right and y up, float64 [n, 2].
        ring: whether they form a ring.
    """

    name: str
    places: Floats
    ring: bool


def layout(wiring: Wiring) -> list[Group]:
    """Return the places of the inputs and of each layer's neurons; y is within +-`HEIGHT` / 2."""
    groups = [Group("inputs", _column(0.0, wiring.inputs), False)]
    left = GAP
    for layer, own in zip(wiring.layers, wiring.slices, strict=True):
        within = wiring.recurrent[own, own]
        ring = layer.size > 1 and bool(np.any(within - np.diag(np.diag(within))))
        radius = min(0.55, 0.2 + 0.02 * layer.size) if ring else 0.0
        left += radius
        places = _ring(left, layer.size, radius) if ring else _column(left, layer.size)
        groups.append(Group(layer.role, places, ring))
        left += radius + GAP
    return groups


def outward(groups: list[Group]) -> Floats:
    """Return the direction away from its group's other neurons for each neuron, float64 [N, 2].

    Args:
        groups: of the layers, without the inputs.
    """
    places = np.concatenate([group.places for group in groups])
    centres = np.concatenate([np.tile(g.places.mean(axis=0), (len(g.places), 1)) for g in groups])
    away = places - centres
    length = np.linalg.norm(away, axis=1, keepdims=True)
    ring = np.concatenate([np.full(len(g.places), g.ring) for g in groups])[:, None]
    side = np.where(ring & (length > 0), away / np.maximum(length, 1e-9), [[1.0, 0.0]])
    return np.asarray(side, np.float64)


def _column(x: float, size: int) -> Floats:
    reach = HEIGHT / 2 * (1.0 - 1.0 / size)
    return np.column_stack([np.full(size, x), np.linspace(reach, -reach, size)])


def _ring(x: float, size: int, radius: float) -> Floats:
    angle = np.pi / 2 - 2 * np.pi * np.arange(size) / size
    return np.column_stack([x + radius * np.cos(angle), radius * np.sin(angle)])
