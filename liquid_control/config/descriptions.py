"""Scenarios and disturbances in words, for tables and contact sheets."""

from itertools import takewhile

from liquid_control.config.locations import project_file
from liquid_control.config.scenario import Scenario, TaskKind


def about(scenario_name: str) -> str:
    """Return the first sentence of the comment that a scenario's file begins with."""
    path = project_file("config/scenarios") / f"{scenario_name}.yaml"
    lines = path.read_text(encoding="utf-8").splitlines()
    comment = takewhile(lambda line: line.startswith("#"), lines)
    sentence, end, _ = " ".join(line.lstrip("# ") for line in comment).partition(". ")
    return sentence + end.rstrip()


def success_rule(scenario: Scenario) -> str:
    """Return in words when a flight of a scenario is completed."""
    limit = f"in {scenario.flight_limit_s:.0f} s"
    if scenario.task.kind is TaskKind.TRAIL:
        trail = scenario.trail
        return (
            f"{trail.length_m:g} m along the trail {limit}, never {trail.lateral_limit_m:g} m off "
            "its centre, touching nothing"
        )
    target = scenario.target
    arrived = (
        f"stopped within {target.stop_m:g} m of it and {target.centred_deg:g} degrees of straight "
        f"ahead {limit}, touching nothing"
    )
    if scenario.task.kind is TaskKind.TARGET:
        return f"the {target.colour} target found: {arrived}"
    return f"{scenario.hike.targets} {target.colour} targets in turn, at each {arrived}"


def values_of(values: object) -> str:
    """Return the values of a key in words, `1, 2, 4, 6, 8` or `3` where there is one."""
    if not isinstance(values, list):
        return value_of(values)
    return ", ".join(value_of(value) for value in values)


def value_of(value: object) -> str:
    """Return one value in words."""
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)
