"""One flight through the real ROS graph: starts the processes, listens, and leaves none behind."""

import json
import os
import select
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from liquid_control.config import load_scenario, parse_settings, project_file
from liquid_control.errors import GraphError
from liquid_control.graph.processes import (
    FLUSH_TIMEOUT_S,
    TERM_TIMEOUT_S,
    Process,
    clean_environment,
    end,
    free_domain,
    start,
)
from liquid_control.policy import Policy, load_model

SIMULATOR = "simulator_node"


@dataclass(frozen=True)
class GraphPlan:
    """What to fly and how.

    Attributes:
        scenario: name or path.
        seed: of every random stream.
        model: folder.
        out_dir: for record, bag and logs.
        overrides: scenario keys, each as key=value.
        mode: lockstep or realtime.
        rate: simulated seconds in a second, in real time.
        record: whether to write a bag.
        gui: whether to show PyBullet's window.
        composed: whether perception and controller share a process.
        image: how the bag keeps pictures: raw, png or jpeg.
        compression: of the bag's chunks: none, lz4 or zstd.
    """

    scenario: str
    seed: int
    model: Path
    out_dir: Path
    overrides: Sequence[str] = ()
    mode: str = "lockstep"
    rate: float = 1.0
    record: bool = True
    gui: bool = False
    composed: bool = False
    image: str = "raw"
    compression: str = "none"

    @property
    def record_path(self) -> Path:
        """The flight's record."""
        return self.out_dir / "flight.npz"

    @property
    def bag_path(self) -> Path:
        """The flight's bag."""
        return self.out_dir / "flight.mcap"

    @property
    def nodes(self) -> dict[str, dict[str, object]]:
        """Parameters of each process."""
        policy = {"model": str(self.model.resolve()), "autostart": True}
        pilots = ("policy_node",) if self.composed else ("perception_node", "controller_node")
        nodes: dict[str, dict[str, object]] = {"guard_node": {}} | dict.fromkeys(pilots, policy)
        if self.record:
            nodes["recorder_node"] = {
                "path": str(self.bag_path.resolve()),
                "model": str(self.model.resolve()),
                "image": self.image,
                "compression": self.compression,
            }
        nodes[SIMULATOR] = {
            "scenario": self.scenario,
            "seed": self.seed,
            "rate": self.rate,
            "gui": self.gui,
            "recorder": self.record,
            "record_path": str(self.record_path.resolve()),
            "progress": True,
        }
        if self.overrides:
            nodes[SIMULATOR]["set"] = list(self.overrides)
        return nodes


FlightProgress = dict[str, Any]
WATCH_PERIOD_S = 0.2


class Plan(Protocol):
    """What runs in a graph; the process named last tells of it and ends it."""

    @property
    def out_dir(self) -> Path:
        """For logs."""
        ...

    @property
    def mode(self) -> str:
        """Lockstep or realtime."""
        ...

    @property
    def nodes(self) -> Mapping[str, Mapping[str, object]]:
        """Parameters of each process."""
        ...


@dataclass
class FlightGraph:
    """The processes of one flight: started on entering, all ended on leaving.

    Args:
        plan: what to fly, or to replay.
        kindness_s: how long the processes may take to end once they are asked to.
    """

    plan: Plan
    term_timeout_s: float = TERM_TIMEOUT_S
    processes: list[Process] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> "FlightGraph":
        try:
            environment = _environment(self._stack.enter_context(free_domain()))
            self._stack.callback(self._end)
            for name, parameters in self.plan.nodes.items():
                self.processes.append(self._start(name, parameters, environment))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _start(
        self, name: str, parameters: Mapping[str, object], environment: Mapping[str, str]
    ) -> Process:
        log = self.plan.out_dir / "log" / f"{name}.log"
        common = {"mode": self.plan.mode, "use_sim_time": True}
        words = [sys.executable, "-m", f"liquid_control.nodes.{name}", "--ros-args"]
        for key, value in (common | dict(parameters)).items():
            words += ["-p", f"{key}:={json.dumps(value)}"]
        return start(name, words, environment, log, heard=name == list(self.plan.nodes)[-1])

    def _end(self) -> None:
        self.statuses = end(self.processes, self.term_timeout_s)

    def events(self) -> Iterator[FlightProgress]:
        """Yield what the plan's last process tells, until it says `done` and has ended.

        Raises:
            GraphError: a process died, with its name and its last error line.
        """
        simulator = self.processes[-1]
        for line in self._lines(simulator):
            yield json.loads(line)
        if simulator.child.wait() != 0:
            raise GraphError(_exit_message(simulator))

    def _lines(self, simulator: Process) -> Iterator[bytes]:
        """Yield lines of the simulator's stdout, watching that no other process dies."""
        assert simulator.child.stdout is not None
        descriptor = simulator.child.stdout.fileno()
        rest = b""
        while True:
            readable, _, _ = select.select([descriptor], [], [], WATCH_PERIOD_S)
            self._check_alive(simulator)
            if not readable:
                continue
            chunk = os.read(descriptor, 65536)
            if not chunk:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines

    def _check_alive(self, simulator: Process) -> None:
        for process in self.processes:
            if process is not simulator and process.child.poll() is not None:
                raise GraphError(_exit_message(process))


