"""Result of the recorded flight, as a metadata record of the bag."""

import json
from collections.abc import Mapping
from dataclasses import asdict

from liquid_control.types import FlightResult

RESULT = "result"
"""Name of the metadata record."""
GUARD_PARAMETERS = "parameters/guard_node"
"""Metadata record with the parameters of the guard that flew."""


def result_values(result: FlightResult) -> dict[str, str]:
    """Return a flight's result as the values of a metadata record."""
    values = {name: json.dumps(value) for name, value in asdict(result).items()}
    return values | {"reason": result.reason}


def recorded_result(values: Mapping[str, str]) -> FlightResult | None:
    """Return the result of a metadata record; None for a record of another form."""
    try:
        return FlightResult(
            success=values["success"] == "true",
            reason=values["reason"],
            distance_m=float(values["distance_m"]),
            cross_track_rms_m=float(values["cross_track_rms_m"]),
            min_clearance_m=float(values["min_clearance_m"]),
            duration_s=float(values["duration_s"]),
        )
    except (KeyError, ValueError):
        return None
