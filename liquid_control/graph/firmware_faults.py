"""Faults while real firmware flies: the graph, `mavlink_node`, the link and the pilot.

The simulator is the physics of PX4 in real time and takes off. From then on the vehicle obeys PX4,
and PX4 the set-points of `mavlink_node`, which come from the policy's graph. Every node is a
process of its own; between PX4 and `mavlink_node` stands a relay. See docs/flight_safety.md.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from liquid_control import topics
from liquid_control.command import GuardRules
from liquid_control.errors import ConfigError, GraphError
from liquid_control.evaluation.records import load_record
from liquid_control.graph.fault_flight import (
    STANDSTILL_MPS,
    FaultedGraph,
    FaultFlight,
    FaultOutcome,
    FaultRow,
    Injection,
    check_reached,
    measured,
    run_with_fault,
)
from liquid_control.graph.fault_kinds import FaultKind, Recovery
from liquid_control.graph.firmware_flight import firmware_setup
from liquid_control.graph.firmware_link import OFFBOARD, LinkRelay, PilotStation, SecondCompanion
from liquid_control.graph.flight_graph import SIMULATOR
from liquid_control.types import NANOSECONDS, FlightRecord
from liquid_control_sim.firmware.backend import LOOPBACK

OUTCOMES = (
    FaultOutcome.HOVERED,
    FaultOutcome.LANDED,
    FaultOutcome.HANDED_BACK,
    FaultOutcome.WENT_ON,
    FaultOutcome.UNSAFE,
)
"""In the order of the table."""
COMPANION_PORT = 14541
"""UDP port of `mavlink_node`, behind the relay."""
STAND_LIMIT_S = 6.0
"""A flight ends when the vehicle has stood so long after it flew."""
PATH_M = 8.0
"""Longest safe path from a fault to standstill. At 2 m/s: 4 m during a fault of 2 s, 1 m until PX4
misses set-points (0.5 s), 3 m to notice and to brake."""
TOUCH_DOWN_MPS = 1.5
"""Fastest safe touch-down."""
FIRMWARE_RULES: Mapping[str, object] = {"link_timeout_s": 3.0, "mode_action": "hover"}
"""Rules of `config/guard_outdoor.yaml` that need an autopilot."""
AUTOPILOT_TOPICS = {topics.IMU: "autopilot/imu", topics.ODOM: "autopilot/odom"}
"""The simulator publishes the policy's IMU, as it does with our own cascade."""
STANDS = "stands"


def firmware_program(autopilot: str, program: Path | None) -> Path | None:
    """Return the program of a campaign's firmware; None for our own cascade.

    Raises:
        AutopilotError: there is no such program.
        ConfigError: only one of both is given, or the autopilot is not PX4.
    """
    if not autopilot:
        if program is not None:
            raise ConfigError(f"--firmware {program}: expected --autopilot px4 too")
        return None
    if autopilot != "px4":
        raise ConfigError(f"--autopilot: expected px4, got {autopilot!r}")
    firmware_setup(autopilot, program)
    return program and program.resolve()


def with_firmware(rules: GuardRules) -> GuardRules:
    """Return rules of a guard with those that need an autopilot."""
    return rules.model_copy(update=dict(FIRMWARE_RULES))


@dataclass(frozen=True)
class FirmwareFaultFlight(FaultFlight):
    """Plan of a flight with one fault that a PX4 flies.

    Attributes:
        firmware: program of PX4.
    """

    firmware: Path = Path()

    @property
    def nodes(self) -> Mapping[str, Mapping[str, object]]:
        """Parameters of each node, `mavlink_node` included; the simulator is last."""
        nodes = dict(super().nodes)
        simulator = {"firmware": str(self.firmware), "stand_limit_s": STAND_LIMIT_S}
        bridge: dict[str, object] = {
            "link": f"udpin://{LOOPBACK}:{COMPANION_PORT}",
            "connect_timeout_s": 0.0,
            "imu_rate_hz": 0.0,
            "odometry_rate_hz": 0.0,
        }
        last = {SIMULATOR: dict(nodes.pop(SIMULATOR)) | simulator}
        return nodes | {topics.MAVLINK: bridge} | last


@dataclass
class FirmwareInjection(Injection):
    """Acts on link and pilot too.

    Raises:
        AutopilotError: a port is in use.
    """

    relay: LinkRelay = field(init=False)
    pilot: PilotStation = field(init=False)
    second: SecondCompanion | None = None

    def __post_init__(self) -> None:
        self.relay = LinkRelay(COMPANION_PORT, self.flight.plan.seed)
        try:
            sticks = self.flight.kind.pilot is not None
            self.pilot = PilotStation(sticks, lambda: self.time_s)
        except BaseException:
            self.relay.close()
            raise
        self.relay.start()
        self.pilot.start()

    def begin(self) -> None:
        """Begin the fault."""
        super().begin()
        kind = self.flight.kind
        self.relay.filter.fault = kind.link
        if kind.pilot is not None:
            self.pilot.select(kind.pilot)
        if kind.second:
            self.second = SecondCompanion()
            self.second.start()

    def end(self) -> None:
        """End the fault."""
        super().end()
        self.relay.filter.fault = None
        if self.flight.kind.pilot is not None:
            self.pilot.select(OFFBOARD)
        self._end_second()

    def close(self) -> None:
        """Release helpers and ports."""
        super().close()
        self._end_second()
        self.relay.close()
        self.pilot.close()

    def _end_second(self) -> None:
        if self.second is not None:
            self.second.close()
            self.second = None


