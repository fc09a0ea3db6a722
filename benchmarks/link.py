"""From a camera's picture to MAVLink's bytes, and from the death of the policy to hover.

The graph of a companion computer runs in real time: perception, controller, guard and standby, and
`mavlink_node` over UDP. Another process is the camera; this one is the autopilot and timestamps
each datagram when it arrives. A set-point belongs to the frame whose command it has, which the
values show: they differ from frame to frame.
"""

import json
import os
import select
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks.measured import Measured
from liquid_control import topics
from liquid_control.dependencies import require
from liquid_control.errors import GraphError
from liquid_control.evaluation.results import wilson_interval
from liquid_control.graph.processes import (
    Process,
    end_processes,
    free_domain,
    node_command,
    node_environment,
    start_process,
)
from liquid_control.policy import load_model
from liquid_control.progress import progress_bar

LOAD = "link_load"
STREAM_S = 3.0
"""Frames of so long are measured before the policy is killed."""
HOVER_S = 0.5
"""Set-points are watched so long after the policy was killed."""
START_S = 60.0
"""Longest time until set-points follow the policy."""
BOUND_MS = 150.0
CRUISE_MPS = 2.0
OWN_IMU = ["-r", f"{topics.IMU}:=autopilot/{topics.IMU}"]
"""The camera's process publishes the IMU: a sample reaches each frame's stamp at once, as in the
simulator."""
SEPARATE, COMPOSED = (topics.PERCEPTION, topics.CONTROLLER), ("policy_node",)
"""Processes of the policy."""
SETPOINT_ID = 84
_AXES = struct.Struct("<f")
_VELOCITY, _YAW_RATE = 16, 44
"""Offsets of vx and yaw_rate in the payload of SET_POSITION_TARGET_LOCAL_NED."""


@dataclass(frozen=True, slots=True)
class LinkRow:
    """One life of the policy.

    Attributes:
        latency_ms: from just before a picture was published to its set-point's datagram.
        missing: frames whose set-point did not arrive.
        moving_ms: from the kill to the last set-point that is not hover; 0 if there was none.
        hover_ms: from the kill to the first hover.
    """

    latency_ms: list[float]
    missing: int
    moving_ms: float
    hover_ms: float


