"""Step a 19-neuron CfC at irregular times: elapsed time is an input, and it matters.

    python examples/03_step_a_liquid_cell.py

Needs NumPy only.
"""

import numpy as np

from liquid_control.liquid import CfC, auto_ncp, random_weights
from liquid_control.seeding import stream


def main() -> tuple[float, float]:
    """Return how far two states end apart for equal and for different elapsed times."""
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
    print(f"same times: {same:.3g} apart; other times: {apart:.3g} apart")
    return same, apart


if __name__ == "__main__":
    main()
