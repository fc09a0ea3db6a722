"""One flight in real time with one fault injected, and what the vehicle did afterwards."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from liquid_control.errors import ConfigError, GraphError
from liquid_control.evaluation.records import load_record
from liquid_control.graph.fault_kinds import FaultKind, Recovery
from liquid_control.graph.flight_graph import SIMULATOR, GraphPlan
from liquid_control.graph.node_graph import GraphEvent, NodeGraph
from liquid_control.graph.processes import FLUSH_TIMEOUT_S, Process
from liquid_control.types import NANOSECONDS, FlightRecord

COMMAND_TIMEOUT_S = 0.5
"""The simulated autopilot hovers so long after the last set-point."""
STANDSTILL_MPS = 0.3
"""A slower vehicle counts as hovering."""
LIMIT_S = 120.0
"""Longest wall time of a flight."""
INTRUDER = "intruder_node"
_BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
"""It ends with the campaign, even if that is killed."""


class FaultOutcome(str, Enum):
    """How a flight with a fault ended."""

    HOVERED = "hovered"
    """The vehicle hovered until the end."""
    WENT_ON = "went on"
    """It flew on and completed its task, perhaps after it had hovered."""
    LANDED = "landed"
    """A firmware landed it."""
    HANDED_BACK = "handed back"
    """The pilot has it: a firmware is in the mode that the pilot selected."""
    UNSAFE = "unsafe"
    """A collision, the corridor or the altitude band left, or no end at all; with a firmware, more
    than `firmware_faults.PATH_M` too."""


@dataclass(frozen=True, slots=True)
class FaultRow:
    """One injected fault.

    Attributes:
        kind: name of the fault.
        seed: of the flight.
        start_s: of the fault, s of ROS time.
        outcome: how the flight ended.
        reason: of the flight's end.
        hover_s: from the fault to the first tick with a hover command; NaN without one.
        standstill_s: from the fault until the vehicle stood still; NaN if it did not. With a
            firmware, over the ground: it may descend.
        travelled_m: path from the fault to standstill, or over the fault's duration.
    """

    kind: str
    seed: int
    start_s: float
    outcome: str
    reason: str
    hover_s: float
    standstill_s: float
    travelled_m: float


@dataclass(frozen=True)
class FaultFlight:
    """Plan of a flight with one fault.

    Attributes:
        kind: of the fault.
        plan: of the flight, in real time, with a standby guard.
        start_s: of the fault, s of ROS time.
        duration_s: of the fault, s.
    """

    kind: FaultKind
    plan: GraphPlan
    start_s: float
    duration_s: float

    @property
    def out_dir(self) -> Path:
        """Folder of the flight."""
        return self.plan.out_dir

    @property
    def mode(self) -> str:
        """`realtime`."""
        return self.plan.mode

    @property
    def nodes(self) -> Mapping[str, Mapping[str, object]]:
        """Parameters of each node; the simulator's drivers have the fault."""
        nodes = self.plan.nodes
        simulator = nodes[SIMULATOR] | {"command_timeout_s": COMMAND_TIMEOUT_S}
        if self.kind.driver is not None:
            topic, kind = self.kind.driver
            fault = f"{topic}:{kind.value}:{self.start_s:g}:{self.duration_s:g}"
            simulator["driver_faults"] = [fault]
        intruder: dict[str, Mapping[str, object]] = {}
        if self.kind.intruder is not None:
            intruder[INTRUDER] = {
                "topic": self.kind.intruder,
                "rate_hz": self.kind.rate_hz,
                "start_s": self.start_s,
                "duration_s": self.duration_s,
            }
        # The simulator is last: the graph ends with it.
        return intruder | nodes | {SIMULATOR: simulator}


@dataclass
class Injection:
    """Acts on the processes of a graph at the fault's begin and end.

    Attributes:
        flight: with the fault.
        graph: that flies.
        time_s: ROS time of the last progress, s.
        began: whether the fault has begun.
        over: whether it has ended.
        helpers: busy processes.
    """

    flight: FaultFlight
    graph: "FaultedGraph"
    time_s: float = 0.0
    began: bool = False
    over: bool = False
    helpers: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def advance(self, time_s: float) -> None:
        """Begin or end the fault when its time has come."""
        self.time_s = time_s
        if not self.began and time_s >= self.flight.start_s:
            self.began = True
            self.begin()
        if not self.over and time_s >= self.flight.start_s + self.flight.duration_s:
            self.over = True
            self.end()

    def begin(self) -> None:
        """Begin the fault."""
        kind = self.flight.kind
        for node in kind.process:
            self.graph.send(node, kind.signal)
        busy = kind.load * (os.cpu_count() or 1)
        self.helpers += [subprocess.Popen([sys.executable, "-c", _BUSY]) for _ in range(busy)]
        if kind.disk:
            self.graph.forbid_writing()

    def end(self) -> None:
        """End the fault."""
        kind = self.flight.kind
        if kind.recovery is Recovery.RESTART:
            for node in kind.process:
                self.graph.restart(node)
        elif kind.recovery is Recovery.ENDS and kind.signal == signal.SIGSTOP:
            for node in kind.process:
                self.graph.send(node, signal.SIGCONT)
        self._end_helpers()

    def close(self) -> None:
        """Release what the fault uses."""
        self._end_helpers()

    def _end_helpers(self) -> None:
        for helper in self.helpers:
            helper.kill()
            helper.wait()
        self.helpers.clear()


