"""Benchmark of replay: speed and memory for a VGA camera's recording on one core or two.

The benchmark writes a bag of a VGA camera and a 400 Hz IMU and replays it by the command in a
process pinned to one core for raw pictures, to two for JPEG. The pictures have the spectrum of
natural ones, which gives JPEG the load of a real camera.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.status import Status
from rich.table import Table

from benchmarks.measured import Measured
from liquid_control.bags import BagWriter
from liquid_control.bags.writing.messages import (
    camera_info_cdr,
    compressed_image_cdr,
    image_cdr,
    imu_cdr,
)
from liquid_control.config import CameraSettings
from liquid_control.errors import OutputError
from liquid_control.seeding import stream
from liquid_control.types import NANOSECONDS, Pixels

SECONDS = 60
WIDTH, HEIGHT = 640, 480
CAMERA_HZ, IMU_HZ = 30, 400
PICTURES = 16
JPEG_QUALITY = 90
DECAY = 1.2
"""Exponent of the amplitude's decay with spatial frequency; natural pictures have 1.0 to 1.3."""
IMU_TOPIC, INFO_TOPIC = "/imu/data", "/camera/camera_info"
RAW, JPEG = "raw", "jpeg"
AT_LEAST = {RAW: 20.0, JPEG: 18.0}
"""Required speed by format, times real time."""
CORES = {RAW: 1, JPEG: 2}
"""Number of cores by format: JPEG pictures are decoded ahead in other threads."""
TOPICS = {
    RAW: ("/camera/image_raw", "sensor_msgs/msg/Image"),
    JPEG: ("/camera/image_raw/compressed", "sensor_msgs/msg/CompressedImage"),
}


@dataclass(frozen=True, slots=True)
class ReplayRow:
    """Measurement of one picture format: medians over the repeats.

    Attributes:
        pictures: the format, raw or jpeg.
        bag_mb: size of the bag, MB.
        replay_s: the pass over the bag, s: reading, decoding, policy and guard.
        times_real_time: length of the recording divided by it.
        least: smallest value of the repeats; most likewise.
        times_real_time_cpu: length of the recording divided by the pass's CPU time, which depends
            less on other work on the machine.
        command_s: the whole command, s: start, pass, checksum of the bag, report.
        memory_mb: largest resident memory, MB.
        at_least: required times real time.
        cores: number of cores of the process.
    """

    pictures: str
    bag_mb: float
    replay_s: float
    times_real_time: float
    least: float
    most: float
    times_real_time_cpu: float
    command_s: float
    memory_mb: float
    at_least: float
    cores: int = 1


def measure_replay(
    model: Path, repeats: int, measured: Measured | None = None
) -> tuple[list[ReplayRow], dict[str, Any]]:
    """Write and replay each bag; the first replay of each fills caches and is not counted.

    Raises:
        OutputError: a bag cannot be written, or a replay failed.
    """
    measured, rows = measured or Measured(), []
    with TemporaryDirectory() as folder, Console(stderr=True).status("") as status:
        for pictures in TOPICS:
            bag = Path(folder) / f"{pictures}.mcap"
            measure = partial(_write_and_measure, status, bag, pictures, model, repeats)
            rows.append(measured.once(pictures, ReplayRow, measure))
    config = {
        "seconds": SECONDS,
        "camera": f"{WIDTH}x{HEIGHT} at {CAMERA_HZ} Hz",
        "imu_hz": IMU_HZ,
        "jpeg_quality": JPEG_QUALITY,
        "model": model.name,
        "cores": CORES,
        "repeats": repeats,
    }
    return rows, config


def _write_and_measure(
    status: Status, bag: Path, pictures: str, model: Path, repeats: int
) -> ReplayRow:
    status.update(f"writing {SECONDS} s of {pictures} pictures")
    write_load(bag, pictures)
    status.update(f"replaying {pictures} pictures")
    row = _measure(bag, pictures, model, repeats)
    bag.unlink()
    return row


def write_load(path: Path, pictures: str, seconds: float = SECONDS) -> Path:
    """Write a bag of a camera, with pictures `raw` or `jpeg`, and an IMU."""
    camera, kind = TOPICS[pictures]
    types = {
        camera: kind,
        INFO_TOPIC: "sensor_msgs/msg/CameraInfo",
        IMU_TOPIC: "sensor_msgs/msg/Imu",
    }
    camera_settings = CameraSettings(width=WIDTH, height=HEIGHT, horizontal_fov_deg=90.0)
    content = [_encoded(image, pictures) for image in natural_pictures(PICTURES)]
    rng = stream(0, "bench/replay")
    with BagWriter(path, types) as writer:
        frame = 0
        for sample in range(round(seconds * IMU_HZ)):
            stamp_ns = sample * NANOSECONDS // IMU_HZ
            force = np.array([0.0, 0.0, 9.81]) + rng.normal(0.0, 0.5, 3)
            writer.write(IMU_TOPIC, imu_cdr(rng.normal(0.0, 0.2, 3), force, stamp_ns), stamp_ns)
            if stamp_ns >= frame * NANOSECONDS // CAMERA_HZ:
                writer.write(INFO_TOPIC, camera_info_cdr(camera_settings, stamp_ns), stamp_ns)
                data = _message(content[frame % PICTURES], pictures, stamp_ns)
                writer.write(camera, data, stamp_ns + 1)
                frame += 1
    return path


