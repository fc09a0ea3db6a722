"""Checks of a campaign before its first flight."""

import json
from collections.abc import Callable, Mapping, Sequence

from liquid_control.config import Scenario
from liquid_control.errors import ConfigError, LiquidControlError, ModelError
from liquid_control.evaluation.campaign import FlightJob
from liquid_control.interfaces import Pilot
from liquid_control.policy import Model, OnlineAdaptation, PolicyPilot
from liquid_control.provenance import model_fingerprint

PilotFactory = Callable[[], Pilot]
"""Makes a pilot inside a worker process; picklable."""

SceneCheck = Callable[[Scenario, int], None]
"""Raises a `LiquidControlError` where a simulator cannot begin the flight of a seed."""

_SEEN_ONLY = {"camera", "delta", "imu", "light", "fog", "rain", "snow", "wind", "range"}
"""Sections of a scenario that its place does not depend on."""


def check_pilots(
    jobs: Sequence[FlightJob], pilots: Mapping[str, PilotFactory]
) -> dict[str, dict[str, str]]:
    """Check that each pilot can fly its flights; make each pilot once in this process.

    Args:
        jobs: the flights.
        pilots: makes the pilots, by the jobs' pilot key.

    Returns:
        By key, name and checksums of a policy's model, or the pilot's name.

    Raises:
        ModelError: a model is damaged, or cannot fly an entry, which the message names.
    """
    marks: dict[str, dict[str, str]] = {}
    for label, make in pilots.items():
        pilot = make()
        if isinstance(pilot, PolicyPilot):
            model = pilot.policy.model
            check_cameras(model, [job for job in jobs if job.pilot_key == label])
            marks[label] = model_fingerprint(model.path)
            if isinstance(pilot.adaptation, OnlineAdaptation):
                marks[label]["online_adaptation"] = json.dumps(pilot.adaptation.box.to_claim())
        else:
            marks[label] = {"pilot": pilot.name}
    return marks


def check_cameras(model: Model, jobs: Sequence[FlightJob]) -> None:
    """Check that a model can fly each job.

    Raises:
        ModelError: it cannot; the message names the entry.
    """
    passed: set[str] = set()
    for job in jobs:
        camera = f"{job.scenario.camera.model_dump_json()} {job.scenario.range.enabled}"
        if camera in passed:
            continue
        try:
            model.check_scenario(job.scenario)
        except LiquidControlError as error:
            raise ModelError(f"entry {job.entry!r}: {job.model} cannot fly it: {error}") from error
        passed.add(camera)


def check_scenes(jobs: Sequence[FlightJob], check: SceneCheck) -> None:
    """Check that the simulator can begin each flight; equal places are checked once.

    Raises:
        ConfigError: a flight cannot begin; the message names its entry and seed.
    """
    passed: set[tuple[str, int]] = set()
    places: dict[int, str] = {}
    for job in jobs:
        place = places.get(id(job.scenario))
        if place is None:
            place = job.scenario.model_dump_json(exclude=_SEEN_ONLY)
            places[id(job.scenario)] = place
        if (place, job.seed) in passed:
            continue
        try:
            check(job.scenario, job.seed)
        except LiquidControlError as error:
            raise ConfigError(
                f"entry {job.entry!r}, seed {job.seed}: cannot be flown: {error}"
            ) from error
        passed.add((place, job.seed))
