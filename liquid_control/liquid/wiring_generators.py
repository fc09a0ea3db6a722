"""Generators of wirings: neural circuit policies, fully connected and random wirings.

A neural circuit policy is a sparse wiring in the layers inter, command and motor, constructed by
the rules of Lechner et al. 2020 (doi 10.1038/s42256-020-00237-3). Random numbers are drawn in the
order of ncps 1.0.1; the same seed gives the same wiring as ncps.

In fully connected and random wirings two of three synapses are excitatory. The motor neurons,
which are the outputs, form the last layer. Synapses may lead in both directions between the
layers: an LTC accepts this, a layered CfC does not.
"""

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import CellError
from liquid_control.liquid.checks import check_integers
from liquid_control.liquid.wiring import Layer, Synapses, Wiring

NCP_SEED = 22222


def ncp(
    inputs: int,
    *,
    inter: int,
    command: int,
    motor: int,
    sensory_fanout: int,
    inter_fanout: int,
    recurrent_command_synapses: int,
    motor_fanin: int,
    seed: int = NCP_SEED,
) -> Wiring:
    """Draw a neural circuit policy.

    Args:
        inputs: number of sensory inputs.
        inter: number of inter neurons.
        command: number of command neurons.
        motor: number of motor neurons, the outputs.
        sensory_fanout: synapses from each input to inter neurons.
        inter_fanout: synapses from each inter neuron to command neurons.
        recurrent_command_synapses: number of draws of a synapse between command neurons; a pair
            that is drawn twice is one synapse.
        motor_fanin: synapses from command neurons to each motor neuron.
        seed: of the random generator.

    Raises:
        CellError: a count is no integer or below one, or a fan-out exceeds the layer it reaches.
    """
    _check_counts(inputs=inputs, inter=inter, command=command, motor=motor)
    _check_fan("sensory_fanout", sensory_fanout, inter, "inter")
    _check_fan("inter_fanout", inter_fanout, command, "command")
    _check_fan("motor_fanin", motor_fanin, command, "command")
    rng = np.random.RandomState(seed)
    neurons = inter + command + motor
    sensory = np.zeros((inputs, neurons), dtype=np.int8)
    recurrent = np.zeros((neurons, neurons), dtype=np.int8)
    commands = slice(inter, inter + command)
    _connect(rng, sensory[:, :inter], sensory_fanout)
    _connect(rng, recurrent[:inter, commands], inter_fanout)
    _recur(rng, recurrent[commands, commands], recurrent_command_synapses)
    _connect(rng, recurrent[commands, inter + command :].T, motor_fanin)
    layers = (Layer("inter", inter), Layer("command", command), Layer("motor", motor))
    return Wiring(layers, sensory, recurrent)


def auto_ncp(
    inputs: int,
    units: int,
    outputs: int,
    sparsity_level: float = 0.5,
    seed: int = NCP_SEED,
) -> Wiring:
    """Draw a neural circuit policy from its size, as `ncps.wirings.AutoNCP` does.

    Args:
        inputs: number of sensory inputs.
        units: number of neurons.
        outputs: number of motor neurons, below `units - 2`.
        sparsity_level: 0.1 (dense) to 0.9 (sparse).
        seed: of the random generator.

    Raises:
        CellError: the sizes or the sparsity level are out of range.
    """
    check_integers(inputs=inputs, units=units, outputs=outputs)
    if not 1 <= outputs < units - 2:
        raise CellError(f"outputs must be between 1 and units - 3 = {units - 3}, got {outputs}")
    if not 0.1 <= sparsity_level <= 0.9:
        raise CellError(f"sparsity_level must be between 0.1 and 0.9, got {sparsity_level}")
    density = 1.0 - sparsity_level
    command = max(int(0.4 * (units - outputs)), 1)
    inter = units - outputs - command
    return ncp(
        inputs,
        inter=inter,
        command=command,
        motor=outputs,
        sensory_fanout=max(int(inter * density), 1),
        inter_fanout=max(int(command * density), 1),
        recurrent_command_synapses=max(int(command * density * 2), 1),
        motor_fanin=max(int(command * density), 1),
        seed=seed,
    )


def _check_counts(**counts: int) -> None:
    check_integers(**counts)
    for name, count in counts.items():
        if count < 1:
            raise CellError(f"{name} must be at least 1, got {count}")


def _check_fan(name: str, fan: int, limit: int, role: str) -> None:
    if not 1 <= fan <= limit:
        raise CellError(f"{name} must be between 1 and the {limit} {role} neurons, got {fan}")


def _connect(rng: np.random.RandomState, block: Synapses, fan: int) -> None:
    """Give each row `fan` synapses, then each column without any the mean number per column."""
    rows, columns = block.shape
    for row in range(rows):
        for column in rng.choice(columns, size=fan, replace=False):
            block[row, column] = rng.choice([-1, 1])
    mean = int(np.clip(int(rows * fan / columns), 1, rows))
    for column in np.flatnonzero(~block.any(axis=0)):
        for row in rng.choice(rows, size=mean, replace=False):
            block[row, column] = rng.choice([-1, 1])


def _recur(rng: np.random.RandomState, block: Synapses, draws: int) -> None:
    for _ in range(draws):
        source, target = rng.choice(len(block)), rng.choice(len(block))
        block[source, target] = rng.choice([-1, 1])


UNSTRUCTURED_SEED = 1111
_POLARITIES = (-1, 1, 1)


def fully_connected(
    inputs: int,
    units: int,
    outputs: int | None = None,
    *,
    self_connections: bool = True,
    seed: int = UNSTRUCTURED_SEED,
) -> Wiring:
    """Draw a wiring with all synapses and random polarities, as `ncps.wirings.FullyConnected`.

    Args:
        inputs: number of sensory inputs.
        units: number of neurons.
        outputs: number of motor neurons; None for all.
        self_connections: whether neurons have synapses to themselves.
        seed: of the random generator.

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
    seed: int = UNSTRUCTURED_SEED,
) -> Wiring:
    """Draw a wiring with randomly chosen synapses, as `ncps.wirings.Random`.

    Args:
        inputs: number of sensory inputs.
        units: number of neurons.
        outputs: number of motor neurons; None for all.
        sparsity_level: fraction of synapses left out, 0 to below 1.
        seed: of the random generator.

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
    check_integers(inputs=inputs, units=units, outputs=motor)
    if inputs < 1 or not 1 <= motor <= units:
        raise CellError(
            f"expected inputs >= 1 and 1 <= outputs <= units, got {inputs} inputs, {motor} "
            f"outputs and {units} units"
        )
    return motor


def _scatter(
    rng: np.random.Generator, shape: tuple[int, int], sparsity_level: float, draws: int
) -> Synapses:
    """Draw synapses; ncps draws the polarity of a sensory synapse twice and uses the second."""
    block = np.zeros(shape, dtype=np.int8)
    count = int(np.round(block.size * (1 - sparsity_level)))
    pairs = np.array(list(np.ndindex(*shape)))
    for source, target in rng.choice(pairs, size=count, replace=False):
        block[source, target] = [rng.choice(_POLARITIES) for _ in range(draws)][-1]
    return block


def _motors_last(motor: int, sensory: Synapses, recurrent: Synapses) -> Wiring:
    """Return a wiring in which the first `motor` neurons become the last layer."""
    units = len(recurrent)
    order: NDArray[np.intp] = np.roll(np.arange(units), -motor)
    sizes = (("inter", units - motor), ("motor", motor))
    layers = tuple(Layer(role, size) for role, size in sizes if size)
    return Wiring(layers, sensory[:, order], recurrent[np.ix_(order, order)])
