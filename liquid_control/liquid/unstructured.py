"""Draw wirings without an architecture: every neuron may feed every neuron.

The draws are those of ncps 1.0.1 in its order, so that the same seed gives the same wiring. Two
synapses of three are excitatory. The motor neurons, which are the outputs, are a layer of their
own behind the others; synapses may go both ways, which an LTC takes and a layered CfC does not.
"""

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import CellError
from liquid_control.liquid.wiring import Layer, Synapses, Wiring

DEFAULT_SEED = 1111
_POLARITIES = (-1, 1, 1)


def fully_connected(
    inputs: int,
    units: int,
    outputs: int | None = None,
    *,
    self_connections: bool = True,
    seed: int = DEFAULT_SEED,
) -> Wiring:
    """Draw the polarities of a wiring with all synapses, as `ncps.wirings.FullyConnected`.

    Args:
        inputs: number of sensory inputs.
        units: number of neurons.
        outputs: number of motor neurons; None for all.
        self_connections: whether neurons feed themselves.
        seed: of the draws.

    Raises:
        CellError: the sizes are out of range.
    """
    motor = _check_sizes(inputs, units, outputs)
    rng = np.random.default_rng(seed)
    recurrent = np.zeros((units, units), dtype=np.int8)
    for source, target in np.ndindex(units, units):
        if self_connections or source != target:
            recurrent[source, target] = rng.choice(_POLARITIES)
    sensory = np.zeros((inputs, units), dtype=np.int8)
    for source, target in np.ndindex(inputs, units):
        sensory[source, target] = rng.choice(_POLARITIES)
    return _motors_last(motor, sensory, recurrent)


def random_wiring(
    inputs: int,
    units: int,
    outputs: int | None = None,
    *,
    sparsity_level: float = 0.0,
    seed: int = DEFAULT_SEED,
) -> Wiring:
    """Draw a wiring that has each synapse with the same probability, as `ncps.wirings.Random`.

    Args:
        inputs: number of sensory inputs.
        units: number of neurons.
        outputs: number of motor neurons; None for all.
        sparsity_level: share of synapses that are left out, 0 to below 1.
        seed: of the draws.

    Raises:
        CellError: the sizes or the sparsity level are out of range.
    """
    motor = _check_sizes(inputs, units, outputs)
    if not 0.0 <= sparsity_level < 1.0:
        raise CellError(f"sparsity_level must be at least 0 and below 1, got {sparsity_level}")
    rng = np.random.default_rng(seed)
    recurrent = _scatter(rng, (units, units), sparsity_level, draws=1)
    sensory = _scatter(rng, (inputs, units), sparsity_level, draws=2)
    return _motors_last(motor, sensory, recurrent)


def _check_sizes(inputs: int, units: int, outputs: int | None) -> int:
    motor = units if outputs is None else outputs
    if inputs < 1 or not 1 <= motor <= units:
        raise CellError(
            f"expected inputs >= 1 and 1 <= outputs <= units, got {inputs} inputs, {motor} "
            f"outputs and {units} units"
        )
    return motor


def _scatter(
    rng: np.random.Generator, shape: tuple[int, int], sparsity_level: float, draws: int
) -> Synapses:
    """Draw synapses; ncps draws the polarity of a sensory synapse twice and keeps the second."""
    block = np.zeros(shape, dtype=np.int8)
    count = int(np.round(block.size * (1 - sparsity_level)))
    pairs = np.array(list(np.ndindex(*shape)))
    for source, target in rng.choice(pairs, size=count, replace=False):
        block[source, target] = [rng.choice(_POLARITIES) for _ in range(draws)][-1]
    return block


def _motors_last(motor: int, sensory: Synapses, recurrent: Synapses) -> Wiring:
    """Return a wiring whose first `motor` neurons, as drawn, become the last layer."""
    units = len(recurrent)
    order: NDArray[np.intp] = np.roll(np.arange(units), -motor)
    sizes = (("inter", units - motor), ("motor", motor))
    layers = tuple(Layer(role, size) for role, size in sizes if size)
    return Wiring(layers, sensory[:, order], recurrent[np.ix_(order, order)])
