"""Convert the messages of a recorded flight into events.

Events are in the order of log time, with two exceptions: a frame waits for its IMU window, and a
command waits for the attitude that its frame conversion needs. Match them by stamp.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import numpy as np

from liquid_control.bags import events
from liquid_control.bags.bag import MessageSource
from liquid_control.bags.decoding import commands, odometry, sensors, stamps
from liquid_control.bags.decoding.frame_imu_sync import FrameImuSync
from liquid_control.bags.losses import Loss, Losses
from liquid_control.bags.storage.part import RawMessage
from liquid_control.bags.topics import Role, Source, TopicMap
from liquid_control.errors import BagError, ObservationError
from liquid_control.message_types import IMAGE
from liquid_control.perception import decode_picture

COMMAND_SOURCES = {
    Role.POLICY_COMMAND: events.CommandSource.POLICY,
    Role.COMMAND: events.CommandSource.GUARD,
}


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
    flight = _Flight(bag, topics, losses, stamps.Clocks(prefix, camera))
    for message in chain(prefix, messages):
        yield from flight.take(message)
    yield from flight.finish()


class _Flight:
    """Converts messages into events."""

    def __init__(
        self, bag: MessageSource, topics: TopicMap, losses: Losses, clocks: stamps.Clocks
    ) -> None:
        self._bag = bag
        self._losses = losses
        self._clocks = clocks
        self._frames = FrameImuSync(Role.IMU in topics, losses)
        self._commands = commands.HeadingFrameTransform(Role.ODOMETRY in topics, losses)
        self._roles: dict[str, list[tuple[Role, Source]]] = defaultdict(list)
        for role, source in topics.sources.items():
            self._roles[source.topic].append((role, source))
        self._camera_info: bytes | tuple[int, ...] | None = None
        camera = topics.sources.get(Role.CAMERA)
        self._fov_from_rules = camera is not None and camera.horizontal_fov_deg is not None
        self._camera_lag_ns: int | None = None
        self._readers: dict[Role, Callable[[RawMessage, Source], Sequence[events.Event]]] = {
            Role.CAMERA: self._on_picture,
            Role.CAMERA_INFO: self._on_camera_info,
            Role.IMU: self._on_imu,
            Role.ODOMETRY: self._on_odometry,
            Role.POLICY_COMMAND: lambda m, s: self._on_command(m, s, events.CommandSource.POLICY),
            Role.COMMAND: lambda m, s: self._on_command(m, s, events.CommandSource.GUARD),
            Role.FEATURES: self._on_features,
            Role.NEURONS: self._on_neurons,
            Role.CLOCK: self._on_clock,
        }

    def take(self, message: RawMessage) -> list[events.Event]:
        """Process a message; return the events that it completes."""
        complete: list[events.Event] = [*self._frames.advance(message.log_ns)]
        complete += self._commands.advance(message.log_ns)
        for role, source in self._roles[message.topic]:
            if message.type != source.type:
                self._losses.count(
                    Loss.WRONG_TYPE,
                    f"{message.topic}: expected {source.type}, got {message.type}",
                )
                continue
            try:
                complete += self._readers[role](message, source)
            except BagError as error:
                self._losses.count(Loss.UNDECODABLE, f"{message.topic}: {error}")
            except ObservationError as error:
                bad = Loss.BAD_PICTURE if role is Role.CAMERA else Loss.BAD_VALUE
                self._losses.count(bad, f"{message.topic}: {error}")
        return complete

    def finish(self) -> list[events.Event]:
        """Return the events that still wait."""
        return [*self._frames.finish(), *self._commands.finish()]

    def _on_picture(self, message: RawMessage, source: Source) -> Sequence[events.Event]:
        stamp_ns = self._clocks.stamp(message)
        self._note_jump(stamp_ns, message.log_ns)
        if source.type == IMAGE:
            raw = sensors.image_of(message.data)
            layout = raw.height, raw.width, raw.step, bool(raw.is_bigendian)
            image = decode_picture(raw.encoding, raw.data, *layout)
        else:
            file = self._bag.decode(message)
            image = decode_picture(file.format, file.data)
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
        if before_ns is not None and abs(lag_ns - before_ns) > stamps.ANOTHER_CLOCK_NS:
            jumped_s = (before_ns - lag_ns) * 1e-9
            self._losses.count(
                Loss.CLOCK_JUMP, f"the camera's stamps jumped by {jumped_s:.0f} s at {stamp_ns} ns"
            )

    def _on_camera_info(self, message: RawMessage, source: Source) -> Sequence[events.Event]:
        content = message.data[sensors.AFTER_STAMP :]
        if self._fov_from_rules or content == self._camera_info:
            return ()
        self._camera_info = content
        return (sensors.camera_info_of(self._bag.decode(message)),)

    def _on_imu(self, message: RawMessage, source: Source) -> Sequence[events.Event]:
        reading = sensors.read_imu(source.type, message.data, source.axes)
        stamp_ns = self._clocks.stamp(message)
        if reading is None:
            return self._frames.reach(stamp_ns, message.log_ns)
        return self._frames.add_sample(stamp_ns, *reading, message.log_ns)

    def _on_odometry(self, message: RawMessage, source: Source) -> Sequence[events.Event]:
        state, stamp_ns = odometry.state_of(self._bag, message), self._clocks.stamp(message)
        self._commands.attitudes.add(stamp_ns, state.quaternion)
        return [events.OdometryEvent(stamp_ns, state), *self._commands.advance(message.log_ns)]

    def _on_command(
        self, message: RawMessage, source: Source, origin: events.CommandSource
    ) -> Sequence[events.Event]:
        velocity = commands.read_velocity(self._bag, message, source)
        return self._commands.add(origin, velocity, self._clocks.stamp(message), message.log_ns)

    def _on_features(self, message: RawMessage, source: Source) -> Sequence[events.Event]:
        features = sensors.features_of(sensors.image_of(message.data))
        return (events.FeaturesEvent(self._clocks.stamp(message), features),)

    def _on_neurons(self, message: RawMessage, source: Source) -> Sequence[events.Event]:
        names, states, gates = sensors.neurons_of(self._bag.decode(message))
        return (events.NeuronsEvent(self._clocks.stamp(message), names, states, gates),)

    def _on_clock(self, message: RawMessage, source: Source) -> Sequence[events.Event]:
        stamp_ns = stamps.own_stamp(message.type, message.data)
        return () if stamp_ns is None else (events.ClockEvent(stamp_ns),)
