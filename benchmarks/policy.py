"""Time of each stage from a picture to a command on one core: Python, ONNX Runtime, exported C."""

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks.compiled_policy import CompiledPolicy, compiler
from benchmarks.measured import Measured
from liquid_control.errors import CertificateError
from liquid_control.export.c import TRIAL
from liquid_control.export.c_golden import golden_picture
from liquid_control.perception import Encoder, imu_features, input_values, standardise
from liquid_control.policy import WIRED, OnlineAdaptation, Policy, VelocityReading, load_model
from liquid_control.provenance import machine, model_fingerprint, package_versions
from liquid_control.types import NANOSECONDS, ImuWindow, Observation

FRAMES = 2000
"""Frames of a round."""
RATE_HZ = 30
IMU_SAMPLES = 13
"""Between two frames, of an IMU at 400 Hz."""


@dataclass(frozen=True, slots=True)
class StageTime:
    """Time of one stage of a policy.

    Attributes:
        stage: name of the stage.
        p50_us: median, microseconds.
        p99_us: 99th percentile; None where only means over many steps are measured.
        p999_us: 99.9th percentile; likewise.
        core_percent: use of one core by the stage at 30 Hz, from the median.
        samples: number of frames, or of means.
    """

    stage: str
    p50_us: float
    p99_us: float | None
    p999_us: float | None
    core_percent: float
    samples: int

    @classmethod
    def of(cls, stage: str, times_us: list[float], means: bool = False) -> "StageTime":
        """Return the percentiles of some times, or the median of some means."""
        p50, p99, p999 = (float(value) for value in np.percentile(times_us, (50, 99, 99.9)))
        upper: tuple[float | None, float | None] = (None, None) if means else (p99, p999)
        return cls(stage, p50, upper[0], upper[1], p50 * RATE_HZ * 1e-4, len(times_us))


def measure_policy(
    folder: Path, repeats: int, measured: Measured
) -> tuple[list[StageTime], dict[str, Any]]:
    """Measure each stage over a number of rounds of 2,000 frames.

    Args:
        folder: of the model.
        repeats: number of rounds.
        measured: what an interrupted run has measured.

    Returns:
        A row a stage, and the configuration.

    Raises:
        DependencyError: there is no C compiler, and the model has a wired CfC.
    """
    with stages(folder) as (timers, means):
        rows = [
            measured.once(name, StageTime, partial(_time, name, run, repeats * FRAMES))
            for name, run in timers.items()
        ]
        rows += [
            measured.once(name, StageTime, partial(_mean, name, mean, repeats))
            for name, mean in means.items()
        ]
    config = {
        "model": model_fingerprint(folder),
        "rounds": repeats,
        "frames_a_round": FRAMES,
        "rate_hz": RATE_HZ,
        "machine": machine(),
        "versions": package_versions(),
    }
    return rows, config


Timers = dict[str, Callable[[], Any]]
Means = dict[str, Callable[[], float]]


@contextmanager
def stages(folder: Path) -> Iterator[tuple[Timers, Means]]:
    """Yield what runs a stage once, and what returns a mean time in microseconds, by stage."""
    model = load_model(folder)
    policy, encoder = Policy(model), Encoder(model.perception)
    camera = model.settings.camera
    frame = example_frame(camera.height, camera.width)
    declared = model.settings.features.inputs
    picture = standardise(frame.image)
    mount = input_values(("mount",), frame) if encoder.mounted else None
    features, state = policy.features(frame), policy.init_state()
    timers: Timers = {
        "standardise the picture": lambda: standardise(frame.image),
        "encoder, ONNX Runtime": lambda: encoder.encode(picture, mount),
        "IMU and inputs": lambda: (imu_features(frame.imu), input_values(declared, frame)),
        "controller": lambda: policy.act(features, state, 1 / RATE_HZ),
        "whole policy": lambda: policy.step(frame, state, 1 / RATE_HZ),
    }
    with suppress(CertificateError):
        timers["online adaptation"] = _adapting(OnlineAdaptation.for_model(model), policy)
    with tempfile.TemporaryDirectory() as place:
        means: Means = {}
        if model.settings.core.kind == WIRED:
            in_c = CompiledPolicy(model, Path(place))
            fixed = in_c.frame(frame, frame.image)

            def step_in_c() -> None:
                fixed.stamp_ns += 1_000_000
                in_c.call(fixed)

            timers["whole policy, exported C"] = step_in_c
            means["controller, exported C"] = _controller_in_c(Path(place))
        yield timers, means


def _adapting(adaptation: OnlineAdaptation, policy: Policy) -> Callable[[], None]:
    """Return a step of an adaptation that estimates: the vehicle moves at 0.9 of each command."""
    camera = policy.model.settings.camera
    features = policy.features(example_frame(camera.height, camera.width))
    decision = policy.act(features, policy.init_state(), 1 / RATE_HZ)
    state, stamp_ns, period_ns = adaptation.init_state(), 0, NANOSECONDS // RATE_HZ

    def step() -> None:
        nonlocal state, stamp_ns
        stamp_ns += period_ns
        # Equal readings in succession are refused.
        share = 0.9 if stamp_ns // period_ns % 2 else 0.89
        forward, left, up, yaw = (share * value for value in decision.command.values)
        reading = VelocityReading(stamp_ns, (forward, left, up, yaw))
        state = adaptation.step(decision, state, reading, stamp_ns, 1 / RATE_HZ)[1]

    return step


def example_frame(height: int, width: int) -> Observation:
    """Return an observation with every optional input, at rest."""
    force = np.tile([0.0, 0.0, 9.81], (IMU_SAMPLES, 1))
    return Observation(
        1,
        golden_picture(3, height, width),
        ImuWindow(np.arange(IMU_SAMPLES), np.zeros_like(force), force),
        range_m=1.5,
        orientation=np.array([0.0, 0.0, 0.0, 1.0]),
        cruise_mps=2.0,
        mount=(90.0, 15.0),
    )


def _controller_in_c(folder: Path) -> Callable[[], float]:
    program = folder / "controller_test"
    command = [compiler(), "-std=c99", "-O2", str(folder / TRIAL), "-o", str(program)]
    subprocess.run(command, check=True)

    def mean_us() -> float:
        done = subprocess.run([program], check=True, capture_output=True, text=True)
        return float(done.stdout.splitlines()[-1].split()[0])

    return mean_us


def _time(name: str, run: Callable[[], Any], count: int) -> StageTime:
    for _ in range(20):
        run()
    times_us = []
    for _ in range(count):
        start = perf_counter_ns()
        run()
        times_us.append(1e-3 * (perf_counter_ns() - start))
    return StageTime.of(name, times_us)


def _mean(name: str, mean_us: Callable[[], float], repeats: int) -> StageTime:
    return StageTime.of(name, [mean_us() for _ in range(repeats)], means=True)


def policy_table(rows: list[StageTime]) -> Table:
    """Return a table of the stages."""
    table = Table("stage", "p50 µs", "p99 µs", "p99.9 µs", "of a core at 30 Hz, %")
    for row in rows:
        percentiles = (row.p50_us, row.p99_us, row.p999_us)
        texts = ["" if value is None else f"{value:.4g}" for value in percentiles]
        table.add_row(row.stage, *texts, f"{row.core_percent:.2g}")
    return table
