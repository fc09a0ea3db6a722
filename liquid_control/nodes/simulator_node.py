"""Node of the simulated vehicle: publishes its sensors, obeys `cmd_vel`, ends with the flight."""

import json
import time
from dataclasses import asdict
from math import inf
from pathlib import Path

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from geometry_msgs.msg import TwistStamped
from rclpy.node import Node

from liquid_control import topics
from liquid_control.bags.flight_result import result_values
from liquid_control.config.driver_faults import parse_driver_faults
from liquid_control.errors import AutopilotError
from liquid_control.evaluation.records import save_record
from liquid_control.files import atomic_write
from liquid_control.nodes import conversions
from liquid_control.nodes.diagnostics import Diagnostics, ProgressLines
from liquid_control.nodes.flight_log import (
    LOG_PERIOD_S,
    begin_sentence,
    end_sentence,
    progress_sentence,
)
from liquid_control.nodes.graph_monitor import (
    GraphMonitor,
    RunSupervisor,
    wait_for_acknowledgement,
)
from liquid_control.nodes.node_settings import SimulatorSettings
from liquid_control.nodes.pace import Lockstep, Pace, RealTime, TickSource
from liquid_control.nodes.parameters import declare
from liquid_control.nodes.qos import KEPT, profile
from liquid_control.nodes.sensor_output import SensorOutput
from liquid_control.nodes.shutdown import Shutdown, main_of
from liquid_control.nodes.simulated_firmware import SimulatedFirmware, StandLimit
from liquid_control.types import Command, FlightResult
from liquid_control_sim.flight import Flight, Tick

PROGRESS_PERIOD_S = 0.1
LISTEN_S = 0.01
"""In real time, after a frame: so long the answer is waited for before the next tick is made."""


class SimulatorNode(Node):
    """Runs one flight; policy and guard are other nodes of the graph."""

    def __init__(self, shutdown: Shutdown) -> None:
        super().__init__(topics.SIMULATOR)
        self._shutdown = shutdown
        self._settings = settings = declare(self, SimulatorSettings)
        self._lines = ProgressLines(settings.progress)
        self._scenario = settings.load_scenario()
        self._firmware = self._make_firmware()
        self._flight = Flight(
            self._scenario,
            settings.seed,
            gui=settings.gui,
            make_vehicle=self._firmware and self._firmware.hold.make,
            limits_hover=self._firmware is None,
        )
        self._stands = StandLimit(settings.stand_limit_s)
        self._diagnostics = Diagnostics(self, settings.mode)
        faults = parse_driver_faults(settings.driver_faults)
        self._output = SensorOutput(self, self._scenario, settings.mode, faults, settings.seed)
        self._result = self.create_publisher(DiagnosticStatus, topics.RESULT, KEPT)
        self._source = TickSource(
            self._advance, self._output, self._end, apply_command=self._apply_command
        )
        self._pace = self._make_pace()
        commands = self.create_subscription(
            TwistStamped, topics.COMMAND, self._on_command, profile(topics.COMMAND, settings.mode)
        )
        self._supervisor = RunSupervisor(
            self,
            shutdown,
            GraphMonitor(
                self,
                self._output.publishers,
                commands,
                settings.recorder,
                self._firmware.missing if self._firmware else list,
            ),
            self._pace,
            settings,
            self._begin,
        )
        self._reported_s = self._logged_s = time.monotonic()

    def _make_firmware(self) -> SimulatedFirmware | None:
        if not self._settings.firmware:
            return None
        return SimulatedFirmware(self, self._settings, self._shutdown.fail)

    def _make_pace(self) -> Pace:
        if self._settings.mode == "lockstep":
            return Lockstep(self._source)
        timeout_s = self._settings.command_timeout_s or inf
        return RealTime(
            self,
            self._source,
            self._settings.rate,
            listen_s=LISTEN_S,
            command_timeout_s=timeout_s,
        )

    def _on_command(self, message: TwistStamped) -> None:
        self._pace.on_command(*conversions.command_from(message))

    def _begin(self) -> None:
        settings, length_m = self._settings, self._flight.world.trail.length_m
        self.get_logger().info(begin_sentence(settings.scenario, settings.seed, length_m))
        self._logged_s = time.monotonic()
        self._lines.write("flying", seed=settings.seed)
        if self._firmware is not None:
            self._firmware.begin()
        self._pace.start()

    def _advance(self) -> Tick | None:
        """Return the next tick; None at the end, and after the firmware has failed."""
        try:
            tick = self._flight.advance()
        except AutopilotError as error:
            self._shutdown.fail(error)
            return None
        if tick is not None and self._stands.is_over(tick.stamp_ns, tick.truth):
            return None
        return tick

    def _apply_command(self, command: Command) -> None:
        tick = self._flight.apply_command(command)
        if time.monotonic() - self._reported_s >= PROGRESS_PERIOD_S:
            self._reported_s = time.monotonic()
            self._report(tick)

    def _report(self, tick: Tick) -> None:
        values = {
            "time_s": tick.stamp_ns * 1e-9,
            "distance_m": tick.progress_m,
            "length_m": self._flight.world.trail.length_m,
            "speed_mps": float(np.linalg.norm(tick.truth.velocity)),
            "rtf": tick.stamp_ns * 1e-9 / self._supervisor.elapsed_s,
        }
        self._lines.write("progress", **values, wind_mps=float(np.linalg.norm(tick.wind)))
        if time.monotonic() - self._logged_s >= LOG_PERIOD_S:
            self._logged_s = time.monotonic()
            self.get_logger().info(progress_sentence(**values))

    def _end(self) -> None:
        wall_s = self._supervisor.elapsed_s
        record = self._flight.record()
        simulated_s = record.result.duration_s
        statistics = {
            "mode": self._settings.mode,
            **self._source.times.summary(),
            "simulated_s": simulated_s,
            "wall_s": wall_s,
            "rtf": simulated_s / wall_s,
        }
        if self._firmware is not None:
            statistics["touch_down_mps"] = self._firmware.touch_down(record.result)
        if self._settings.record_path:
            path = Path(self._settings.record_path)
            save_record(path, record)
            atomic_write(path.with_suffix(".json"), json.dumps(statistics, indent=2) + "\n")
        self._publish_result(record.result)
        wait_for_acknowledgement([*self._output.publishers.values(), self._result])
        self._lines.write("done", result=asdict(record.result), statistics=statistics)
        self._shutdown.request(0)

    def _publish_result(self, result: FlightResult) -> None:
        self.get_logger().info(end_sentence(result))
        values = [KeyValue(key=key, value=value) for key, value in result_values(result).items()]
        level = DiagnosticStatus.OK if result.success else DiagnosticStatus.WARN
        self._result.publish(
            DiagnosticStatus(
                level=level, name=self.get_name(), message=result.sentence(), values=values
            )
        )

    def close(self) -> None:
        """End the firmware and release the physics client."""
        if self._firmware is not None:
            self._firmware.hold.close()
        self._flight.close()


def main() -> None:
    """Run simulator_node."""
    main_of(lambda shutdown: [SimulatorNode(shutdown)])


if __name__ == "__main__":
    main()
