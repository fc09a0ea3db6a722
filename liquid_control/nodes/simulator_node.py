"""The simulated world as a vehicle on ROS: it senses, obeys `cmd_vel`, and ends by itself."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
from geometry_msgs.msg import TwistStamped
from rclpy.duration import Duration
from rclpy.node import Node

from liquid_control import topics
from liquid_control.config import load_scenario, parse_settings
from liquid_control.config.presets import preset_overrides
from liquid_control.config.scenario import Scenario
from liquid_control.errors import GraphError
from liquid_control.evaluation.records import save_record
from liquid_control.nodes import conversions
from liquid_control.nodes.diagnostics import Diagnostics, ProgressLines
from liquid_control.nodes.graph_watch import GraphWatch
from liquid_control.nodes.node_settings import SimulatorSettings
from liquid_control.nodes.pace import STEADY, AnswerTimes, Lockstep, Pace, RealTime
from liquid_control.nodes.parameters import declare
from liquid_control.nodes.qos import profile
from liquid_control.nodes.sensor_output import SensorOutput
from liquid_control.nodes.shutdown import Shutdown, main_of
from liquid_control_sim.flight import Flight, Tick

WATCH_PERIOD_S = 0.05
PROGRESS_PERIOD_S = 0.1


class SimulatorNode(Node):
    """Flies one flight, with the pilot and the guard at the other end of topics."""

    def __init__(self, shutdown: Shutdown) -> None:
        super().__init__(topics.SIMULATOR)
        self._ending = shutdown
        self._settings = settings = declare(self, SimulatorSettings)
        self._lines = ProgressLines(settings.progress)
        self._scenario = _scenario(settings)
        self._flight = Flight(self._scenario, settings.seed, gui=settings.gui)
        self._times = AnswerTimes()
        self._diagnostics = Diagnostics(self, settings.mode)
        self._output = SensorOutput(self, self._scenario, settings.mode)
        commands = self.create_subscription(
            TwistStamped, topics.COMMAND, self._on_command, profile(topics.COMMAND, settings.mode)
        )
        self._pace = self._make_pace()
        self._graph = GraphWatch(self, self._output.publishers, commands, settings.recorder)
        self._begun_s: float | None = None
        self._up_s = self._told_s = time.monotonic()
        self._watch = self.create_timer(WATCH_PERIOD_S, self._on_watch, clock=STEADY)

    def _make_pace(self) -> Pace:
        parts = (self, self._flight, self._output, self._times, self._on_tick)
        if self._settings.mode == "lockstep":
            return Lockstep(*parts)
        return RealTime(*parts, self._settings.rate)

    def _on_command(self, message: TwistStamped) -> None:
        self._pace.on_command(*conversions.command_from(message))

    def _on_watch(self) -> None:
        if self._begun_s is None:
            self._begin_if_complete()
        elif self._pace.stuck_for_s() > self._settings.answer_timeout_s:
            gone = self._graph.gone()
            reason = f"gone: {', '.join(gone)}" if gone else "all nodes are still in the graph"
            self._fail(
                f"no {topics.COMMAND} from {topics.GUARD} for the tick awaited within "
                f"{self._settings.answer_timeout_s:g} s ({reason})"
            )

    def _begin_if_complete(self) -> None:
        missing = self._graph.missing()
        if not missing:
            self._lines.tell("flying", seed=self._settings.seed)
            self._begun_s = time.monotonic()
            self._pace.start()
        elif time.monotonic() - self._up_s > self._settings.start_timeout_s:
            self._fail(
                f"the graph is not complete after {self._settings.start_timeout_s:g} s: "
                f"{'; '.join(missing)}"
            )

    def _fail(self, reason: str) -> None:
        self._watch.cancel()
        self._ending.fail(GraphError(reason))

    def _on_tick(self, tick: Tick | None) -> None:
        if tick is None:
            self._end()
        elif time.monotonic() - self._told_s >= PROGRESS_PERIOD_S:
            self._told_s = time.monotonic()
            self._lines.tell(
                "progress",
                time_s=tick.stamp_ns * 1e-9,
                distance_m=tick.progress_m,
                length_m=self._flight.world.trail.length_m,
                speed_mps=float(np.linalg.norm(tick.truth.velocity)),
                wind_mps=float(np.linalg.norm(tick.wind)),
                rtf=tick.stamp_ns * 1e-9 / (self._told_s - (self._begun_s or 0.0)),
            )

    def _end(self) -> None:
        wall_s = time.monotonic() - (self._begun_s or 0.0)
        record = self._flight.record()
        simulated_s = record.result.duration_s
        statistics = {
            "mode": self._settings.mode,
            **self._times.summary(),
            "simulated_s": simulated_s,
            "wall_s": wall_s,
            "rtf": simulated_s / wall_s,
        }
        if self._settings.record_path:
            path = Path(self._settings.record_path)
            save_record(path, record)
            _write_json(path.with_suffix(".json"), statistics)
        for publisher in self._output.publishers.values():
            publisher.wait_for_all_acked(Duration(seconds=2))
        self._lines.tell("done", result=asdict(record.result), statistics=statistics)
        self._ending.request(0)

    def close(self) -> None:
        """Release the physics client."""
        self._flight.close()


def _scenario(settings: SimulatorSettings) -> Scenario:
    presets = preset_overrides(settings.wind, settings.lighting, settings.fog)
    return load_scenario(settings.scenario, presets | parse_settings(settings.set))


def _write_json(path: Path, content: Mapping[str, object]) -> None:
    beside = path.with_name(f".{path.name}.partial")
    beside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    beside.replace(path)


def main() -> None:
    """Run simulator_node."""
    main_of(lambda shutdown: [SimulatorNode(shutdown)])


if __name__ == "__main__":
    main()
