"""Recording of an in-process flight as a bag, with the topics and stamps of the ROS graph.

As in a lockstep graph, every message has its own stamp as its log time, and each control tick has
one `cmd_vel` and one `/clock`. ROS is not needed.
"""

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import takewhile
from pathlib import Path

import cv2
import numpy as np

from liquid_control import __version__, message_types, topics
from liquid_control.bags import BagWriter
from liquid_control.bags.flight_result import GUARD_PARAMETERS, RESULT, result_values
from liquid_control.bags.writing import messages
from liquid_control.bags.writing.partial_bag import partial_names
from liquid_control.command import ChangeWatch, Envelope, GuardRules
from liquid_control.errors import ConfigError, OutputError
from liquid_control.evaluation.campaign import FlightJob
from liquid_control.files import unwritable
from liquid_control.interfaces import Demonstrator, FlightProgress, Flyer, Pilot, World
from liquid_control.perception import readings_of
from liquid_control.policy import PolicyPilot
from liquid_control.provenance import git_revision, model_fingerprint
from liquid_control.types import Command, FlightRecord, Observation, Pixels, VehicleState

IMAGE = "camera/image_raw"
COMPRESSED = f"{IMAGE}/compressed"
JPEG_QUALITY = 95


def _png(image: Pixels) -> bytes:
    return _encoded(".png", image, [])


def _jpeg(image: Pixels) -> bytes:
    return _encoded(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])


def _encoded(suffix: str, image: Pixels, options: list[int]) -> bytes:
    _, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    return np.asarray(data).tobytes()


CODECS: dict[str, Callable[[Pixels], bytes] | None] = {"raw": None, "png": _png, "jpeg": _jpeg}
"""Picture encodings: PNG is lossless and a quarter smaller, JPEG is a quarter of the size."""


def picture_topics(codec: str) -> dict[str, str]:
    """Return the picture's topic with its type."""
    if CODECS[codec] is None:
        return {IMAGE: message_types.IMAGE}
    return {COMPRESSED: message_types.COMPRESSED_IMAGE}


def picture_message(image: Pixels, codec: str, stamp_ns: int) -> tuple[str, bytes]:
    """Return topic and serialised message of a picture, uint8 [H, W, 3] RGB."""
    encode = CODECS[codec]
    if encode is None:
        return IMAGE, messages.image_cdr(image, stamp_ns)
    layout = f"rgb8; {codec} compressed bgr8"
    return COMPRESSED, messages.compressed_image_cdr(encode(image), layout, stamp_ns)


CAMERA_INFO, IMU, ODOM, CLOCK = "camera/camera_info", "imu/data", "odom", "clock"
FEATURES, NEURONS, INPUTS = "perception/features", "policy/neurons", "policy/inputs"
POLICY_COMMAND, COMMAND, RANGE = "policy/cmd_vel", "cmd_vel", "range"
_OF_POLICIES = (FEATURES, NEURONS, INPUTS)

WRITER, FLIGHT, MODEL = "liquid_control", "flight", "model"
"""Metadata records: software, flight and pilot."""


class RecordingPilot:
    """Wraps a pilot and keeps its last frame and command.

    Attributes:
        inner: the wrapped pilot.
        answer: the command for the last frame; of a `Demonstrator`, the command it shows.
        observation: the last frame; None before the first.
    """

    def __init__(self, inner: Pilot) -> None:
        self.name = inner.name
        self.inner = inner
        self.answer: Command | None = None
        self.observation: Observation | None = None

    def start(self, world: World) -> None:
        """Start the wrapped pilot."""
        self.answer = self.observation = None
        self.inner.start(world)

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        """Return the wrapped pilot's command."""
        self.observation = observation
        flown = self.inner.command(observation, truth)
        self.answer = self.inner.shown if isinstance(self.inner, Demonstrator) else flown
        return flown


