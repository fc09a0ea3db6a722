"""A flight in process as a bag: topics, messages and stamps as the ROS graph would have had them.

In lockstep the graph files every message under its own stamp, and there is one `cmd_vel` and one
`/clock` a control tick; so does this, without ROS.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np

from liquid_control import __version__
from liquid_control.bags import BagWriter
from liquid_control.bags.writing import messages
from liquid_control.bags.writing.model_mark import model_mark
from liquid_control.errors import OutputError
from liquid_control.evaluation.bag_pictures import IMAGE, picture_message, picture_topics
from liquid_control.evaluation.campaign import FlightJob
from liquid_control.interfaces import Demonstrator, Flyer, Pilot, Progress, World
from liquid_control.policy import PolicyPilot
from liquid_control.provenance import git_revision
from liquid_control.types import Command, FlightRecord, Observation, VehicleState

CAMERA_INFO, IMU, ODOM, CLOCK = "camera/camera_info", "imu/data", "odom", "/clock"
FEATURES, NEURONS = "perception/features", "policy/neurons"
POLICY_COMMAND, COMMAND = "policy/cmd_vel", "cmd_vel"
_OF_POLICIES = (FEATURES, NEURONS)

WRITER, FLIGHT, RESULT, MODEL = "liquid_control", "flight", "result", "model"
"""Metadata records: what wrote the bag, what was flown, how it ended, and who flew."""


class BagPilot:
    """Flies as the pilot inside it does, and remembers its last answer.

    Attributes:
        inner: who flies.
        answer: to the last frame; of a demonstrator, what it shows.
    """

    def __init__(self, inner: Pilot) -> None:
        self.name = inner.name
        self.inner = inner
        self.answer: Command | None = None

    def start(self, world: World) -> None:
        """Start the pilot inside."""
        self.answer = None
        self.inner.start(world)

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        """Answer as the pilot inside does."""
        flown = self.inner.command(observation, truth)
        self.answer = self.inner.shown if isinstance(self.inner, Demonstrator) else flown
        return flown


@dataclass(slots=True)
class BagTape:
    """Writes the ticks of a flight into a bag; the watch of a flyer.

    Attributes:
        bag: to write to.
        job: what is flown.
        pilot: who flies.
        image: how pictures are kept.
    """

    bag: BagWriter
    job: FlightJob
    pilot: BagPilot
    image: str = "raw"

    def __call__(self, progress: Progress) -> None:
        """Write one tick: what was sensed, what was answered, what came into force."""
        stamp_ns = progress.stamp_ns
        self._samples(progress)
        if progress.image is not None:
            info = messages.camera_info_cdr(self.job.scenario.camera, stamp_ns)
            self.bag.write(CAMERA_INFO, info, stamp_ns)
            self.bag.write(*picture_message(progress.image, self.image, stamp_ns), stamp_ns)
            self._answer(stamp_ns)
        self.bag.write(COMMAND, messages.command_cdr(progress.command, stamp_ns), stamp_ns)
        self.bag.write(CLOCK, messages.clock_cdr(stamp_ns), stamp_ns)

    def _samples(self, progress: Progress) -> None:
        window, stamp_ns = progress.imu, progress.stamp_ns
        samples = zip(
            window.stamps_ns.tolist(),
            window.angular_velocity,
            window.linear_acceleration,
            strict=True,
        )
        for sample_ns, rate, force in samples:
            self.bag.write(IMU, messages.imu_cdr(rate, force, sample_ns), sample_ns)
        self.bag.write(ODOM, messages.odometry_cdr(progress.truth, stamp_ns), stamp_ns)

    def _answer(self, stamp_ns: int) -> None:
        """Write what the pilot made of the frame; only a policy has features and neurons."""
        inner, answer = self.pilot.inner, self.pilot.answer
        decision = inner.decision if isinstance(inner, PolicyPilot) else None
        if isinstance(inner, PolicyPilot) and inner.features is not None:
            self.bag.write(FEATURES, messages.features_cdr(inner.features, stamp_ns), stamp_ns)
        if answer is not None:
            self.bag.write(POLICY_COMMAND, messages.command_cdr(answer, stamp_ns), stamp_ns)
        if isinstance(inner, PolicyPilot) and decision is not None:
            names = inner.policy.neuron_names
            values = (decision.state.astype(np.float64), decision.gates.astype(np.float64))
            neurons = messages.neurons_cdr(names, *values, stamp_ns)
            self.bag.write(NEURONS, neurons, stamp_ns)


def fly_on_bag(
    flyer: Flyer, job: FlightJob, pilot: Pilot, path: Path, image: str = "raw"
) -> FlightRecord:
    """Fly a job and write it to a bag; the same job, model and code make the same bytes.

    Args:
        flyer: flies in process.
        job: what to fly.
        pilot: who flies; a `Demonstrator`'s clean answer becomes `policy/cmd_vel`.
        path: of the bag, `.mcap`; it must not exist.
        image: how pictures are kept.

    Raises:
        OutputError: the bag exists, or cannot be written.
    """
    taped = BagPilot(pilot)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
    topics, metadata = _topics(pilot, image), _metadata(job, pilot)
    with BagWriter(path, topics, metadata=metadata, flush_s=None) as bag:
        record = flyer(job.scenario, job.seed, taped, BagTape(bag, job, taped, image))
        ended = {name: json.dumps(value) for name, value in asdict(record.result).items()}
        bag.add_metadata(RESULT, ended | {"reason": record.result.reason})
    return record


@cache
def _revision() -> str:
    return git_revision() or ""


def _topics(pilot: Pilot, image: str) -> dict[str, str]:
    silent = () if isinstance(pilot, PolicyPilot) else _OF_POLICIES
    topics = messages.FLIGHT_TOPICS.items()
    others = {name: kind for name, kind in topics if name not in silent and name != IMAGE}
    return picture_topics(image) | others


def _metadata(job: FlightJob, pilot: Pilot) -> Mapping[str, Mapping[str, str]]:
    return {
        WRITER: {"version": __version__, "revision": _revision(), "mode": "lockstep"},
        FLIGHT: {
            "scenario": job.scenario_name,
            "seed": str(job.seed),
            "overrides": json.dumps(job.overrides, sort_keys=True),
            "settings": job.scenario.model_dump_json(),
        },
        MODEL: model_mark(pilot.policy.model.path)
        if isinstance(pilot, PolicyPilot)
        else {"name": job.model},
    }
