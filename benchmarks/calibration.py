"""Accuracy of `liquid-control calibrate` on simulated recordings whose camera is known.

    python -m benchmarks.calibration --seeds 6 --width 320

Each flight hovers and turns in a forest. Field of view, pitch and latency of its camera are drawn.
"""

import argparse
from collections.abc import Sequence
from math import pi, sin
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.programs import one_line_errors
from liquid_control.calibration import Calibration, calibrate
from liquid_control.config import load_scenario
from liquid_control.evaluation.bag_recorder import fly_and_record
from liquid_control.evaluation.campaign import FlightJob
from liquid_control.interfaces import World
from liquid_control.seeding import stream
from liquid_control.types import Command, Observation, VehicleState
from liquid_control_sim import fly
from liquid_control_sim.schedule import PHYSICS_HZ

LATENCIES_S = (0.0, 0.03, 0.06, 0.1, 0.15)
UNITS = {"field of view": "degrees", "pitch": "degrees", "delay": "ms"}


class TurningPilot:
    """Hovers, turns left and right, and nods by small movements."""

    name = "turning"

    def start(self, world: World) -> None:
        """Prepare for a flight."""

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        """Return the command at the time of a frame."""
        time_s = observation.stamp_ns * 1e-9
        forward = 0.4 * sin(2.0 * pi * 0.7 * time_s)
        left = 0.3 * sin(2.0 * pi * 0.55 * time_s)
        return Command(forward, left, 0.0, 1.2 * sin(2.0 * pi * 0.4 * time_s))


def camera_of(seed: int, width: int) -> dict[str, Any]:
    """Return the camera of a flight: dotted keys of the scenario."""
    generator = stream(seed, "calibration")
    latency_s = LATENCIES_S[int(generator.integers(len(LATENCIES_S)))]
    return {
        "camera.width": width,
        "camera.height": width * 9 // 16,
        "camera.horizontal_fov_deg": round(float(generator.uniform(60.0, 100.0)), 1),
        "camera.pitch_down_deg": round(float(generator.uniform(0.0, 30.0)), 1),
        "camera.latency_s": latency_s,
    }


def errors(found: Calibration, camera: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """Return error and standard deviation by quantity, in `UNITS`.

    The simulator rounds the latency to whole physics ticks.
    """
    late_s = round(camera["camera.latency_s"] * PHYSICS_HZ) / PHYSICS_HZ
    fov, pitch, delay = found.horizontal_fov_deg, found.pitch_down_deg, found.delay_s
    return {
        "field of view": (fov.value - camera["camera.horizontal_fov_deg"], fov.sigma),
        "pitch": (pitch.value - camera["camera.pitch_down_deg"], pitch.sigma),
        "delay": ((delay.value - late_s) * 1e3, delay.sigma * 1e3),
    }


def fly_one(seed: int, width: int, duration_s: float, path: Path) -> dict[str, Any]:
    """Record one flight; return its camera."""
    camera = camera_of(seed, width)
    changes = {
        "trail.length_m": 30.0,
        "trail.lateral_limit_m": 15.0,
        "forest.clear_m": 4.0,
        "time_limit_s": duration_s,
        **camera,
    }
    scenario = load_scenario("trail", changes)
    job = FlightJob("turning", "calibration", "trail", "none", 0, seed, changes, scenario)
    fly_and_record(fly, job, TurningPilot(), path)
    return camera


@one_line_errors()
def main(arguments: Sequence[str] | None = None) -> None:
    """Fly, calibrate and print the errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--duration", type=float, default=20.0)
    chosen = parser.parse_args(arguments)
    rows = []
    for seed in range(chosen.seeds):
        with TemporaryDirectory() as folder:
            path = Path(folder) / "turns.mcap"
            camera = fly_one(seed, chosen.width, chosen.duration, path)
            rows.append(errors(calibrate(path), camera))
        words = "  ".join(f"{name} {e:+.2f} ± {s:.2f}" for name, (e, s) in rows[-1].items())
        print(f"seed {seed}  {words}  {camera}", flush=True)
    for name, unit in UNITS.items():
        sizes = np.array([abs(row[name][0]) for row in rows])
        inside = sum(abs(row[name][0]) <= 2.0 * row[name][1] for row in rows)
        print(
            f"{name}: mean error {sizes.mean():.2f}, worst {sizes.max():.2f} {unit}, "
            f"n {len(rows)}, {inside} within 2 sigma"
        )


if __name__ == "__main__":
    main()
