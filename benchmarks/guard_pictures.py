"""Alarm rates of the guard's picture score: held-out flights, and disturbances of the benchmark.

    python -m benchmarks.guard_pictures --out runs/guard_pictures.json

The expert flies, so that a flight goes on whatever the picture shows. A flight has an alarm at a
threshold if the score exceeds it in so many pictures in succession as the guard needs for its
action. Half of the held-out flights set the threshold, the other half measure its false alarms.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.programs import one_line_errors
from liquid_control.command import GuardRules
from liquid_control.config import Scenario, load_scenario, project_file
from liquid_control.config.disturbances import joined_overrides, load_disturbances
from liquid_control.errors import ModelError
from liquid_control.files import atomic_write
from liquid_control.perception import CameraView, PictureDistribution, fit, picture_statistics
from liquid_control.policy import load_model
from liquid_control.training.training_settings import load_training
from liquid_control.types import Floats
from liquid_control_sim.flight import Flight
from liquid_control_sim.tasks.experts import Expert

GROUPS = ("light", "weather", "camera", "delta")
"""Groups of disturbances of the camera."""
NOT_OF_PICTURES = {"frame_loss", "latency", "rate_low", "rate_high"}
"""Members of these groups that leave the pictures as they are."""
HELD_OUT_SEED, LADDER_SEED = 900_000, 910_000
FRAMES = GuardRules().picture_frames


def flight_statistics(
    scenario: Scenario, seed: int, view: CameraView, seconds: float
) -> Iterator[Floats]:
    """Yield the statistics of every picture of a flight of the expert, float64 [S]."""
    expert = Expert()
    with Flight(scenario, seed) as flight:
        expert.start(flight.world)
        while (tick := flight.advance()) is not None and tick.stamp_ns < seconds * 1e9:
            command = tick.command
            if tick.observation is not None:
                yield picture_statistics(fit(tick.observation.image, view))
                command = expert.command(tick.observation, tick.truth)
            flight.apply_command(command)


def alarm_score(scores: Sequence[float], frames: int = FRAMES) -> float:
    """Return the largest threshold at which a flight has an alarm; 0 for a short flight."""
    if len(scores) < frames:
        return 0.0
    windows = np.lib.stride_tricks.sliding_window_view(np.array(scores), frames)
    return float(windows.min(axis=1).max())


def unseen_flights(number: int) -> Iterator[tuple[Scenario, int]]:
    """Yield scenario and seed of flights drawn as for training, in forests of other seeds."""
    settings = load_training(project_file("config/train/encoder.yaml"))
    for index in range(number):
        seed = HELD_OUT_SEED + index
        yield settings.flight_scenario(index, seed), seed


def ladder(severities: Sequence[int]) -> dict[str, Scenario]:
    """Return scenarios of the trail task by disturbance and severity."""
    cases: dict[str, dict[str, int]] = {"undisturbed": {}}
    for name, disturbance in load_disturbances(project_file("config/disturbances.yaml")).items():
        if disturbance.group in GROUPS and name not in NOT_OF_PICTURES:
            cases |= {f"{name} {severity}": {name: severity} for severity in severities}
    return {case: load_scenario("trail", joined_overrides(key)) for case, key in cases.items()}


@one_line_errors()
def main() -> None:
    """Measure, and write the alarm score of every flight."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=project_file("models/trail_cfc19"))
    parser.add_argument("--unseen", type=int, default=120, help="flights drawn as for training")
    parser.add_argument("--flights", type=int, default=8, help="of each disturbance and severity")
    parser.add_argument("--severities", type=int, nargs="+", default=[3, 5])
    parser.add_argument("--seconds", type=float, default=6.0, help="length of each flight")
    parser.add_argument("--out", type=Path, default=Path("runs/guard_pictures.json"))
    options = parser.parse_args()
    loaded = load_model(options.model)
    learned, view = PictureDistribution.load(loaded.path), loaded.settings.camera.view
    if learned is None:
        raise ModelError(f"{options.model}: expected a pictures.json of the training pictures")

    def alarm(scenario: Scenario, seed: int) -> float:
        rows = flight_statistics(scenario, seed, view, options.seconds)
        return alarm_score([learned.score(row) for row in rows])

    unseen = [alarm(*flight) for flight in unseen_flights(options.unseen)]
    setting, checking = unseen[::2], unseen[1::2]
    threshold = float(np.quantile(setting, 0.95, method="higher"))
    found = {
        case: [alarm(scenario, LADDER_SEED + number) for number in range(options.flights)]
        for case, scenario in ladder(options.severities).items()
    }
    false_alarms = sum(one > threshold for one in checking)
    detected = {case: sum(s > threshold for s in scores) for case, scores in found.items()}
    result = {
        "threshold": threshold,
        "false_alarms": false_alarms,
        "checked": len(checking),
        "detected": detected,
        "unseen": unseen,
        "ladder": found,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(options.out, json.dumps(result, indent=1) + "\n")
    print(f"threshold {threshold:g}: {false_alarms} of {len(checking)} flights alarm")
    for case, number in detected.items():
        print(f"{case}: {number} of {options.flights}")


if __name__ == "__main__":
    main()