class FirmwareEnd(NamedTuple):
    """How a flight with a firmware ended.

    Attributes:
        mode: of the firmware, in its last heartbeat.
        armed: whether it was armed then.
        touch_down_mps: speed at the touch-down after a descent; None without one.
    """

    mode: str
    armed: bool
    touch_down_mps: float | None = None


def fly_firmware_with_fault(flight: FirmwareFaultFlight) -> FaultRow:
    """Fly, inject the fault, and return what happened.

    Raises:
        AutopilotError: a port is in use.
        ConfigError: the flight ended before the fault.
        GraphError: a process failed before the fault.
    """
    graph = FaultedGraph(flight, remaps={topics.MAVLINK: AUTOPILOT_TOPICS})
    injection = FirmwareInjection(flight, graph)
    try:
        reason = run_with_fault(graph, injection)
    finally:
        injection.close()
    name, seed, start_s = flight.kind.name, flight.plan.seed, flight.start_s
    row = FaultRow(name, seed, start_s, FaultOutcome.UNSAFE.value, "", *(np.nan,) * 3)
    if reason is not None:
        if not injection.began:
            raise GraphError(f"{name}, seed {seed}: the flight failed before the fault: {reason}")
        return replace(row, reason=reason)
    record = load_record(flight.plan.record_path)
    check_reached(record, start_s, seed)
    statistics = json.loads(flight.plan.record_path.with_suffix(".json").read_text("utf-8"))
    _, mode, armed = injection.pilot.modes[-1]
    end = FirmwareEnd(mode, armed, statistics["touch_down_mps"])
    limit_s = flight.plan.loaded_scenario.flight_limit_s
    columns = firmware_measured(record, flight.kind, start_s, flight.duration_s, end, limit_s)
    return replace(row, **columns)


def firmware_measured(
    record: FlightRecord,
    kind: FaultKind,
    start_s: float,
    duration_s: float,
    end: FirmwareEnd,
    limit_s: float,
) -> dict[str, Any]:
    """Return the columns of a row; standing is over the ground, since a vehicle may descend.

    Args:
        record: of the flight.
        kind: of the fault.
        start_s: of the fault, s of ROS time.
        duration_s: of the fault, s.
        end: what the firmware stated last.
        limit_s: longest duration of the flight.
    """
    columns = measured(record, start_s, duration_s)
    time_s = record.stamp_ns / NANOSECONDS
    speed_mps = np.linalg.norm(record.velocity[:, :2], axis=1)
    still = (time_s >= start_s) & (speed_mps < STANDSTILL_MPS)
    path = np.linalg.norm(np.diff(record.position, axis=0), axis=1)
    until_s = time_s[still.argmax()] if still.any() else start_s + duration_s
    travelled_m = float(path[(time_s[1:] > start_s) & (time_s[1:] <= until_s)].sum())
    reason = record.result.reason
    if reason == "timeout" and time_s[-1] < limit_s:
        reason = STANDS
    stands = bool(still.any() and speed_mps[-1] < STANDSTILL_MPS)
    outcome, why = _outcome(reason, kind, end, stands, travelled_m)
    return columns | {
        "outcome": outcome.value,
        "reason": f"{why}; {end.mode}",
        "standstill_s": float(until_s - start_s) if still.any() else np.nan,
        "travelled_m": travelled_m,
    }


def _outcome(
    reason: str, kind: FaultKind, end: FirmwareEnd, stands: bool, travelled_m: float
) -> tuple[FaultOutcome, str]:
    """Return the outcome of a flight, and the reason of its end in words."""
    unsafe, pilot_stays = FaultOutcome.UNSAFE, kind.recovery is Recovery.STAYS and kind.pilot
    if reason not in (STANDS, "completed", "altitude", "timeout"):
        return unsafe, reason
    if pilot_stays and end.mode == "OFFBOARD":
        return unsafe, f"{reason}, the mode of the pilot is not in force"
    if reason == "completed":
        return FaultOutcome.WENT_ON, reason
    if reason == "altitude":
        if end.touch_down_mps is None:
            return unsafe, reason
        if end.touch_down_mps > TOUCH_DOWN_MPS:
            return unsafe, f"touch-down at {end.touch_down_mps:.1f} m/s"
        return FaultOutcome.LANDED, f"touch-down at {end.touch_down_mps:.1f} m/s"
    if not stands:
        return unsafe, f"{reason}, but it moves"
    if travelled_m > PATH_M:
        return unsafe, f"stands after {travelled_m:.1f} m"
    if not end.armed:
        return unsafe, "disarmed in the air"
    return (FaultOutcome.HANDED_BACK if pilot_stays else FaultOutcome.HOVERED), reason