def fly_through_graph(
    scenario_name: str,
    seed: int,
    overrides: Sequence[str],
    model: Path,
    out_dir: Path,
    mode: str = "lockstep",
    rate: float = 1.0,
    record: bool = True,
    gui: bool = False,
    on_progress: Callable[[FlightProgress], None] | None = None,
    composed: bool = False,
    image: str = "raw",
    compression: str = "none",
) -> dict[str, Any]:
    """Fly one flight through the ROS graph, in processes of their own.

    Args:
        scenario_name: name or path.
        seed: of every random stream.
        overrides: scenario keys, each as key=value.
        model: folder.
        out_dir: gets `flight.npz`, `flight.json`, `flight.mcap` and `log/`.
        mode: lockstep or realtime.
        rate: simulated seconds in a second, in real time.
        record: whether to write the bag.
        gui: whether to show PyBullet's window.
        on_progress: hears `{"event": "progress", "distance_m", "length_m", "speed_mps",
            "wind_mps", "rtf", "time_s"}` about ten times a second.
        composed: whether perception and controller share a process.
        image: how the bag keeps pictures: raw, png or jpeg.
        compression: of the bag's chunks: none, lz4 or zstd.

    Returns:
        `result` (a `FlightResult` as a dict), `statistics` (frames, frames_lost, frames_late,
        latency_ms p50, p99 and max, rtf, wall_s, simulated_s), `record` and `bag` (paths; the bag
        None unless recorded).

    Raises:
        ConfigError: the scenario or an override does not fit.
        ModelError: the model does not load, or its camera is not the scenario's.
        GraphError: a process did not start, died, or stopped answering.
    """
    scenario = load_scenario(scenario_name, parse_settings(overrides))
    Policy(load_model(model)).check_camera(
        scenario.camera.width,
        scenario.camera.height,
        scenario.camera.horizontal_fov_deg,
        pitch_down_deg=scenario.camera.pitch_down_deg,
    )
    plan = GraphPlan(
        scenario_name,
        seed,
        model,
        out_dir,
        overrides,
        mode,
        rate,
        record,
        gui,
        composed,
        image,
        compression,
    )
    done = run_graph(plan, on_progress)
    return {
        "result": done["result"],
        "statistics": done["statistics"],
        "record": plan.record_path,
        "bag": plan.bag_path if record else None,
    }


def run_graph(
    plan: Plan, on_progress: Callable[[FlightProgress], None] | None = None
) -> FlightProgress:
    """Run a graph to its end; return what its last process told of the end.

    Raises:
        GraphError: a process did not start, died, stopped answering, or ended badly.
    """
    done: FlightProgress = {}
    with FlightGraph(plan) as graph:
        for event in graph.events():
            if event["event"] == "progress" and on_progress is not None:
                on_progress(event)
            done = event if event["event"] == "done" else done
        graph.term_timeout_s = FLUSH_TIMEOUT_S
    for process in graph.processes:
        if process.child.returncode != 0:
            raise GraphError(_exit_message(process))
    return done


def _exit_message(process: Process) -> str:
    return f"{process.name} ended with status {process.child.poll()}: {process.last_error_line()}"


def _environment(domain: int) -> dict[str, str]:
    profiles = str(project_file("config/fastdds.xml"))
    return clean_environment(
        {
            "ROS_DOMAIN_ID": str(domain),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "FASTRTPS_DEFAULT_PROFILES_FILE": profiles,
            "FASTDDS_DEFAULT_PROFILES_FILE": profiles,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
    )


def flight_progress_text(event: Mapping[str, Any]) -> str:
    """Return distance, speed, wind and real-time factor of a progress event in words."""
    distance_m = max(event["distance_m"], 0.0)
    return (
        f"{distance_m:5.1f} of {event['length_m']:g} m, {event['speed_mps']:.1f} m/s, "
        f"wind {event['wind_mps']:.1f} m/s, {event['rtf']:.1f} x real time"
    )
