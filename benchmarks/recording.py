"""What the recorder loses at the full rate of camera and IMU, and what recording costs."""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from liquid_control.bags import Losses
from liquid_control.bags.bag import open_bag
from liquid_control.config import project_file
from liquid_control.errors import GraphError
from liquid_control.graph.processes import (
    FLUSH_TIMEOUT_S,
    Process,
    clean_environment,
    end,
    free_domain,
    start,
)
from liquid_control.progress import StatusLine

SECONDS = 20.0
WIDTH, HEIGHT = 640, 480
CORES = 2
VARIANTS = (("raw", "lz4"), ("raw", "zstd"), ("png", "none"), ("jpeg", "none"))
"""Ways to keep pictures and chunks that are measured once, beside raw and uncompressed."""
BACKLOG_S = 120.0
"""For a recorder to write what waits, where compression does not keep up."""
IMAGE = "camera/image_raw"
LOAD = "recording_load"


@dataclass(frozen=True, slots=True)
class RecordRow:
    """One recording, measured.

    Attributes:
        published: messages by topic, as who published them counted.
        recorded: messages by topic in the bag; pictures count wherever they were put.
        lost: the difference, all topics together.
        seconds: from the first stamp to the last.
        cpu_share: of one core while messages came, user and system time over wall time.
        memory_mb: most that was resident, MB.
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


def measure_recording(repeats: int, folder: Path) -> tuple[list[RecordRow], dict[str, Any]]:
    """Record raw `repeats` times, and each of `VARIANTS` once; bags are deleted once counted.

    Raises:
        GraphError: recorder or publisher did not start, or died.
        BagError: a bag cannot be read back.
    """
    plan = [("raw", "none")] * repeats + list(VARIANTS)
    rows = []
    with _two_cores() as cores:
        for number, (image, compression) in enumerate(plan):
            rows.append(_measure(image, compression, folder / f"{number}-{image}-{compression}"))
    config = {"seconds": SECONDS, "width": WIDTH, "height": HEIGHT, "cores": cores}
    return rows, config


@contextmanager
def _two_cores() -> Iterator[int]:
    """Keep us and all that we start to two cores; yield how many there are."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:CORES])
    try:
        yield len(os.sched_getaffinity(0))
    finally:
        os.sched_setaffinity(0, before)


def _measure(image: str, compression: str, home: Path) -> RecordRow:
    path = home / "load.mcap"
    load = os.getloadavg()[0]
    with StatusLine(f"{image}, {compression}", str) as line, free_domain() as domain:
        line.show("recording")
        parameters = {"path": str(path), "image": image, "compression": compression}
        recorder = _start("recorder_node", parameters, domain, home)
        size = {"width": WIDTH, "height": HEIGHT, "seconds": SECONDS}
        publisher = _start(LOAD, size, domain, home)
        try:
            published, cpu_share, memory_mb = _watch(recorder, publisher)
        finally:
            statuses = end((publisher, recorder), BACKLOG_S)
    for process in (publisher, recorder):
        if statuses[process.name] != 0:
            raise GraphError(f"{process.name}: {process.last_error_line()}")
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
        cpu_share=cpu_share,
        memory_mb=memory_mb,
        bag_mb=bag_mb,
        load=load,
    )


def _start(name: str, parameters: Mapping[str, object], domain: int, home: Path) -> Process:
    profiles = str(project_file("config/fastdds.xml"))
    words = [sys.executable, "-m", f"liquid_control.nodes.{name}", "--ros-args"]
    for key, value in parameters.items():
        words += ["-p", f"{key}:={json.dumps(value)}"]
    environment = clean_environment(
        {
            "ROS_DOMAIN_ID": str(domain),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "FASTRTPS_DEFAULT_PROFILES_FILE": profiles,
            "FASTDDS_DEFAULT_PROFILES_FILE": profiles,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
    )
    return start(name, words, environment, home / "log" / f"{name}.log", heard=name == LOAD)


def _watch(recorder: Process, publisher: Process) -> tuple[dict[str, int], float, float]:
    """Wait for the publisher; return its counts, the recorder's share of a core and MB."""
    _line(publisher, recorder)
    before, begun_s = _cpu_seconds(recorder), time.monotonic()
    published = json.loads(_line(publisher, recorder))
    share = (_cpu_seconds(recorder) - before) / (time.monotonic() - begun_s)
    publisher.child.wait(FLUSH_TIMEOUT_S)
    return published, share, _peak_mb(recorder)


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


def _cpu_seconds(process: Process) -> float:
    """Return user and system time of a process, s (proc(5), fields 14 and 15 of stat)."""
    stat = Path(f"/proc/{process.child.pid}/stat").read_text(encoding="ascii")
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mb(process: Process) -> float:
    status = Path(f"/proc/{process.child.pid}/status").read_text(encoding="ascii")
    kilobytes = next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]
    return int(kilobytes) * 1024 / 1e6


def _count(path: Path) -> tuple[Counter[str], float]:
    """Return messages by topic, each read in full, and the time between first and last picture."""
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
    """Return one line a recording."""
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
