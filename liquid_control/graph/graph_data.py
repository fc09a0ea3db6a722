"""From what the graph left on disk to the story of the flight."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from liquid_control.bags import FlightBag, read_bag
from liquid_control.evaluation.campaign import FlightJob
from liquid_control.evaluation.flight_data import FlightData, ForestMap, FrameTrack, NeuronTrack
from liquid_control.evaluation.records import load_record
from liquid_control_sim.place.forest import generate_forest


def load_graph_flight(job: FlightJob, outcome: Mapping[str, Any], home: Path) -> FlightData:
    """Put together the record, the bag and the forest of one flight.

    Args:
        job: what was flown.
        outcome: what `fly_through_graph` returned.
        home: the folder of the report, to which links are relative.

    Raises:
        OutputError: a file is missing or damaged.
    """
    record_path, bag_path = Path(outcome["record"]), outcome["bag"]
    forest = generate_forest(job.scenario, job.seed)
    bag = None if bag_path is None else read_bag(Path(bag_path))
    links = (("bag", bag_path), ("video", video_path(record_path))) if bag else ()
    return FlightData(
        title=job.entry,
        model=job.model,
        seed=job.seed,
        scenario=job.scenario,
        record=load_record(record_path),
        map=ForestMap.of(forest, job.scenario),
        frames=None if bag is None else FrameTrack(bag.frames.stamp_ns, tuple(bag.frames.values)),
        neurons=None if bag is None else _neurons(bag),
        facts=tuple(_facts(outcome["statistics"])),
        links=tuple((label, os.path.relpath(path, home)) for label, path in links),
    )


def _neurons(bag: FlightBag) -> NeuronTrack | None:
    if not bag.neuron_names:
        return None
    states, gates = bag.states, bag.gates
    return NeuronTrack(bag.neuron_names, states.stamp_ns, states.values, gates.values)


def video_path(record: Path) -> Path:
    """Return where the video of a flight goes: beside its record."""
    return record.with_name("flight.mp4")


def latency_ms(statistics: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return p50 and p99 from camera to command, ms; None where no frame was answered."""
    latency = statistics["latency_ms"]
    return None if latency["p50"] is None else (latency["p50"], latency["p99"])


def _facts(statistics: Mapping[str, Any]) -> list[tuple[str, str]]:
    latency = latency_ms(statistics)
    facts = [("flown at", f"{statistics['rtf']:.1f} × real time")]
    if latency is not None:
        facts.append(("camera to command, p50 and p99", f"{latency[0]:.1f}, {latency[1]:.1f} ms"))
    if statistics["frames_lost"]:
        lost = f"{statistics['frames_lost']} of {statistics['frames']}"
        facts.append(("frames not answered", lost))
    return facts
