"""Fly the privileged expert through one forest in this process and print the result.

    python examples/01_fly_the_expert.py [seed]

Requires the extra [sim]. Any other `Pilot` is flown in the same way.
"""

import sys

from liquid_control.config import load_scenario
from liquid_control.types import FlightResult
from liquid_control_sim import Expert, fly


def main(seed: int = 7, length_m: float = 30.0) -> FlightResult:
    """Fly `length_m` of trail in wind and return the result."""
    scenario = load_scenario(
        "trail", {"trail.length_m": length_m, "wind.mean_mps": 4.0, "wind.gust_mps": 6.0}
    )
    record = fly(scenario, seed, Expert())
    speed = ((record.velocity**2).sum(axis=1) ** 0.5).mean()
    print(f"{record.result.reason}: {record.result.distance_m:.1f} m at {speed:.1f} m/s,")
    print(f"cross-track RMS {record.result.cross_track_rms_m:.2f} m,")
    print(f"nearest obstacle {record.result.min_clearance_m:.2f} m from the hull")
    return record.result


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
