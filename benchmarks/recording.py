"""Messages that the recorder loses at the full rate of camera and IMU, and its CPU and memory."""

import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks.measured import Measured
from liquid_control.bags import Losses, open_bag
from liquid_control.errors import GraphError
from liquid_control.graph.processes import (
    FLUSH_TIMEOUT_S,
    Process,
    end_processes,
    free_domain,
    node_command,
    node_environment,
    start_process,
    wait_for_end,
)
from liquid_control.progress import StatusLine
from liquid_control.stall_timer import cpu_time_s

SECONDS = 20.0
WIDTH, HEIGHT = 640, 480
CORES = 2
VARIANTS = (("raw", "lz4"), ("raw", "zstd"), ("png", "none"), ("jpeg", "none"))
"""Formats of pictures and chunks that are measured once, in addition to raw and uncompressed."""
BACKLOG_S = 120.0
"""For a recorder to write its backlog, where compression does not keep up."""
IMAGE = "camera/image_raw"


@dataclass(frozen=True, slots=True)
class RecordRow:
    """One recording, measured.

    Attributes:
        published: messages by topic, counted by the publisher.
        recorded: messages by topic in the bag; pictures include compressed ones.
        lost: the difference over all topics.
        seconds: from the first stamp to the last.
        cpu_share: user and system time over wall time while messages arrived; 1 is one core.
        memory_mb: peak resident memory, MB.
        bag_mb: size of the bag, MB.
        load: of the machine before the recording, one-minute average.
    """

    image: str
    compression: str
    published: Mapping[str, int]
    recorded: Mapping[str, int]
    lost: int
    seconds: float
    cpu_share: float
    memory_mb: float
    bag_mb: float
    load: float


def measure_recording(
    repeats: int, folder: Path, measured: Measured | None = None
) -> tuple[list[RecordRow], dict[str, Any]]:
    """Record raw `repeats` times, and each of `VARIANTS` once; bags are deleted after counting.

    Raises:
        GraphError: recorder or publisher did not start, or died.
        BagError: a bag cannot be read back.
    """
    plan = [("raw", "none")] * repeats + list(VARIANTS)
    measured, rows = measured or Measured(), []
    with _two_cores() as cores:
        for number, (image, compression) in enumerate(plan):
            key = f"{number}-{image}-{compression}"
            measure = partial(_measure, image, compression, folder / key)
            rows.append(measured.once(key, RecordRow, measure))
    config = {"seconds": SECONDS, "width": WIDTH, "height": HEIGHT, "cores": cores}
    return rows, config


@contextmanager
def _two_cores() -> Iterator[int]:
    """Restrict this process and its children to two cores; yield the number of cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:CORES])
    try:
        yield len(os.sched_getaffinity(0))
    finally:
        os.sched_setaffinity(0, before)


def _measure(image: str, compression: str, home: Path) -> RecordRow:
    path = home / "load.mcap"
    shutil.rmtree(home, ignore_errors=True)  # of an interrupted recording
    load = os.getloadavg()[0]
    with StatusLine(f"{image}, {compression}", str) as line, free_domain() as domain:
        line.show("recording")
        parameters = {"path": str(path), "image": image, "compression": compression}
        recorder = _start("liquid_control.nodes.recorder_node", parameters, domain, home)
        size = {"width": WIDTH, "height": HEIGHT, "seconds": SECONDS}
        publisher = _start("benchmarks.recording_load", size, domain, home, pipe_stdout=True)
        try:
            published, cores, memory_mb = _observe(recorder, publisher)
        finally:
            statuses = end_processes((publisher, recorder), BACKLOG_S)
    for process in (publisher, recorder):
        if statuses[process.name] != 0:
            raise GraphError(process.exit_message())
    recorded, seconds = _count(path)
    bag_mb = path.stat().st_size / 1e6
    path.unlink()
    return RecordRow(
        image=image,
        compression=compression,
        published=published,
        recorded={topic: recorded[topic] for topic in published},
        lost=sum(count - recorded[topic] for topic, count in published.items()),
        seconds=seconds,
        cpu_share=cores,
        memory_mb=memory_mb,
        bag_mb=bag_mb,
        load=load,
    )


def _start(
    module: str,
    parameters: Mapping[str, object],
    domain: int,
    home: Path,
    pipe_stdout: bool = False,
) -> Process:
    name = module.rpartition(".")[2]
    return start_process(
        name,
        node_command(module, parameters),
        node_environment(domain),
        home / "log" / f"{name}.log",
        pipe_stdout,
    )


def _observe(recorder: Process, publisher: Process) -> tuple[dict[str, int], float, float]:
    """Wait for the publisher; return its counts, the cores that the recorder used, and MB."""
    _line(publisher, recorder)
    before, begun_s = cpu_time_s([recorder.child.pid]), time.monotonic()
    published = json.loads(_line(publisher, recorder))
    used_s = cpu_time_s([recorder.child.pid]) - before
    cores = used_s / (time.monotonic() - begun_s)
    wait_for_end([publisher], FLUSH_TIMEOUT_S)
    return published, cores, _peak_mb(recorder)


def _line(publisher: Process, recorder: Process) -> bytes:
    """Return the next line of the publisher."""
    if publisher.child.stdout is None:
        raise GraphError(f"{publisher.name} has no output")
    line = publisher.child.stdout.readline()
    if not line or recorder.child.poll() is not None:
        raise GraphError(
            f"{publisher.name}: {publisher.last_error_line()}; {recorder.last_error_line()}"
        )
    return line


def _peak_mb(process: Process) -> float:
    status = Path(f"/proc/{process.child.pid}/status").read_text(encoding="ascii")
    kilobytes = next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]
    return int(kilobytes) * 1024 / 1e6


def _count(path: Path) -> tuple[Counter[str], float]:
    """Return the messages by topic, all read, and the time from the first to the last picture."""
    bag, losses = open_bag(path), Losses()
    found: Counter[str] = Counter()
    pictures: list[int] = []
    for message in bag.messages(bag.topics.keys(), losses):
        topic = message.topic.lstrip("/").removesuffix("/compressed")
        found[topic] += 1
        if topic == IMAGE:
            pictures.append(message.log_ns)
    return found, (pictures[-1] - pictures[0]) * 1e-9 if pictures else 0.0


def record_table(rows: Sequence[RecordRow]) -> Table:
    """Return one row per recording."""
    table = Table(
        title=f"recorder at {WIDTH}x{HEIGHT}, 30 Hz, IMU at 400 Hz, {CORES} cores",
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    table.add_column("pictures")
    table.add_column("chunks")
    for name in ("frames", "lost", "IMU", "lost", "all lost", "core", "memory", "bag", "load"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        counts = [
            text
            for topic in (IMAGE, "imu/data")
            for text in (
                str(row.published[topic]),
                str(row.published[topic] - row.recorded[topic]),
            )
        ]
        table.add_row(
            row.image,
            row.compression,
            *counts,
            str(row.lost),
            f"{100 * row.cpu_share:.0f} %",
            f"{row.memory_mb:.0f} MB",
            f"{row.bag_mb:.0f} MB",
            f"{row.load:.1f}",
        )
    return table