def natural_pictures(count: int) -> Iterator[Pixels]:
    """Yield pictures with the amplitude spectrum of natural ones."""
    rng = stream(0, "bench/pictures")
    frequency = np.hypot(np.fft.fftfreq(HEIGHT)[:, None], np.fft.fftfreq(WIDTH)[None])
    frequency[0, 0] = np.inf
    for _ in range(count):
        grey = np.fft.ifft2(np.fft.fft2(rng.normal(size=(HEIGHT, WIDTH))) / frequency**DECAY).real
        tint = np.fft.ifft2(np.fft.fft2(rng.normal(size=(HEIGHT, WIDTH))) / frequency**1.4).real
        grey, tint = grey / grey.std(), tint / tint.std()
        channels = [grey + 0.3 * tint, grey, grey - 0.3 * tint]
        yield np.clip(118.0 + 48.0 * np.stack(channels, axis=2), 0, 255).astype(np.uint8)


def _encoded(image: Pixels, pictures: str) -> bytes | Pixels:
    if pictures == RAW:
        return image
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, coded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    return bytes(coded.tobytes())


def _message(content: bytes | Pixels, pictures: str, stamp_ns: int) -> bytes:
    if isinstance(content, bytes):
        return compressed_image_cdr(content, f"rgb8; {pictures} compressed bgr8", stamp_ns)
    return image_cdr(content, stamp_ns)


@dataclass(frozen=True, slots=True)
class _Run:
    replay_s: float
    cpu_s: float
    recorded_s: float
    command_s: float
    memory_mb: float


def _measure(bag: Path, pictures: str, model: Path, repeats: int) -> ReplayRow:
    runs = [_run(bag, model, CORES[pictures]) for _ in range(repeats + 1)][1:]
    times = [run.recorded_s / run.replay_s for run in runs]
    return ReplayRow(
        pictures=pictures,
        bag_mb=bag.stat().st_size * 1e-6,
        replay_s=median(run.replay_s for run in runs),
        times_real_time=median(times),
        least=min(times),
        most=max(times),
        times_real_time_cpu=median(run.recorded_s / run.cpu_s for run in runs),
        command_s=median(run.command_s for run in runs),
        memory_mb=max(run.memory_mb for run in runs),
        at_least=AT_LEAST[pictures],
        cores=CORES[pictures],
    )


def _run(bag: Path, model: Path, cores: int) -> _Run:
    """Run the command once in a process pinned to a number of cores."""
    with TemporaryDirectory() as folder:
        words = [sys.executable, "-m", "liquid_control.cli", "replay", str(bag)]
        words += ["--model", str(model), "--out", folder]
        start_s = time.perf_counter()
        child = os.posix_spawn(
            sys.executable,
            words,
            _one_threaded(),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, f"{folder}/errors.txt", os.O_WRONLY | os.O_CREAT, 0o600),
            ],
        )
        os.sched_setaffinity(child, sorted(os.sched_getaffinity(0))[:cores])
        _, status, used = os.wait4(child, 0)
        command_s = time.perf_counter() - start_s
        if (ended := os.waitstatus_to_exitcode(status)) != 0:
            errors = (Path(folder) / "errors.txt").read_text(encoding="utf-8")
            raise OutputError(f"{' '.join(words)}: ended with {ended}: {errors}")
        timing = json.loads((Path(folder) / "timing.json").read_text(encoding="utf-8"))
    return _Run(
        replay_s=timing["wall_s"],
        cpu_s=timing["cpu_s"],
        recorded_s=timing["recorded_s"],
        command_s=command_s,
        memory_mb=used.ru_maxrss * 1.024e-3,
    )


def _one_threaded() -> dict[str, str]:
    paths = os.pathsep.join(path for path in sys.path if path)
    single = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"), "1"
    )
    return {**os.environ, **single, "PYTHONPATH": paths}


def _speeds(row: ReplayRow) -> tuple[float, float, float, float]:
    return row.times_real_time, row.least, row.most, row.times_real_time_cpu


def replay_table(rows: list[ReplayRow]) -> Table:
    """Return a table with a row for each picture format."""
    title = f"replay of {WIDTH}x{HEIGHT} at {CAMERA_HZ} Hz, IMU {IMU_HZ} Hz; medians"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("pictures")
    for name in (
        "cores",
        "bag",
        "x real time",
        "least",
        "most",
        "by CPU",
        "required",
        "whole command",
        "memory",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row.pictures,
            str(row.cores),
            f"{row.bag_mb:.0f} MB",
            *(f"{value:.1f}" for value in _speeds(row)),
            f">= {row.at_least:g}",
            f"{row.command_s:.1f} s",
            f"{row.memory_mb:.0f} MB",
        )
    return table
