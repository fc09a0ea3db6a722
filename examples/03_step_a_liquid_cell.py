"""Step a 19-neuron CfC at irregular times: elapsed time is an input that changes the state.

    python examples/03_step_a_liquid_cell.py

Needs NumPy only.
"""

import numpy as np

from liquid_control.liquid import CfC, auto_ncp, random_weights
from liquid_control.seeding import stream


def main() -> tuple[float, float]:
    """Return the largest difference of two final states for equal and for different times."""
    rng = stream(0, "example")
    weights = random_weights(auto_ncp(inputs=34, units=19, outputs=4), rng, time_unit_s=0.05)
    cell = CfC(weights)
    features = rng.normal(size=(1, 50, 34)).astype(np.float32)
    regular = np.full((1, 50), 0.05)
    irregular = rng.uniform(0.025, 0.1, (1, 50))

    _, first = cell.sequence(features, cell.init_state(1), regular)
    _, again = cell.sequence(features, cell.init_state(1), regular)
    _, other = cell.sequence(features, cell.init_state(1), irregular)
    same, apart = float(np.abs(first - again).max()), float(np.abs(first - other).max())
    print(f"difference for the same times: {same:.3g}; for other times: {apart:.3g}")
    return same, apart


if __name__ == "__main__":
    main()
