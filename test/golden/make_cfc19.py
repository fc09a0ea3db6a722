"""Write cfc19.npz, the golden sequence that every backend of the CfC is compared with.

    python test/golden/make_cfc19.py

It holds the weights of an untrained 19-neuron CfC, 500 steps of inputs with irregular dt, and the
states and gates that the NumPy reference computes from them in float64. Write it anew only when
the cell's equations are changed on purpose.
"""

from pathlib import Path

import numpy as np

from liquid_control.liquid import CfC, auto_ncp, random_weights
from liquid_control.seeding import stream

PATH = Path(__file__).parent / "cfc19.npz"
STEPS = 500
LEVELS = 127
"""Inputs are stored as int8 and mean x / 127, to keep the file small and exact."""


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
