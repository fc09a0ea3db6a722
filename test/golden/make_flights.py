"""Write flights.json: reference results of seeded flights of the expert.

    python test/golden/make_flights.py

Each flight is stored as the sha256 of its record, rounded to a millionth of its units, and as its
position once a second, which locates a deviation when the hash differs. Rewrite the file only when
flights change on purpose, and state it in the CHANGELOG.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from liquid_control.config import load_scenario
from liquid_control.types import FlightRecord
from liquid_control_sim.flight import fly
from liquid_control_sim.tasks.experts import Expert

PATH = Path(__file__).parent / "flights.json"
SMALL = {"camera.width": 16, "camera.height": 16}
"""The expert does not use images."""
FLIGHTS: dict[str, tuple[str, int, dict[str, Any]]] = {
    "calm": ("trail", 1, {"trail.length_m": 30.0}),
    "gusts": (
        "trail",
        2,
        {"trail.length_m": 30.0, "wind.mean_mps": 4.0, "wind.gust_mps": 7.0, "wind.lee": 1.0},
    ),
    "faults": (
        "trail",
        3,
        {
            "trail.length_m": 30.0,
            "faults.rotor_efficiency": 0.9,
            "faults.battery_sag": 0.1,
            "faults.velocity_bias_mps": 0.2,
            "wind.rotor_wash": 1.0,
        },
    ),
    "hard": ("trail_hard", 5, {"trail.length_m": 30.0, "wind.mean_mps": 2.0}),
    "hike": ("hike", 6, {"wind.mean_mps": 2.0, "wind.gust_mps": 4.0}),
    "cf2x": ("trail", 4, {"trail.length_m": 15.0, "vehicle": "cf2x", "speed_mps": 1.0}),
}
"""Scenario, seed and changed keys of each flight."""
FIELDS = ("position", "quaternion", "velocity", "command", "wind", "progress_m", "clearance_m")


def digest(record: FlightRecord) -> str:
    """Return the sha256 of stamps and rounded values; +0 and -0 are equal."""
    total = hashlib.sha256(record.stamp_ns.astype("<i8").tobytes())
    for name in FIELDS:
        rounded = np.round(np.asarray(getattr(record, name)) * 1e6)
        total.update(rounded.astype("<i8").tobytes())
    return total.hexdigest()


def flown(name: str) -> dict[str, Any]:
    """Fly one of `FLIGHTS` and return its stored form."""
    scenario, seed, changes = FLIGHTS[name]
    record = fly(load_scenario(scenario, SMALL | changes), seed, Expert())
    seconds = np.searchsorted(record.stamp_ns, np.arange(0, record.stamp_ns[-1] + 1, 10**9))
    return {
        "reason": record.result.reason,
        "sha256": digest(record),
        "position_m": np.round(record.position[seconds], 6).tolist(),
    }


def main() -> None:
    """Fly all and write the file."""
    PATH.write_text(json.dumps({name: flown(name) for name in FLIGHTS}, indent=1) + "\n")


if __name__ == "__main__":
    main()
