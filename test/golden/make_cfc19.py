"""Write cfc19.npz: the reference sequence for all backends of the CfC.

    python test/golden/make_cfc19.py

The file holds the weights of an untrained 19-neuron CfC, 500 steps of inputs with irregular dt,
and the states and gates of the NumPy reference in float64. Rewrite it only when the equations of
the cell change on purpose.
"""

from pathlib import Path

import numpy as np

from liquid_control.liquid import CfC, auto_ncp, random_weights
from liquid_control.seeding import stream

PATH = Path(__file__).parent / "cfc19.npz"
STEPS = 500
LEVELS = 127
"""Inputs are stored as int8 with the value x / 127, which is small and exact."""


def main() -> None:
    """Draw weights and inputs, run the reference, write the file."""
    rng = stream(19, "golden")
    weights = random_weights(auto_ncp(34, 19, 4), rng)
    x = np.clip(rng.normal(0.0, 0.5, (STEPS, 34)) * LEVELS, -LEVELS, LEVELS).astype(np.int8)
    dt = np.exp(rng.uniform(np.log(0.005), np.log(1.0), STEPS)).astype(np.float32)
    cell = CfC(weights, np.float64)
    state = cell.init_state()
    states, gates = [], []
    for features, elapsed in zip(x / LEVELS, dt, strict=True):
        _, state, gate = cell.step_with_gates(
            features[np.newaxis].astype(np.float32), state, elapsed[np.newaxis]
        )
        states.append(state[0])
        gates.append(gate[0])
    np.savez_compressed(
        PATH,
        x=x,
        dt=dt,
        states=np.array(states, dtype=np.float32),
        gates=np.array(gates, dtype=np.float32),
        **weights.arrays(),
    )


if __name__ == "__main__":
    main()