@dataclass(slots=True)
class BagRecorder:
    """Writes the ticks of a flight into a bag; pass it to a flyer as `watch`.

    Attributes:
        bag: writer of the bag.
        job: the flight.
        pilot: the pilot of the flight.
        image: picture encoding, a key of `CODECS`.
        watch: of the rules of the guard.
    """

    bag: BagWriter
    job: FlightJob
    pilot: RecordingPilot
    image: str = "raw"
    watch: ChangeWatch = field(default_factory=ChangeWatch)

    def __call__(self, progress: FlightProgress) -> None:
        """Write one tick: sensor readings, the pilot's command, the command in force."""
        stamp_ns = progress.stamp_ns
        self._samples(progress)
        if progress.image is not None:
            info = messages.camera_info_cdr(self.job.scenario.camera, stamp_ns)
            self.bag.write(CAMERA_INFO, info, stamp_ns)
            self.bag.write(*picture_message(progress.image, self.image, stamp_ns), stamp_ns)
            self._answer(stamp_ns)
        self.bag.write(COMMAND, messages.command_cdr(progress.command, stamp_ns), stamp_ns)
        change = self.watch.change(stamp_ns, progress.acting)
        if change is not None:
            self.bag.write(topics.GUARD_ACTIONS, messages.guard_cdr(change), stamp_ns)
        self.bag.write(CLOCK, messages.clock_cdr(stamp_ns), stamp_ns)

    def _samples(self, progress: FlightProgress) -> None:
        window, stamp_ns = progress.imu, progress.stamp_ns
        frame = self.pilot.observation if progress.image is not None else None
        samples = zip(
            window.stamps_ns.tolist(),
            window.angular_velocity,
            window.linear_acceleration,
            strict=True,
        )
        for sample_ns, rate, force in samples:
            measured = frame is not None and sample_ns == frame.stamp_ns
            orientation = frame.orientation if frame is not None and measured else None
            sample = messages.imu_cdr(rate, force, sample_ns, orientation)
            self.bag.write(IMU, sample, sample_ns)
        if frame is not None and self.job.scenario.range.enabled:
            self.bag.write(RANGE, messages.range_cdr(frame.range_m, stamp_ns), stamp_ns)
        self.bag.write(ODOM, messages.odometry_cdr(progress.truth, stamp_ns), stamp_ns)

    def _answer(self, stamp_ns: int) -> None:
        """Write the pilot's command for a frame, and a policy's inputs, features and neurons."""
        inner, answer = self.pilot.inner, self.pilot.answer
        decision = inner.decision if isinstance(inner, PolicyPilot) else None
        if isinstance(inner, PolicyPilot) and inner.features is not None:
            self.bag.write(FEATURES, messages.features_cdr(inner.features, stamp_ns), stamp_ns)
        frame = self.pilot.observation
        if isinstance(inner, PolicyPilot) and inner.policy.needed_inputs and frame is not None:
            readings = readings_of(inner.policy.needed_inputs, frame)
            self.bag.write(INPUTS, messages.inputs_cdr(readings, stamp_ns), stamp_ns)
        if answer is not None:
            self.bag.write(POLICY_COMMAND, messages.command_cdr(answer, stamp_ns), stamp_ns)
        if isinstance(inner, PolicyPilot) and decision is not None:
            names = inner.policy.state_names
            values = (decision.state.astype(np.float64), decision.gates.astype(np.float64))
            neurons = messages.neurons_cdr(names, *values, stamp_ns)
            self.bag.write(NEURONS, neurons, stamp_ns)
        if isinstance(inner, PolicyPilot) and inner.session.adapted is not None:
            adapted = messages.adaptation_cdr(inner.session.adapted.rows, stamp_ns)
            self.bag.write(topics.ADAPTATION, adapted, stamp_ns)


def fly_and_record(
    flyer: Flyer,
    job: FlightJob,
    pilot: Pilot,
    path: Path,
    image: str = "raw",
    rules: GuardRules | None = None,
) -> FlightRecord:
    """Fly a job and write it to a bag; the same job, model and code make the same bytes.

    Args:
        flyer: flies in process.
        job: the flight.
        pilot: flies it; the command that a `Demonstrator` shows becomes `policy/cmd_vel`.
        path: of the bag, `.mcap`; it must not exist.
        image: picture encoding, a key of `CODECS`.
        rules: of the flyer's guard, for the bag's metadata; None for the envelope alone.

    Raises:
        OutputError: the bag exists, or cannot be written.
    """
    recorded = RecordingPilot(pilot)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error
    recorded_topics, metadata = _topics(job, pilot, image), _metadata(job, pilot, rules)
    with BagWriter(path, recorded_topics, metadata=metadata, flush_s=None) as bag:
        record = flyer(job.scenario, job.seed, recorded, BagRecorder(bag, job, recorded, image))
        bag.add_metadata(RESULT, result_values(record.result))
    return record


