"""One simulated flight through the ROS 2 graph, and its data for reports."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from liquid_control.bags import FlightBag, read_bag
from liquid_control.command import Envelope, GuardRules
from liquid_control.config import Scenario, load_scenario, parse_settings
from liquid_control.graph.node_graph import ProgressCallback, run_graph
from liquid_control.policy import Model, Policy, certified_box, load_model
from liquid_control.topics import ADAPTATION, FOXGLOVE, GUARD, GUARD_STANDBY
from liquid_control.types import FlightResult

if TYPE_CHECKING:
    from liquid_control.evaluation import FlightJob
    from liquid_control.evaluation.flight_data import CommandTrack, FlightData, NeuronTrack

SIMULATOR = "simulator_node"


@dataclass(frozen=True)
class GraphPlan:
    """A flight through the graph.

    Attributes:
        scenario: name or path.
        seed: of every random stream.
        model: folder.
        out_dir: receives `flight.npz`, `flight.json`, `flight.mcap` and `log/`.
        overrides: scenario keys, each as key=value.
        mode: `lockstep` or `realtime`.
        rate: simulated seconds per second, in real time.
        record: whether to write a bag.
        gui: whether to show PyBullet's window.
        composed: whether perception and controller share a process.
        standby: whether a second guard takes over when the first one dies; None: in real time,
            where the vehicle does not wait.
        image: format of pictures in the bag: raw, png or jpeg.
        compression: of the bag's chunks: none, lz4 or zstd.
        rules: of the guard; perception publishes the health of pictures where they need it.
        autopilot: firmware that flies the vehicle, without ROS: ardupilot, px4 or betaflight; our
            own cascade if empty.
        firmware: program of that firmware.
        online_adaptation: of the controller node: `certified` or `GAIN,OFFSET`; empty: off.
        foxglove_port: TCP port of a server of viewers on 127.0.0.1; None for none.
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
    standby: bool | None = None
    image: str = "raw"
    compression: str = "none"
    rules: GuardRules = field(default_factory=GuardRules)
    autopilot: str = ""
    firmware: Path | None = None
    online_adaptation: str = ""
    foxglove_port: int | None = None

    @property
    def record_path(self) -> Path:
        """File of the flight's record."""
        return self.out_dir / "flight.npz"

    @property
    def bag_path(self) -> Path:
        """File of the flight's bag."""
        return self.out_dir / "flight.mcap"

    @property
    def _guards(self) -> dict[str, dict[str, object]]:
        standby = self.mode == "realtime" if self.standby is None else self.standby
        envelope = Envelope.for_camera(self.loaded_scenario.camera.rate_hz)
        limits: dict[str, object] = {
            "timeout_s": envelope.timeout_s,
            **self.rules.model_dump(exclude_defaults=True),
        }
        if not standby:
            return {GUARD: limits}
        return {GUARD: limits | {"pair": "first"}, GUARD_STANDBY: limits | {"pair": "standby"}}

    @cached_property
    def loaded_scenario(self) -> Scenario:
        """The scenario with the overrides.

        Raises:
            ConfigError: it is unknown, or an override does not fit.
        """
        return load_scenario(self.scenario, parse_settings(self.overrides))

    @property
    def nodes(self) -> dict[str, dict[str, object]]:
        """Parameters of each node."""
        policy: dict[str, object] = {"model": str(self.model.resolve()), "autostart": True}
        controller = policy
        if self.online_adaptation:
            controller = policy | {"online_adaptation": self.online_adaptation}
        perception = policy | {
            "cruise_speed_mps": self.loaded_scenario.cruise_mps,
            "camera_pitch_down_deg": self.loaded_scenario.camera.pitch_down_deg,
        }
        if self.rules.checks_pictures:
            perception["picture_health"] = True
        pilots = {"perception_node": perception, "controller_node": controller}
        composed = {"policy_node": perception | controller}
        nodes = self._guards | (composed if self.composed else pilots)
        if self.record:
            nodes["recorder_node"] = {
                "path": str(self.bag_path.resolve()),
                "model": str(self.model.resolve()),
                "image": self.image,
                "compression": self.compression,
            }
            if self.online_adaptation:
                nodes["recorder_node"]["topics"] = [ADAPTATION]
        if self.foxglove_port is not None:
            nodes[FOXGLOVE] = policy | {
                "port": self.foxglove_port,
                "camera_pitch_down_deg": self.loaded_scenario.camera.pitch_down_deg,
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


@dataclass(frozen=True)
class GraphFlight:
    """A flight that was flown through the graph.

    Attributes:
        result: as the task's judge has it.
        statistics: mode, frames, frames_lost, frames_late, latency_ms (p50, p99, max), rtf,
            wall_s, simulated_s.
        record: file of the record.
        bag: file of the bag; None unless recorded.
        replaced: a line for each process that died while its standby lived.
    """

    result: FlightResult
    statistics: Mapping[str, Any]
    record: Path
    bag: Path | None
    replaced: Sequence[str] = ()

    @property
    def latency_ms(self) -> tuple[float, float] | None:
        """p50 and p99 from camera to command, ms; None where no frame was answered."""
        latency = self.statistics["latency_ms"]
        return None if latency["p50"] is None else (latency["p50"], latency["p99"])

    @property
    def video(self) -> Path:
        """File of the flight's video, next to its record."""
        return self.record.with_name("flight.mp4")

    @property
    def page(self) -> Path:
        """File of the flight's page, next to its record."""
        return self.record.with_name("flight.html")


def fly_through_graph(plan: GraphPlan, on_progress: ProgressCallback | None = None) -> GraphFlight:
    """Fly one flight through the ROS graph, each node in a process of its own.

    With `plan.autopilot` it is flown in this process, by that firmware.

    Args:
        plan: the flight.
        on_progress: receives `{"event": "progress", "distance_m", "length_m", "speed_mps",
            "wind_mps", "rtf", "time_s"}` about ten times a second.

    Raises:
        ConfigError: the scenario is unknown, or an override does not fit.
        ModelError: the model does not load, its camera is not the scenario's, or the scenario
            lacks an input that it needs.
        GraphError: a process did not start, died, or stopped answering.
        AutopilotError: the firmware is missing, does not start or arm, or dies.
        CertificateError: no certificate covers the box of the online adaptation.
    """
    scenario, model = plan.loaded_scenario, load_model(plan.model)
    Policy(model).model.check_scenario(scenario)
    if plan.online_adaptation:
        certified_box(model, plan.online_adaptation)
    if plan.autopilot:
        return _fly_with_firmware(plan, on_progress)
    done = _run(plan, on_progress)
    return GraphFlight(
        FlightResult(**done["result"]),
        done["statistics"],
        plan.record_path,
        plan.bag_path if plan.record else None,
        done["replaced"],
    )


def _fly_with_firmware(plan: GraphPlan, on_progress: ProgressCallback | None) -> GraphFlight:
    # Other flights need no simulator in this process, so it is imported here only.
    from liquid_control.evaluation import FlightJob
    from liquid_control.graph.firmware_flight import firmware_setup, fly_with_firmware

    overrides = parse_settings(plan.overrides)
    name, scenario = load_model(plan.model).name, plan.loaded_scenario
    job = FlightJob(name, plan.scenario, plan.scenario, "", 0, plan.seed, overrides, scenario)
    setup, bag = firmware_setup(plan.autopilot, plan.firmware), plan.bag_path
    result, statistics = fly_with_firmware(
        job,
        setup,
        plan.model,
        plan.out_dir,
        bag if plan.record else None,
        plan.image,
        plan.gui,
        on_progress,
    )
    return GraphFlight(result, statistics, plan.record_path, bag if plan.record else None)


def _run(plan: GraphPlan, on_progress: ProgressCallback | None) -> Mapping[str, Any]:
    """Run the graph; remove the bag of a flight that never began."""
    began = False

    def watch_begin(event: dict[str, Any]) -> None:
        nonlocal began
        began = True
        if on_progress is not None:
            on_progress(event)

    try:
        return run_graph(plan, watch_begin)
    except BaseException:
        if not began:
            plan.bag_path.unlink(missing_ok=True)
        raise


def flight_progress_text(event: Mapping[str, Any]) -> str:
    """Return distance, speed, wind and real-time factor of a progress event as text."""
    distance_m = max(event["distance_m"], 0.0)
    return (
        f"{distance_m:5.1f} of {event['length_m']:g} m, {event['speed_mps']:.1f} m/s, "
        f"wind {event['wind_mps']:.1f} m/s, {event['rtf']:.1f} x real time"
    )


def load_graph_flight(
    job: "FlightJob", flight: GraphFlight, home: Path, model: Model | None = None
) -> "FlightData":
    """Load the record, the bag and the forest of one flight.

    Args:
        job: the flight as it was planned.
        flight: returned by `fly_through_graph`.
        home: folder of the report.
        model: that flew; None to leave its wiring out.

    Raises:
        OutputError: a file is missing or damaged.
    """
    # Replays through the graph need no simulator, so it is imported here only.
    from liquid_control.evaluation.flight_data import FlightData, ForestMap, FrameTrack
    from liquid_control.evaluation.records import load_record
    from liquid_control_sim.place.forest import generate_forest

    forest = generate_forest(job.scenario, job.seed)
    bag = None if flight.bag is None else read_bag(flight.bag)
    links = {"bag": flight.bag, "video": flight.video} if flight.bag else {}
    return FlightData(
        title=job.entry,
        model=job.model,
        seed=job.seed,
        scenario=job.scenario,
        record=load_record(flight.record),
        map=ForestMap.of(forest, job.scenario),
        frames=None if bag is None else FrameTrack(bag.frames.stamp_ns, tuple(bag.frames.values)),
        neurons=None if bag is None else _neurons(bag),
        facts=tuple(_facts(flight)),
        links=tuple((label, path.name) for label, path in links.items()),
        folder=os.path.relpath(flight.record.parent, home),
        commands=None if bag is None else _commands(bag),
        guard=None if bag is None else bag.guard or None,
        weights=None if model is None else model.wired_weights,
    )


def _neurons(bag: FlightBag) -> "NeuronTrack | None":
    from liquid_control.evaluation.flight_data import NeuronTrack

    if not bag.neuron_names:
        return None
    states, gates = bag.states, bag.gates
    stamps, features = bag.features.stamp_ns, None
    if np.isin(states.stamp_ns, stamps).all():
        order = np.argsort(stamps, kind="stable")
        features = bag.features.values[order[np.searchsorted(stamps[order], states.stamp_ns)]]
    return NeuronTrack(bag.neuron_names, states.stamp_ns, states.values, gates.values, features)


def _commands(bag: FlightBag) -> "CommandTrack | None":
    """Return the commands of the frames that both the policy and the guard answered."""
    from liquid_control.evaluation.flight_data import CommandTrack

    policy, guarded = bag.policy_commands, bag.commands
    stamps, one, two = np.intersect1d(policy.stamp_ns, guarded.stamp_ns, return_indices=True)
    if not len(stamps):
        return None
    return CommandTrack(stamps, policy.values[one], guarded.values[two])


def _facts(flight: GraphFlight) -> list[tuple[str, str]]:
    statistics = flight.statistics
    facts = [("flown at", f"{statistics['rtf']:.1f} × real time")]
    if flight.latency_ms is not None:
        p50, p99 = flight.latency_ms
        facts.append(("camera to command, p50 and p99", f"{p50:.1f}, {p99:.1f} ms"))
    if statistics["frames_lost"]:
        lost = f"{statistics['frames_lost']} of {statistics['frames']}"
        facts.append(("frames not answered", lost))
    facts += [("replaced by its standby", line) for line in flight.replaced]
    return facts
