"""Read a recorded flight in three ways: its topics, its events, its arrays.

    python examples/06_read_a_bag.py [bag]

Needs neither ROS nor the simulator. The default bag is the recorded flight of the tests.
"""

import sys
from collections import Counter
from pathlib import Path

from liquid_control.bags import Losses, load_rules, open_bag, read_bag, read_flight, resolve

FLIGHT = Path(__file__).parents[1] / "test" / "golden" / "flight.mcap"


def main(path: Path = FLIGHT) -> tuple[Counter[str], float]:
    """Print a summary of a bag; return its events by kind and the mean forward command, m/s."""
    bag = open_bag(path)
    for name, topic in bag.topics.items():
        print(f"{topic.count:5d} {name} ({topic.type})")

    losses = Losses()
    events = read_flight(bag, resolve(bag, load_rules()), losses)
    kinds = Counter(type(event).__name__ for event in events)
    print(", ".join(f"{count} {kind}" for kind, count in kinds.most_common()))
    print(f"losses: {losses.lines() or 'none'}")

    flight = read_bag(path)
    forward_mps = float(flight.commands.values[:, 0].mean())
    print(f"pictures {flight.frames.values.shape}, neurons {flight.states.values.shape}")
    print(f"mean forward command {forward_mps:.2f} m/s")
    return kinds, forward_mps


if __name__ == "__main__":
    main(*(Path(word) for word in sys.argv[1:]))
