"""Sentences in the logs of flights and replays; this module does not depend on ROS."""

from liquid_control.types import FlightResult

LOG_PERIOD_S = 5.0
"""Wall time between two lines of progress, and between two about a graph that waits."""


def begin_sentence(scenario: str, seed: int, length_m: float) -> str:
    """Return the line at the beginning of a flight."""
    return f"flying: scenario {scenario}, seed {seed}, {length_m:g} m"


def progress_sentence(
    time_s: float, distance_m: float, length_m: float, speed_mps: float, rtf: float
) -> str:
    """Return the line on the progress of a flight.

    Args:
        time_s: of the flight.
        distance_m: covered.
        length_m: of the course.
        speed_mps: of the vehicle.
        rtf: simulated seconds in a second of wall time.
    """
    return (
        f"flying for {time_s:.1f} s: {max(distance_m, 0.0):.1f} of {length_m:g} m, "
        f"{speed_mps:.1f} m/s, {rtf:.1f} x real time"
    )


def end_sentence(result: FlightResult) -> str:
    """Return the line on the end of a flight."""
    return f"the flight has ended: {result.sentence()}"


def position_sentence(position_s: float, duration_s: float | None) -> str:
    """Return the line on the progress of a replay; the length may not be known."""
    length = "" if duration_s is None else f" of {duration_s:.1f} s"
    return f"replaying: at {position_s:.1f} s{length}"


def replayed_sentence(frames: int, lost: int) -> str:
    """Return the line on the end of a replay."""
    return f"the bag has ended: {frames} frames, {lost} without an answer"


def waiting_sentence(missing: list[str]) -> str:
    """Return the line on a graph that is not complete."""
    return f"waiting: {'; '.join(missing)}"