@dataclass
class LinkReceiver:
    """The autopilot's end: sends heartbeats of PX4, and keeps set-points with their arrival.

    Attributes:
        port: UDP port of `mavlink_node`.
        setpoints: (steady clock in ns, (vx, vy, vz, yaw rate) in FRD).
    """

    port: int
    setpoints: list[tuple[int, tuple[float, ...]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._mavlink: Any = require(
            "pymavlink.dialects.v20.common", "mavlink", "measure the link to an autopilot"
        )
        self._encoder = self._mavlink.MAVLink(None, 1, 1)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", self.port))
        self._socket.setblocking(False)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Close the port."""
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        next_s = 0.0
        while not self._ended.is_set():
            if time.monotonic() >= next_s:
                next_s = time.monotonic() + 0.5
                armed = self._mavlink.MAV_MODE_FLAG_SAFETY_ARMED
                beat = self._encoder.heartbeat_encode(2, 12, armed, 6 << 16, 4)
                self._try(lambda beat=beat: self._socket.send(beat.pack(self._encoder)))
            if select.select([self._socket], [], [], 0.05)[0]:
                data = self._try(lambda: self._socket.recv(2048))
                if data and len(data) > 10 and int.from_bytes(data[7:10], "little") == SETPOINT_ID:
                    self.setpoints.append((time.monotonic_ns(), setpoint_values(data[10:-2])))

    @staticmethod
    def _try(action: Any) -> bytes | None:
        try:
            result: bytes | None = action()
        except OSError:  # nobody listens yet
            return None
        return result


def setpoint_values(payload: bytes) -> tuple[float, ...]:
    """Return vx, vy, vz and yaw rate of a payload; MAVLink 2 cuts zeros at its end."""
    whole = payload.ljust(53, b"\0")
    places = (*(_VELOCITY + 4 * axis for axis in range(3)), _YAW_RATE)
    return tuple(_AXES.unpack_from(whole, place)[0] for place in places)


def frd(values: Sequence[float]) -> tuple[float, ...]:
    """Return a command's values as its set-point has them, in single precision."""
    signs = (1.0, -1.0, -1.0, -1.0)
    return tuple(float(np.float32(s * v)) for s, v in zip(signs, values, strict=True))


@dataclass
class LinkGraph:
    """The processes of a companion computer and its camera.

    Attributes:
        environment: of the processes.
        folder: of their logs.
        model: folder.
        port: UDP port of `mavlink_node`.
        policy: processes of the policy.
    """

    environment: Mapping[str, str]
    folder: Path
    model: Path
    port: int
    policy: tuple[str, ...] = SEPARATE
    processes: dict[str, Process] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    def start(self, *names: str) -> None:
        """Start nodes, also those that were killed."""
        for name in names:
            module = f"benchmarks.{name}" if name == LOAD else f"liquid_control.nodes.{name}"
            command = node_command(module, self._parameters(name))
            command += OWN_IMU if name == topics.MAVLINK else []
            log = self.folder / "log" / f"{name}.log"
            self.processes[name] = start_process(
                name, command, self.environment, log, pipe_stdout=name == LOAD
            )

    def kill_policy(self) -> int:
        """Kill perception and controller; return the steady clock just before, ns."""
        now_ns = time.monotonic_ns()
        for name in self.policy:
            os.kill(self.processes[name].child.pid, signal.SIGKILL)
        for name in self.policy:
            self.processes[name].child.wait()
        return now_ns

    def read_events(self) -> None:
        """Read the lines of the camera's process until it ends."""
        out = self.processes[LOAD].child.stdout
        assert out is not None
        for line in out:
            self.events.append(json.loads(line))

    def _parameters(self, name: str) -> dict[str, object]:
        mode: dict[str, object] = {"mode": "realtime"}
        policy = mode | {"model": str(self.model), "autostart": True}
        perception = policy | {"cruise_speed_mps": CRUISE_MPS, "camera_pitch_down_deg": 15.0}
        return {
            topics.PERCEPTION: perception,
            "policy_node": perception,
            topics.CONTROLLER: policy,
            topics.GUARD: mode | {"pair": "first"},
            topics.GUARD_STANDBY: mode | {"pair": "standby"},
            topics.MAVLINK: {"link": f"udpin://127.0.0.1:{self.port}", "imu_rate_hz": 0.0},
            LOAD: {},
        }[name]


@contextmanager
def running_graph(
    model: Path, folder: Path, composed: bool
) -> Iterator[tuple[LinkGraph, LinkReceiver]]:
    """Start the graph without the policy; end it afterwards."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    checkout = str(Path(__file__).resolve().parents[1])
    if checkout not in sys.path:
        sys.path.insert(0, checkout)
    with free_domain() as domain:
        policy = COMPOSED if composed else SEPARATE
        graph = LinkGraph(node_environment(domain), folder, model, port, policy)
        receiver = LinkReceiver(port)
        try:
            graph.start(topics.GUARD, topics.GUARD_STANDBY, topics.MAVLINK, LOAD)
            threading.Thread(target=graph.read_events, daemon=True).start()
            yield graph, receiver
        finally:
            end_processes(graph.processes.values())
            receiver.close()


def measure_link(
    model: Path,
    repeats: int,
    folder: Path,
    measured: Measured | None = None,
    composed: bool = False,
) -> tuple[list[LinkRow], dict[str, Any]]:
    """Start and kill the policy `repeats` times in a running graph.

    Args:
        model: folder.
        repeats: number of rounds.
        folder: of the logs.
        measured: what an interrupted run has measured.
        composed: whether perception and controller share a process.

    Raises:
        GraphError: set-points did not begin to follow the policy.
    """
    measured = measured or Measured()
    path = load_model(model).path.resolve()
    rows = []
    with running_graph(path, folder, composed) as parts, progress_bar("killing", repeats) as bar:
        for number in range(repeats):
            one = partial(_one_life, *parts)
            rows.append(measured.once(f"life {number}", LinkRow, one))
            bar.advance(f"{rows[-1].moving_ms:.0f} ms")
    config = {"model": str(model), "stream_s": STREAM_S, "rate_hz": 30, "size": [128, 72]}
    return rows, config | {"composed": composed}


def _one_life(graph: LinkGraph, receiver: LinkReceiver) -> LinkRow:
    begin = len(receiver.setpoints)
    graph.start(*graph.policy)
    limit = time.monotonic() + START_S
    while not any(any(values) for _, values in receiver.setpoints[begin:]):
        if time.monotonic() > limit:
            raise GraphError(
                f"no set-point followed the policy within {START_S:g} s; see {graph.folder}/log"
            )
        time.sleep(0.05)
    first_event, first = len(graph.events), len(receiver.setpoints)
    time.sleep(STREAM_S)
    killed_ns = graph.kill_policy()
    time.sleep(HOVER_S)
    frames = list(graph.events[first_event:])
    setpoints = list(receiver.setpoints[first:])
    latency_ms, missing = latencies(frames, setpoints, killed_ns)
    moving, hover = stop_times(setpoints, killed_ns)
    return LinkRow(latency_ms, missing, moving, hover)


def latencies(
    events: Sequence[Mapping[str, Any]],
    setpoints: Sequence[tuple[int, tuple[float, ...]]],
    end_ns: int,
) -> tuple[list[float], int]:
    """Return the latency of each frame, ms, and the number of frames without a set-point.

    Args:
        events: of `link_load`.
        setpoints: arrivals and values.
        end_ns: frames of the last 250 ms before it are not counted; steady clock.
    """
    sent = {one["stamp_ns"]: one["now_ns"] for one in events if one["event"] == "frame"}
    values = {one["stamp_ns"]: frd(one["values"]) for one in events if one["event"] == "command"}
    found, missing = [], 0
    for stamp_ns, sent_ns in sent.items():
        if sent_ns > end_ns - 250_000_000:
            continue
        arrivals = [
            at for at, wanted in setpoints if at > sent_ns and wanted == values.get(stamp_ns)
        ]
        if arrivals:
            found.append((arrivals[0] - sent_ns) / 1e6)
        else:
            missing += 1
    return found, missing


def stop_times(
    setpoints: Sequence[tuple[int, tuple[float, ...]]], killed_ns: int
) -> tuple[float, float]:
    """Return (last motion, first hover) after a kill, ms; infinite without a hover."""
    after = [(at, any(values)) for at, values in setpoints if at > killed_ns]
    moving = [at for at, moves in after if moves]
    hover = [at for at, moves in after if not moves]
    last_ms = (max(moving) - killed_ns) / 1e6 if moving else 0.0
    return last_ms, (min(hover) - killed_ns) / 1e6 if hover else float("inf")


def link_table(rows: Sequence[LinkRow]) -> Table:
    """Return latency of all frames, and times from the policy's death."""
    latency = np.array([value for row in rows for value in row.latency_ms] or [np.nan])
    moving = np.array([row.moving_ms for row in rows])
    late = int((moving > BOUND_MS).sum())
    _, high = wilson_interval(late, len(rows))
    table = Table(title="camera to MAVLink, and kill -9 of the policy", box=SIMPLE_HEAD)
    for name in ("", "n", "p50", "p99", "max"):
        table.add_column(name, justify="right" if name else "left")
    hover = np.array([row.hover_ms for row in rows])
    for name, values in (
        ("picture to set-point", latency),
        ("kill to last motion", moving),
        ("kill to first hover", hover),
    ):
        spread = (np.percentile(values, 50), np.percentile(values, 99), values.max())
        table.add_row(name, str(len(values)), *(f"{value:.1f} ms" for value in spread))
    missing = sum(row.missing for row in rows)
    table.caption = (
        f"{missing} frames without a set-point; motion later than {BOUND_MS:g} ms: {late} of "
        f"{len(rows)} (at most {100 * high:.1f} % with 95 % confidence)"
    )
    return table
