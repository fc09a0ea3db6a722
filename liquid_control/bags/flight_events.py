"""Convert the messages of a recorded flight into events.

Events are in the order of log time, with two exceptions: a frame waits for its IMU window and its
other readings, and a command waits for the attitude that its frame conversion needs. Match them by
stamp.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice

import numpy as np

from liquid_control.bags import events
from liquid_control.bags.bag import MessageSource
from liquid_control.bags.decoding import commands, odometry, sensors, stamps
from liquid_control.bags.decoding.clock_offsets import ANOTHER_CLOCK_NS
from liquid_control.bags.decoding.frame_imu_sync import FrameImuSync
from liquid_control.bags.decoding.headers import StatedSource, StatedWorlds
from liquid_control.bags.decoding.imu import ImuReader, Sample
from liquid_control.bags.decoding.pictures import PictureReader
from liquid_control.bags.decoding.recorded_inputs import RecordedInputs
from liquid_control.bags.losses import Loss, Losses
from liquid_control.bags.storage.part import RawMessage
from liquid_control.bags.topics import Axes, Role, Source, TopicMap
from liquid_control.command import acting_of
from liquid_control.errors import BagError, ObservationError
from liquid_control.message_types import IMU, ODOMETRY, TWIST_STAMPED
from liquid_control.perception.camera_model import FISHEYE

COMMAND_SOURCES = {
    Role.POLICY_COMMAND: events.CommandSource.POLICY,
    Role.COMMAND: events.CommandSource.GUARD,
}
INFOS_TRIED = 8
"""Number of camera_info messages among which the first usable one is searched."""


def read_flight(
    bag: MessageSource, topics: TopicMap, losses: Losses, start_ns: int | None = None
) -> Iterator[events.Event]:
    """Yield the events of a flight. Memory holds only the events that wait.

    Args:
        bag: the recording.
        topics: topic of each role.
        losses: counts unusable messages, with reasons.
        start_ns: log time to start at; None for the start of the recording.
    """
    messages = bag.messages(topics.topics, losses, start_ns)
    camera = topics.topic(Role.CAMERA)
    prefix = stamps.read_prefix(messages, topics.topics, camera)
    flight = _Flight(bag, topics, losses, prefix)
    yield from flight.begin(prefix, start_ns)
    for message in flight.pictures.ahead(chain(prefix, messages)):
        yield from flight.take(message)
    yield from flight.finish()


class _Flight:
    """Converts messages into events.

    Attributes:
        pictures: decodes the camera's pictures.
    """

    def __init__(
        self, bag: MessageSource, topics: TopicMap, losses: Losses, prefix: Sequence[RawMessage]
    ) -> None:
        self._bag = bag
        self._topics = topics
        self._losses = losses
        sources = topics.sources
        self._clocks = stamps.Clocks(prefix, topics.topic(Role.CAMERA), sources, losses)
        self._imu = ImuReader(sources.get(Role.IMU), prefix, losses)
        self._worlds = StatedWorlds(losses)
        self._frames = FrameImuSync(Role.IMU in topics, losses, Role.RANGE in topics)
        self._inputs = RecordedInputs(_has_messages(bag, topics.topic(Role.INPUTS), prefix))
        self._commands = commands.HeadingFrameTransform(Role.ODOMETRY in topics, losses)
        self._roles: dict[str, list[tuple[Role, Source, StatedSource]]] = defaultdict(list)
        for role, source in sources.items():
            for topic in source.topics:
                stated = StatedSource(role, source, losses)
                self._roles[topic].append((role, source, stated))
        self._camera_info: bytes | tuple[int, ...] | None = None
        camera = topics.sources.get(Role.CAMERA)
        self.pictures = PictureReader(camera, losses)
        self._fov_from_rules = camera is not None and camera.horizontal_fov_deg is not None
        self._camera_lag_ns: int | None = None
        self._log_ns = 0
        self._readers: dict[Role, Callable[[RawMessage, Source], Sequence[events.Event]]] = {
            Role.CAMERA: self._on_picture,
            Role.CAMERA_INFO: self._on_camera_info,
            Role.IMU: self._on_imu,
            Role.RANGE: self._on_range,
            Role.ODOMETRY: self._on_odometry,
            Role.POLICY_COMMAND: lambda m, s: self._on_command(m, s, events.CommandSource.POLICY),
            Role.COMMAND: lambda m, s: self._on_command(m, s, events.CommandSource.GUARD),
            Role.FEATURES: self._on_features,
            Role.NEURONS: self._on_neurons,
            Role.INPUTS: self._on_inputs,
            Role.ADAPTATION: self._on_adaptation,
            Role.GUARD: self._on_guard,
            Role.CLOCK: self._on_clock,
        }

    def begin(self, prefix: Sequence[RawMessage], start_ns: int | None) -> Sequence[events.Event]:
        """Return the intrinsics that hold for the first pictures, also if they are sent later."""
        source = self._topics.sources.get(Role.CAMERA_INFO)
        if source is None or self._fov_from_rules:
            return ()
        found = [message for message in prefix if message.topic == source.topic]
        latched = () if found else _before_or_next(self._bag, source.topic, start_ns)
        for message in islice(chain(found, latched), INFOS_TRIED):
            if message.type == source.type:
                with suppress(BagError, ObservationError):
                    event = self._intrinsics(message)
                    self._camera_info = message.data[sensors.AFTER_STAMP :]
                    return (event,)
        return ()

    def take(self, message: RawMessage) -> list[events.Event]:
        """Process a message; return the events that it completes."""
        self._log_ns = message.log_ns
        complete: list[events.Event] = []
        if self._frames.is_waiting:
            complete += self._frames.advance(message.log_ns)
        if self._commands.is_waiting:
            complete += self._commands.advance(message.log_ns)
        if not self._inputs.waits:
            return [*complete, *self._read(message)]
        complete = self._inputs.join(complete, message.log_ns)
        return [*complete, *self._inputs.join(self._read(message), message.log_ns)]

    def _read(self, message: RawMessage) -> list[events.Event]:
        complete: list[events.Event] = []
        for role, source, stated in self._roles[message.topic]:
            if message.type != source.type:
                self._losses.count(
                    Loss.WRONG_TYPE,
                    f"{message.topic}: expected {source.type}, got {message.type}",
                )
                continue
            try:
                if stated.compares:
                    source = stated.of(message.data)
                complete += self._readers[role](message, source)
            except BagError as error:
                self._losses.count(Loss.UNDECODABLE, f"{message.topic}: {error}")
            except ObservationError as error:
                bad = Loss.BAD_PICTURE if role is Role.CAMERA else Loss.BAD_VALUE
                self._losses.count(bad, f"{message.topic}: {error}")
        return complete

    def finish(self) -> list[events.Event]:
        """Return the events that still wait."""
        complete = self._add(self._imu.finish(), self._log_ns)
        complete += self._frames.finish()
        return [*self._inputs.join(complete, None), *self._commands.finish()]

    def _on_picture(self, message: RawMessage, source: Source) -> Sequence[events.Event]:
        stamp_ns = self._clocks.stamp(message)
        self._note_jump(stamp_ns, message.log_ns)
        image = self.pictures.read(message, source)
        camera_info = self._info_from_rules(image.shape, source.horizontal_fov_deg)
        return [*camera_info, *self._frames.add_frame(stamp_ns, image, message.log_ns)]

    def _info_from_rules(
        self, shape: tuple[int, ...], fov_deg: float | None
    ) -> Sequence[events.Event]:
        """Return camera intrinsics for a field of view from the rules, once per picture size."""
        if fov_deg is None or shape == self._camera_info:
            return ()
        self._camera_info = shape
        return (events.CameraInfoEvent(shape[1], shape[0], fov_deg, np.empty(0)),)

    def _note_jump(self, stamp_ns: int, log_ns: int) -> None:
        lag_ns, before_ns = log_ns - stamp_ns, self._camera_lag_ns
        self._camera_lag_ns = lag_ns
        if before_ns is not None and abs(lag_ns - before_ns) > ANOTHER_CLOCK_NS:
            jumped_s = (before_ns - lag_ns) * 1e-9
            self._losses.count(
                Loss.CLOCK_JUMP, f"the camera's stamps jumped by {jumped_s:.0f} s at {stamp_ns} ns"
            )

    def _on_camera_info(self, message: RawMessage, source: Source) -> Sequence[events.Event]:
        content = message.data[sensors.AFTER_STAMP :]
        if self._fov_from_rules or content == self._camera_info:
            return ()
        self._camera_info = content
        return (self._intrinsics(message),)

    def _intrinsics(self, message: RawMessage) -> events.CameraInfoEvent:
        event = sensors.camera_info_of(self._bag.decode(message))
        if event.model is not None and event.model.distortion in FISHEYE:
            self._losses.warn(
                f"{message.topic}: a fisheye ({event.model.distortion}): its pictures are cropped "
                "to the model's angles and stay curved; rectify them before replay for a "
                "model that was trained on straight ones"
            )
        return event

    def _on_imu(self, message: RawMessage, source: Source) -> Sequence[events.Event]:
        stamp_ns = self._clocks.stamp(message)
        reading = None
        try:
            if source.force_topic is not None:
                return self._add(self._imu.merge(message, source, stamp_ns), message.log_ns)
            reading = self._imu.read(message, source)
        except sensors.NotMeasuredError as error:
            self._losses.count(Loss.NOT_MEASURED, f"{message.topic}: {error}")
            if source.force_topic is not None:
                return ()
        if message.type == IMU and source.axes is Axes.FLU:
            orientation = sensors.orientation_of(message.data)
            if orientation is not None:
                self._frames.add_orientation(stamp_ns, orientation)
        if reading is None:
            return self._frames.reach(stamp_ns, message.log_ns)
        return self._frames.add_sample(stamp_ns, *reading, message.log_ns)

    def _on_range(self, message: RawMessage, source: Source) -> Sequence[events.Event]:
        range_m = sensors.range_of(self._bag.decode(message))
        return self._frames.add_range(self._clocks.stamp(message), range_m, message.log_ns)

    def _on_inputs(self, message: RawMessage, source: Source) -> Sequence[events.Event]:
        readings = sensors.readings_of(self._bag.decode(message))
        self._inputs.add(self._clocks.stamp(message), readings)
        return ()

    def _add(self, samples: Sequence[Sample], log_ns: int) -> list[events.Event]:
        return [e for sample in samples for e in self._frames.add_sample(*sample, log_ns)]

    def _on_odometry(self, message: RawMessage, source: Source) -> Sequence[events.Event]:
        state, stamp_ns = odometry.state_of(self._bag, message), self._clocks.stamp(message)
        if source.type == ODOMETRY:
            self._worlds.add(Role.ODOMETRY, message)
        self._commands.attitudes.add(stamp_ns, state.quaternion)
        found: list[events.Event] = []
        missing = odometry.missing_values(state)
        if missing:
            reason = f"{message.topic}: no finite {' or '.join(missing)}; its attitude is used"
            self._losses.count(Loss.BAD_VALUE, reason)
        if "velocity" not in missing and "rates" not in missing:
            found.append(events.OdometryEvent(stamp_ns, state, message.log_ns))
        return [*found, *self._commands.advance(message.log_ns)]

    def _on_command(
        self, message: RawMessage, source: Source, origin: events.CommandSource
    ) -> Sequence[events.Event]:
        velocity = commands.read_velocity(self._bag, message, source)
        if velocity.unset:
            reason = f"{message.topic}: {', '.join(velocity.unset)}"
            self._losses.count(Loss.UNSET_AXIS, reason)
        if source.type == TWIST_STAMPED and velocity.frame in commands.WORLDS:
            self._worlds.add(Role.COMMAND, message)
        return self._commands.add(origin, velocity, self._clocks.stamp(message), message.log_ns)

    def _on_features(self, message: RawMessage, source: Source) -> Sequence[events.Event]:
        features = sensors.features_of(sensors.image_of(message.data))
        return (events.FeaturesEvent(self._clocks.stamp(message), features),)

    def _on_neurons(self, message: RawMessage, source: Source) -> Sequence[events.Event]:
        names, states, gates = sensors.neurons_of(self._bag.decode(message))
        return (events.NeuronsEvent(self._clocks.stamp(message), names, states, gates),)

    def _on_adaptation(self, message: RawMessage, source: Source) -> Sequence[events.Event]:
        names, values = sensors.adaptation_of(self._bag.decode(message))
        return (events.AdaptationEvent(self._clocks.stamp(message), names, values),)

    def _on_guard(self, message: RawMessage, source: Source) -> Sequence[events.Event]:
        content = self._bag.decode(message)
        acting = acting_of(tuple(content.name), content.position)
        return (events.GuardChangeEvent(self._clocks.stamp(message), acting),)

    def _on_clock(self, message: RawMessage, source: Source) -> Sequence[events.Event]:
        stamp_ns = stamps.own_stamp(message.type, message.data)
        return () if stamp_ns is None else (events.ClockEvent(stamp_ns),)


def _has_messages(bag: MessageSource, topic: str | None, prefix: Sequence[RawMessage]) -> bool:
    """Return whether a topic has messages; where their number is unknown, in the prefix."""
    if topic is None:
        return False
    count = bag.topics[topic].count if topic in bag.topics else None
    return bool(count) or any(message.topic == topic for message in prefix)


def _before_or_next(bag: MessageSource, topic: str, start_ns: int | None) -> Iterator[RawMessage]:
    """Yield the last message of a topic before a log time if there is one, then the next ones.

    A latched topic is sent once, at any time: before the part that is read, or late in it.
    """
    before: RawMessage | None = None
    for message in bag.messages([topic], Losses()):
        if start_ns is not None and message.log_ns < start_ns:
            before = message
            continue
        if before is not None:
            yield before
            before = None
        yield message
    if before is not None:
        yield before