@dataclass
class FaultedGraph(NodeGraph):
    """A graph whose nodes may die, be stopped and be started again."""

    def send(self, name: str, number: int) -> None:
        """Send a signal to a node that still runs."""
        for process in self.processes:
            if process.name == name and process.child.poll() is None:
                with suppress(ProcessLookupError):
                    process.child.send_signal(number)

    def restart(self, name: str) -> None:
        """Start a node again that has ended."""
        self.processes.insert(0, self._start(name, self.plan.nodes[name]))

    def forbid_writing(self) -> None:
        """Let every write of the nodes to a file fail, except for the simulator's."""
        for process in self.processes:
            if process.name != SIMULATOR and process.child.poll() is None:
                forbid_writing(process.child.pid)

    def _check_alive(self, last: Process) -> None:
        """Do nothing: deaths are what a campaign injects."""

    def _end(self) -> None:
        # A stopped process does not handle SIGTERM.
        for process in self.processes:
            if process.child.poll() is None:
                process.child.send_signal(signal.SIGCONT)
        super()._end()


def forbid_writing(pid: int) -> None:
    """Let every write of a process to a file fail: files may not be longer than 0 bytes.

    The error is EFBIG, where that of a full disk is ENOSPC; both are an `OSError`.
    """
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))


def fly_with_fault(flight: FaultFlight) -> FaultRow:
    """Fly, inject the fault, and return what happened.

    Raises:
        ConfigError: the flight ended before the fault.
    """
    graph = FaultedGraph(flight)
    reason = run_with_fault(graph, Injection(flight, graph))
    row = FaultRow(
        flight.kind.name,
        flight.plan.seed,
        flight.start_s,
        FaultOutcome.UNSAFE.value,
        reason or "",
        np.nan,
        np.nan,
        np.nan,
    )
    if reason is not None:
        return row
    record = load_record(flight.plan.record_path)
    check_reached(record, flight.start_s, flight.plan.seed)
    return replace(row, **measured(record, flight.start_s, flight.duration_s))


def check_reached(record: FlightRecord, start_s: float, seed: int) -> None:
    """Check that a flight lasted until its fault: else it would count as a safe one.

    Raises:
        ConfigError: it ended before.
    """
    if (ended_s := record.stamp_ns[-1] / NANOSECONDS) < start_s:
        raise ConfigError(
            f"seed {seed}: the flight ended after {ended_s:.1f} s ({record.result.reason}), "
            f"before the fault at {start_s:g} s; give a longer trail with --set trail.length_m, "
            "or another seed"
        )


def run_with_fault(graph: FaultedGraph, injection: Injection) -> str | None:
    """Run the graph; return why it did not end by itself, or None."""
    done: GraphEvent = {}
    began_s = time.monotonic()
    with graph:
        try:
            for event in graph.events():
                if event["event"] == "progress":
                    injection.advance(event["time_s"])
                if event["event"] == "done":
                    done = event
                if time.monotonic() - began_s > LIMIT_S:
                    return f"no end after {LIMIT_S:g} s"
        except GraphError as error:
            return str(error)
        finally:
            injection.close()
        graph.term_timeout_s = FLUSH_TIMEOUT_S
    return None if done else "the simulator ended without a result"


def measured(record: FlightRecord, start_s: float, duration_s: float) -> dict[str, Any]:
    """Return the columns of a row that the flight's record gives."""
    time_s = record.stamp_ns / NANOSECONDS
    after = time_s >= start_s
    reason = record.result.reason
    hovered = reason == "guard_stop"
    outcome = FaultOutcome.HOVERED if hovered else FaultOutcome.WENT_ON
    if reason not in ("completed", "guard_stop"):
        outcome = FaultOutcome.UNSAFE
    hover = after & (record.command == 0.0).all(axis=1)
    speed = np.linalg.norm(record.velocity, axis=1)
    still = after & (speed < STANDSTILL_MPS)
    until_s = time_s[still.argmax()] if still.any() else start_s + duration_s
    path = np.linalg.norm(np.diff(record.position, axis=0), axis=1)
    within = (time_s[1:] > start_s) & (time_s[1:] <= until_s)
    return {
        "outcome": outcome.value,
        "reason": reason,
        "hover_s": float(time_s[hover.argmax()] - start_s) if hover.any() else np.nan,
        "standstill_s": float(until_s - start_s) if still.any() else np.nan,
        "travelled_m": float(path[within].sum()),
    }
