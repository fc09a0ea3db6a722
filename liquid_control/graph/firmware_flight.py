"""One simulated flight with a real firmware, in this process, with record, bag and logs."""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from liquid_control.config import Scenario
from liquid_control.errors import ConfigError
from liquid_control.evaluation import FlightJob
from liquid_control.evaluation.bag_recorder import fly_and_record
from liquid_control.evaluation.records import save_record
from liquid_control.graph.betaflight_flight import BetaflightSetup
from liquid_control.graph.mavlink_flight import ArduPilotSetup, Px4Setup
from liquid_control.graph.node_graph import ProgressCallback
from liquid_control.interfaces import FlightProgress, Pilot, World
from liquid_control.policy import Policy, PolicyPilot, load_model
from liquid_control.types import Command, FlightRecord, FlightResult, Observation, VehicleState
from liquid_control_sim.firmware.flyer import FirmwareFlyer, FirmwareSetup
from liquid_control_sim.firmware.process import check_program

SETUPS: dict[str, Callable[[Path], FirmwareSetup]] = {
    "ardupilot": ArduPilotSetup,
    "px4": Px4Setup,
    "betaflight": BetaflightSetup,
}
"""Firmwares by their name on the command line."""
PROGRESS_S = 0.1


def firmware_setup(autopilot: str, program: Path | None) -> FirmwareSetup:
    """Return the setup of a firmware; its program is looked at now.

    Raises:
        ConfigError: the firmware is unknown, or its program is not given.
        AutopilotError: there is no such program.
    """
    if autopilot not in SETUPS:
        raise ConfigError(f"--autopilot: expected one of {', '.join(SETUPS)}, got {autopilot!r}")
    if program is None:
        raise ConfigError(f"--autopilot {autopilot}: expected --firmware PATH too")
    setup = SETUPS[autopilot](program)
    check_program(setup.name, program)
    return setup


def fly_with_firmware(
    job: FlightJob,
    setup: FirmwareSetup,
    model: Path,
    folder: Path,
    bag: Path | None,
    image: str = "raw",
    gui: bool = False,
    on_progress: ProgressCallback | None = None,
) -> tuple[FlightResult, dict[str, Any]]:
    """Fly a job with a firmware; return its result and the statistics of `GraphFlight`.

    Args:
        job: the flight.
        setup: starts the firmware.
        model: folder of the model.
        folder: receives `flight.npz` and the firmware's files, in `firmware/`.
        bag: file of the bag; None for none.
        image: format of pictures in the bag.
        gui: whether to show PyBullet's window.
        on_progress: receives the events of `fly_through_graph`.

    Raises:
        AutopilotError: the firmware does not start or arm, or dies.
        ModelError: the model does not load, or does not fit the scenario.
    """
    pilot = PolicyPilot(Policy(load_model(model)))
    flyer = FirmwareFlyer(setup, (folder / "firmware").resolve(), gui)
    report = _ProgressReport(job.scenario.course_m, on_progress)
    latencies_ms: list[float] = []

    def fly(
        scenario: Scenario,
        seed: int,
        pilot: Pilot,
        watch: Callable[[FlightProgress], None] | None = None,
    ) -> FlightRecord:
        def both(progress: FlightProgress) -> None:
            if watch is not None:
                watch(progress)
            report(progress)

        return flyer(scenario, seed, _TimedPilot(pilot, latencies_ms), both)

    begun_s = time.monotonic()
    if bag is None:
        record = fly(job.scenario, job.seed, pilot)
    else:
        record = fly_and_record(fly, job, pilot, bag, image)
    save_record(folder / "flight.npz", record)
    wall_s, simulated_s = time.monotonic() - begun_s, record.result.duration_s
    p50, p99 = np.percentile(latencies_ms, (50, 99)).tolist()
    return record.result, {
        "mode": f"firmware: {setup.name}",
        "frames": len(latencies_ms),
        "frames_lost": 0,
        "frames_late": 0,
        "latency_ms": {"p50": p50, "p99": p99, "max": max(latencies_ms)},
        "simulated_s": simulated_s,
        "wall_s": wall_s,
        "rtf": simulated_s / wall_s,
        "firmware": asdict(flyer.sorties[-1]),
    }


class _TimedPilot:
    """Wraps a pilot and keeps the duration of each answer, ms."""

    def __init__(self, inner: Pilot, latencies_ms: list[float]) -> None:
        self.name = inner.name
        self._inner, self._latencies_ms = inner, latencies_ms

    def start(self, world: World) -> None:
        self._inner.start(world)

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        begin_s = time.perf_counter()
        answer = self._inner.command(observation, truth)
        self._latencies_ms.append(1e3 * (time.perf_counter() - begin_s))
        return answer


class _ProgressReport:
    """Reports the progress of a flight about ten times a second."""

    def __init__(self, length_m: float, on_progress: ProgressCallback | None) -> None:
        self._length_m, self._on_progress = length_m, on_progress
        self._begun_s = self._reported_s = time.monotonic()

    def __call__(self, progress: FlightProgress) -> None:
        now_s = time.monotonic()
        if self._on_progress is None or now_s - self._reported_s < PROGRESS_S:
            return
        self._reported_s, time_s = now_s, progress.stamp_ns * 1e-9
        self._on_progress(
            {
                "event": "progress",
                "time_s": time_s,
                "distance_m": progress.progress_m,
                "length_m": self._length_m,
                "speed_mps": float(np.linalg.norm(progress.truth.velocity)),
                "wind_mps": float(np.linalg.norm(progress.wind)),
                "rtf": time_s / (now_s - self._begun_s),
            }
        )