@cache
def _revision() -> str:
    return git_revision() or ""


def _topics(job: FlightJob, pilot: Pilot, image: str) -> dict[str, str]:
    left_out: tuple[str, ...] = () if isinstance(pilot, PolicyPilot) else _OF_POLICIES
    if isinstance(pilot, PolicyPilot) and not pilot.policy.needed_inputs:
        left_out = (INPUTS,)
    left_out += () if job.scenario.range.enabled else (RANGE,)
    known = messages.FLIGHT_TOPICS.items()
    others = {name: kind for name, kind in known if name not in left_out and name != IMAGE}
    adapts = isinstance(pilot, PolicyPilot) and pilot.adaptation is not None
    return picture_topics(image) | others | (topics.ADAPTATION_TYPES if adapts else {})


def _metadata(
    job: FlightJob, pilot: Pilot, rules: GuardRules | None
) -> Mapping[str, Mapping[str, str]]:
    envelope = Envelope.for_camera(job.scenario.camera.rate_hz)
    guard = {name: str(value) for name, value in envelope.model_dump().items()}
    changed = {} if rules is None else rules.model_dump(exclude_defaults=True)
    guard |= {name: _parameter(value) for name, value in changed.items()}
    return {
        WRITER: {"version": __version__, "revision": _revision(), "mode": "lockstep"},
        FLIGHT: {
            "scenario": job.scenario_name,
            "seed": str(job.seed),
            "overrides": json.dumps(job.overrides, sort_keys=True),
            "settings": job.scenario.model_dump_json(),
        },
        GUARD_PARAMETERS: guard,
        MODEL: model_fingerprint(pilot.policy.model.path)
        if isinstance(pilot, PolicyPilot)
        else {"name": job.model},
    }


def _parameter(value: object) -> str:
    """Return a parameter as the recorder writes that of a node: JSON, or a string as it is."""
    return value if isinstance(value, str) else json.dumps(value)


BAGS = "bags"


@dataclass(frozen=True, slots=True)
class RecordingOptions:
    """Selection and encoding of the flights to record.

    Attributes:
        folder: of the results; bags go into its folder `bags`.
        failures_only: record failed flights only.
        image: picture encoding, a key of `CODECS`.
        rules: of the flyer's guard; None for the envelope alone.
    """

    folder: Path
    failures_only: bool = False
    image: str = "raw"
    rules: GuardRules | None = None

    def name(self, job: FlightJob) -> str:
        """Return the path of a flight's bag relative to the results' folder."""
        parts = (job.entry, job.model, str(job.seed))
        return f"{BAGS}/{'-'.join(_file_name_part(part) for part in parts)}.mcap"

    def path(self, job: FlightJob) -> Path:
        """Return the path of a flight's bag."""
        return self.folder / self.name(job)

    def discard(self, jobs: Sequence[FlightJob]) -> None:
        """Remove what an interrupted run left of these flights, which are flown again.

        Raises:
            OutputError: a file cannot be removed.
        """
        for path in map(self.path, jobs):
            partial = takewhile(os.path.lexists, partial_names(path))
            try:
                for remains in (path, *partial):
                    remains.unlink(missing_ok=True)
            except OSError as error:
                raise unwritable(path, error) from error

    def check_names(self, jobs: Sequence[FlightJob]) -> None:
        """Check that every flight has a path of its own.

        Raises:
            ConfigError: two flights have the same path.
        """
        names: dict[str, FlightJob] = {}
        for job in jobs:
            other = names.setdefault(self.name(job), job)
            if other is not job:
                raise ConfigError(
                    f"--record: entries {other.entry!r} and {job.entry!r} would both write "
                    f"{self.name(job)}; give one of them another name"
                )

    def check(self, jobs: Sequence[FlightJob]) -> None:
        """Check before the first flight that every bag has a path of its own, which is free.

        Raises:
            ConfigError: two flights have the same path.
            OutputError: a bag exists at a path.
        """
        self.check_names(jobs)
        for job in jobs:
            if self.path(job).exists():
                raise OutputError(
                    f"{self.path(job)}: exists already, and bags are not overwritten; "
                    "give another --out"
                )


def _file_name_part(text: str) -> str:
    """Return a text as part of a file name."""
    return re.sub(r"[^A-Za-z0-9._+]+", "-", text).strip("-.") or "flight"
