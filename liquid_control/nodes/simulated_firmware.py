"""Firmware that flies the vehicle of `simulator_node`, until and during a flight in real time."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from liquid_control import topics
from liquid_control.errors import AutopilotError, ConfigError
from liquid_control.graph.mavlink_flight import PAYLOAD_PORT, Px4Setup
from liquid_control.nodes.guard_inputs import autopilot_from
from liquid_control.nodes.node_settings import SimulatorSettings
from liquid_control.nodes.pace import STEADY
from liquid_control.nodes.qos import profile
from liquid_control.types import FlightResult, VehicleState
from liquid_control_sim.firmware import FirmwareFlyer, FirmwareHold
from liquid_control_sim.firmware.process import check_program

HOLD_S = 0.05
"""Period of the timer that hovers before the flight."""
STANDS_MPS, FLIES_MPS = 0.3, 0.6
"""A slower vehicle stands; one that was faster has flown."""
FOLDER = "firmware"


class StandLimit:
    """Ends a flight whose vehicle stands for long after it flew.

    Args:
        limit_s: longest time; 0 for no limit.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._flew = False
        self._since_ns: int | None = None

    def is_over(self, stamp_ns: int, state: VehicleState) -> bool:
        """Return whether the vehicle has stood for the limit at a tick."""
        speed_mps = float(np.linalg.norm(state.velocity))
        self._flew = self._flew or speed_mps > FLIES_MPS
        if not self._flew or speed_mps > STANDS_MPS or self._limit_s == 0.0:
            self._since_ns = None
            return False
        if self._since_ns is None:
            self._since_ns = stamp_ns
        return stamp_ns - self._since_ns >= round(self._limit_s * 1e9)


class SimulatedFirmware:
    """PX4 with the simulator as its physics, and as what takes off before the flight.

    The set-points of the flight are those of `mavlink_node`, on a link of their own.

    Args:
        node: owner of timer and subscription.
        settings: of the simulator.
        fail: ends the process with an error.

    Raises:
        AutopilotError: there is no such program.
        ConfigError: the mode is lockstep.
    """

    def __init__(
        self, node: Node, settings: SimulatorSettings, fail: Callable[[AutopilotError], None]
    ) -> None:
        if settings.mode != "realtime":
            raise ConfigError("firmware: expected the mode realtime, got lockstep")
        program = check_program("PX4", Path(settings.firmware))
        folder = Path(settings.record_path).resolve().parent if settings.record_path else None
        setup = Px4Setup(program, port=PAYLOAD_PORT)
        self.hold = FirmwareHold(FirmwareFlyer(setup, folder and folder / FOLDER, settings.gui))
        self._fail = fail
        self._connected = False
        node.create_subscription(
            DiagnosticArray,
            topics.AUTOPILOT,
            self._on_status,
            profile(topics.AUTOPILOT, settings.mode),
        )
        self._timer = node.create_timer(HOLD_S, self._on_timer, clock=STEADY)

    def missing(self) -> list[str]:
        """Return what the flight waits for."""
        return [] if self._connected else [f"{topics.MAVLINK} has not found the autopilot"]

    def begin(self) -> None:
        """Leave the vehicle to the set-points of the graph."""
        self._timer.cancel()
        self.hold.release()

    def touch_down(self, result: FlightResult) -> float | None:
        """Follow a descent that left the altitude band to the ground, without set-points.

        Returns:
            Speed at the touch-down, m/s; None for another end, and without a touch-down.
        """
        return self.hold.touch_down() if result.reason == "altitude" else None

    def _on_status(self, message: DiagnosticArray) -> None:
        self._connected = autopilot_from(message).connected

    def _on_timer(self) -> None:
        try:
            self.hold.hold(HOLD_S)
        except AutopilotError as error:
            self._timer.cancel()
            self._fail(error)
